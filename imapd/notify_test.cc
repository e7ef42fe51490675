// NOTIFY, RFC 5465: what a client hears of mailboxes without asking.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

using testing::AllOf;

class NotifyTest : public SessionTest {};

// RFC 5465 5.1: STATUS of mailboxes that are not selected
TEST_F(NotifyTest, TellsOfOtherMailboxes) {
    Client c(maildir), other(maildir);
    other("CREATE Lists.a");
    other("CREATE Quiet");
    other.append("Lists.a", kPlain);
    const std::string set =
        c("NOTIFY SET STATUS (subtree Lists (MessageNew MessageExpunge FlagChange)) "
          "(personal (MailboxName SubscriptionChange))");
    EXPECT_THAT(set, AllOf(HasSubstr("* STATUS Lists.a (MESSAGES 1 UIDNEXT 2 UIDVALIDITY "),
                           Not(HasSubstr("Quiet")), HasSubstr("t OK NOTIFY")));
    other.append("Lists.a", kMime, "(\\Seen) ");
    EXPECT_THAT(c.until("* STATUS"), HasSubstr("* STATUS Lists.a (MESSAGES 2 UIDNEXT 3 "));
    other("SELECT Lists.a");
    other("STORE 1 +FLAGS (\\Seen \\Deleted)");
    EXPECT_THAT(c.until("* STATUS"), HasSubstr(" UNSEEN 0"));
    other("EXPUNGE");
    EXPECT_THAT(c.until("* STATUS"), HasSubstr("(MESSAGES 1 UIDNEXT 3 "));
    // 5.4, 5.5
    other("CREATE New.b");
    EXPECT_EQ(c.until("* LIST () \".\" New.b"), "* LIST () \".\" New.b\r\n");
    other("SUBSCRIBE New.b");
    EXPECT_EQ(c.until("* LIST"), "* LIST (\\Subscribed) \".\" New.b\r\n");
    other("DELETE New.b");
    EXPECT_EQ(c.until("* LIST"), "* LIST (\\NonExistent \\Subscribed) \".\" New.b\r\n");
    EXPECT_THAT(c("NOTIFY NONE"), "t OK NOTIFY completed.\r\n");
    other.append("Lists.a", kPlain);
    EXPECT_EQ(c("NOOP"), "t OK NOOP completed.\r\n");
}

// RFC 5465 5.2: new messages of the selected mailbox with what the client wants to know
TEST_F(NotifyTest, TellsOfTheSelectedMailbox) {
    Client c(maildir), other(maildir);
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    c("NOTIFY SET (selected (MessageNew (BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge "
      "FlagChange))");
    other("SELECT INBOX");
    other("STORE 1 +FLAGS (\\Deleted)");
    EXPECT_THAT(c.until("* 1 FETCH"), HasSubstr("* 1 FETCH (FLAGS (\\Deleted"));
    other("EXPUNGE");
    EXPECT_THAT(c.until("* 1 EXPUNGE"), HasSubstr("* 1 EXPUNGE\r\n"));
    other.append("INBOX", kPlain);
    EXPECT_THAT(c.until(")"), AllOf(HasSubstr("* 1 EXISTS\r\n"),
                                    HasSubstr("* 1 FETCH (UID 2 BODY[HEADER.FIELDS (SUBJECT)] "
                                              "{18}\r\nSubject: first\r\n")));
}

TEST_F(NotifyTest, DelaysExpungesWhereItIsTold) {
    Client c(maildir), other(maildir);
    c.append("INBOX", kPlain);
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    c("NOTIFY SET (selected-delayed (MessageNew MessageExpunge))");
    other("SELECT INBOX");
    other("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other("EXPUNGE");
    other.append("INBOX", kPlain);
    EXPECT_THAT(c.until("* 3 EXISTS"), Not(HasSubstr("EXPUNGE")));
    EXPECT_THAT(c("NOOP"), HasSubstr("* 1 EXPUNGE\r\n"));
}

TEST_F(NotifyTest, GoesOnInIdle) {
    Client c(maildir), other(maildir);
    other("CREATE a");
    other("CREATE b");
    c("SELECT a");
    c("NOTIFY SET (inboxes (MessageNew MessageExpunge))");
    c.send("i1 IDLE\r\n");
    c.until("+ idling");
    maildir.deliver("1.x.h", "Subject: x\n\nbody\n");
    EXPECT_THAT(c.until("* STATUS"), HasSubstr("* STATUS INBOX (MESSAGES 1 "));
    other.append("a", kPlain);
    EXPECT_THAT(c.until("* 1 EXISTS"), HasSubstr("* 1 EXISTS\r\n"));
    c.send("DONE\r\n");
    EXPECT_THAT(c.until("i1 "), HasSubstr("i1 OK"));
    c("SELECT b");  // a is watched no more, INBOX is
    maildir.deliver("2.x.h", "Subject: x\n\nbody\n");
    EXPECT_THAT(c.until("* STATUS"), HasSubstr("* STATUS INBOX (MESSAGES 2 "));
}

TEST_F(NotifyTest, RefusesWhatItCannot) {
    Client c(maildir);
    EXPECT_THAT(c("NOTIFY SET (personal (MailboxMetadataChange))"),
                StartsWith("t NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName "));
    EXPECT_THAT(c("NOTIFY SET (personal (MessageNew))"), StartsWith("t BAD"));
    EXPECT_THAT(c("NOTIFY SET (mailboxes missing (MessageNew MessageExpunge))"),
                StartsWith("t OK"));
}

}  // namespace
}  // namespace postern::imapd
