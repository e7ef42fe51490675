// NOTIFY, RFC 5465: what a client hears of mailboxes without asking.
#include "imapd/notify.h"
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
    EXPECT_EQ(c.until("* LIST (\\HasNoChildren"),
              "* LIST (\\Noselect \\HasChildren) \".\" New\r\n* LIST (\\HasNoChildren) \".\" "
              "New.b\r\n");
    other("SUBSCRIBE New.b");
    EXPECT_EQ(c.until("* LIST"), "* LIST (\\HasNoChildren \\Subscribed) \".\" New.b\r\n");
    other("DELETE New.b");
    EXPECT_EQ(
        c.until("* LIST (\\NonExistent \\Sub"),
        "* LIST (\\NonExistent) \".\" New\r\n* LIST (\\NonExistent \\Subscribed) \".\" New.b\r\n");
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
    EXPECT_THAT(c.until("* 1 FETCH"), HasSubstr("* 1 FETCH (UID 1 FLAGS (\\Deleted"));
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
    other.append("a", kPlain);  // RFC 5465 4: nobody asked for the selected mailbox
    maildir.deliver("2.x.h", "Subject: x\n\nbody\n");
    EXPECT_THAT(c.until("* STATUS INBOX (MESSAGES 2 "), Not(HasSubstr("EXISTS")));
    c.send("DONE\r\n");
    EXPECT_THAT(c.until("i1 "), HasSubstr("i1 OK"));
    c("SELECT b");  // a is watched no more, INBOX is
    maildir.deliver("3.x.h", "Subject: x\n\nbody\n");
    EXPECT_THAT(c.until("* STATUS INBOX (MESSAGES 3 "), Not(HasSubstr("EXISTS")));
}

// RFC 5465 6.4, and new mailboxes alike: names need not be asked for
TEST_F(NotifyTest, FollowsWhatIsSubscribed) {
    Client c(maildir), other(maildir);
    for (const char* name : {"a", "b", "there.x"}) other(std::string("CREATE ") + name);
    c("NOTIFY SET (subscribed (MessageNew MessageExpunge)) (subtree there (MessageNew "
      "MessageExpunge))");
    other("SUBSCRIBE a");
    other.append("a", kPlain);
    EXPECT_EQ(c.until("* STATUS").find("* STATUS a (MESSAGES 1 "), 0U);
    EXPECT_EQ(c("SUBSCRIBE b"), "t OK Subscribe completed.\r\n");
    other.append("b", kPlain);
    EXPECT_EQ(c.until("* STATUS").find("* STATUS b (MESSAGES 1 "), 0U);
    other("CREATE there.y");
    other.append("there.y", kPlain);
    EXPECT_EQ(c.until("* STATUS").find("* STATUS there.y (MESSAGES 1 "), 0U);
    EXPECT_EQ(c("UNSUBSCRIBE a"), "t OK Unsubscribe completed.\r\n");
    other.append("a", kPlain);
    other.append("there.x", kPlain);
    EXPECT_EQ(c.until("* STATUS").find("* STATUS there.x (MESSAGES 1 "), 0U);
}

TEST_F(NotifyTest, GoesOnWhereAMailboxIsAnotherOne) {
    Client c(maildir), other(maildir);
    for (const char* name : {"a", "b", "c"}) other(std::string("CREATE ") + name);
    other.append("a", kPlain);
    c("NOTIFY SET (personal (MessageNew MessageExpunge))");
    other("DELETE b");
    other("CREATE b");
    other.append("b", kPlain);
    EXPECT_THAT(c.until("* STATUS b (MESSAGES 1 "), HasSubstr("* STATUS b (MESSAGES 1 "));
    c("NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))");
    c.send("x APPEND INBOX {3}\r\n");  // no look at anything meanwhile
    c.until("+");
    other("RENAME a z");
    other("RENAME c a");
    c.send("abc\r\n");
    c.until("x OK");
    EXPECT_THAT(c.until("* LIST (\\HasNoChildren) \".\" z"),
                HasSubstr("* STATUS a (MESSAGES 0 UIDNEXT 1 "));
    other.append("a", kPlain);
    EXPECT_THAT(c.until("* STATUS a (MESSAGES 1 "), HasSubstr("* STATUS a (MESSAGES 1 "));
    other.append("z", kPlain);
    EXPECT_THAT(c.until("* STATUS z (MESSAGES 2 "), HasSubstr("* STATUS z (MESSAGES 2 "));
}

// The selected mailbox that the client itself has renamed
TEST_F(NotifyTest, GoesOnInWhatItRenamed) {
    Client c(maildir), other(maildir);
    other("CREATE a");
    c("SELECT a");
    c("NOTIFY SET (selected (MessageNew MessageExpunge))");
    EXPECT_THAT(c("RENAME a b"), StartsWith("t OK"));
    other.append("b", kPlain);
    EXPECT_EQ(c.until("* 1 EXISTS"), "* 1 EXISTS\r\n");
}

// RFC 6154 4, 5.4: a use that goes to another mailbox changes the entries of both
TEST_F(NotifyTest, TellsWhoLostAUse) {
    Client c(maildir), other(maildir), observer(maildir);
    for (const char* name : {"a", "b", "z"}) c(std::string("CREATE ") + name);
    c("SETMETADATA a (/private/specialuse \"\\\\Junk\")");
    for (Client* one : {&c, &observer}) (*one)("NOTIFY SET (personal (MailboxMetadataChange))");
    EXPECT_EQ(c("SETMETADATA b (/private/specialuse \"\\\\Junk\")"),
              "* METADATA a (/private/specialuse NIL)\r\nt OK Setmetadata completed.\r\n");
    EXPECT_EQ(observer.until("* METADATA b"),
              "* METADATA a /private/specialuse\r\n* METADATA b /private/specialuse\r\n");
    other("SETMETADATA z (/private/comment \"x\")");
    EXPECT_EQ(c.until("* METADATA"), "* METADATA z /private/comment\r\n");
}

// RFC 5465 5.2: of its own messages a client knows, also of those before the last
TEST_F(NotifyTest, KnowsAllOwnMessages) {
    Client c(maildir);
    c("SELECT INBOX");
    c("NOTIFY SET (inboxes (MailboxName))");
    c.append("INBOX", kPlain);
    c.append("INBOX", kPlain);
    c("COPY 1:* INBOX");
    EXPECT_THAT(c("NOTIFY SET (selected (MessageNew (UID) MessageExpunge))"),
                AllOf(HasSubstr("* 2 EXISTS\r\n"), Not(HasSubstr("FETCH"))));
}

TEST_F(NotifyTest, RefusesWhatItCannot) {
    Client c(maildir);
    EXPECT_THAT(c("NOTIFY SET (personal (AnnotationChange MessageNew MessageExpunge))"),
                StartsWith("t NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName "));
    EXPECT_THAT(c("NOTIFY SET (personal (MessageNew))"), StartsWith("t BAD"));
    EXPECT_THAT(c("NOTIFY SET (mailboxes missing (MessageNew MessageExpunge))"),
                StartsWith("t OK"));
}

using Folders = Notifications::Folders;

std::string changes_between(const Folders& before, const Folders& now) {
    const NameChanges changes = name_changes(before, now, {{"old.b", "old.a"}});
    std::string out;
    for (const std::string& name : changes.affected) out += name + " ";
    for (const auto& [to, from] : changes.renamed) out += from + ">" + to + " ";
    return out;
}

// RFC 5465 5.4
TEST(NameChangesTest, TellsRenamedFromNew) {
    const Folders none, a{{"a", {true, false, 1}}}, b{{"b", {true, false, 1}}};
    EXPECT_EQ(changes_between(a, a), "");
    EXPECT_EQ(changes_between(none, a), "a ");
    EXPECT_EQ(changes_between(a, none), "a ");
    EXPECT_EQ(changes_between(a, b), "a>b ");
    EXPECT_EQ(changes_between(a, {{"b", {true, false, 2}}}), "a b ") << "another one";
    EXPECT_EQ(changes_between({{"a", {true, false, 0}}}, {{"b", {true, false, 0}}}), "a b ");
    // Parents are affected, but for those of what was renamed; children are not told.
    EXPECT_EQ(changes_between(none, {{"x", {false, true, 0}}, {"x.y", {true, false, 1}}}),
              "x x.y ");
    const Folders tree{{"a", {true, true, 1}}, {"a.x", {true, false, 2}}, {"c", {true, false, 3}}};
    EXPECT_EQ(
        changes_between(
            tree, {{"b", {true, true, 1}}, {"b.x", {true, false, 2}}, {"c", {true, false, 3}}}),
        "a>b ");
    EXPECT_EQ(
        changes_between(
            tree, {{"b", {true, true, 1}}, {"b.z", {true, false, 2}}, {"c", {true, false, 3}}}),
        "a>b a.x>b.z ");
    // A child that follows its parent in another look
    EXPECT_EQ(changes_between({{"old.a.x", {true, false, 1}}}, {{"old.b.x", {true, false, 1}}}),
              "");
    // One that became a parent of others only
    EXPECT_EQ(changes_between({{"a", {true, true, 1}}}, {{"a", {false, true, 0}}}), "a ");
}

}  // namespace
}  // namespace postern::imapd
