// NOTIFY (RFC 5465), example by example, with our names and numbers. Where the RFC's commands do
// not fit its own syntax (8: events in parentheses, MessageNew never without MessageExpunge) they
// are sent as the syntax has them, and as printed they are refused.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

using testing::AllOf;

class Rfc5465 : public SessionTest {
  protected:
    static std::string mail(const std::string& from) {
        return "Subject: Re: good morning\r\nFrom: " + from +
               "\r\nTo: bob@example.org\r\n\r\nbody\r\n";
    }
};

// 3.1
TEST_F(Rfc5465, Notify) {
    Client c(maildir), other(maildir);
    for (const char* name : {"Lists.Lemonade", "Lists.Im2000", "misc"})
        other(std::string("CREATE ") + name);
    other.append("Lists.Lemonade", kPlain);
    EXPECT_THAT(c.greeting(), HasSubstr(" NOTIFY "));
    c.play(R"(
        C: b notify set status (selected MessageNew (uid body.peek[header.fields (from to subject)])
            MessageExpunge) (subtree Lists MessageNew)
        S: b BAD ...
        C: b notify set status (selected (MessageNew (uid body.peek[header.fields (from to
            subject)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))
        S: * STATUS Lists.Im2000 (MESSAGES 0 UIDNEXT 1 UIDVALIDITY <<901>> UNSEEN 0)
        S: * STATUS Lists.Lemonade (MESSAGES 1 UIDNEXT 2 UIDVALIDITY <<4>> UNSEEN 1)
        S: b OK ...
        C: c select inbox
        S: ...
        S: c OK [READ-WRITE] ...)");
    other.append("Lists.Lemonade", kPlain);
    c.play("S: * STATUS Lists.Lemonade (MESSAGES 2 UIDNEXT 3 UIDVALIDITY <<4>> UNSEEN 2)");
    maildir.deliver("1.M1P1.h", mail("alice@example.org"));
    // EXISTS comes before the FETCH (5.2), which the example leaves out
    c.play(R"(
        S: * 1 EXISTS
        S: * 1 RECENT
        S: * 1 FETCH (UID 1 BODY[HEADER.FIELDS (from to subject)] {75}
        S: Subject: Re: good morning
        S: From: alice@example.org
        S: To: bob@example.org
        S:
        S: ))");
    c.play(R"(
        C: d STATUS misc (UIDVALIDITY UIDNEXT MESSAGES)
        S: * STATUS misc (UIDVALIDITY <<1>> UIDNEXT 1 MESSAGES 0)
        S: d OK ...
        C: e notify set (selected (MessageNew (uid body.peek[header.fields (from to subject)])
            MessageExpunge)) (subtree Lists (MessageNew MessageExpunge)) (mailboxes misc
            (MessageNew MessageExpunge))
        S: e OK ...)");
    other.append("misc", kPlain);
    c.play("S: * STATUS misc (MESSAGES 1 UIDNEXT 2 UIDVALIDITY <<1>> UNSEEN 1)");
}

// 3.1: NOTIFY SET is a NOOP, too; what is selected and not named is SELECTED NONE
TEST_F(Rfc5465, NothingOfTheSelectedMailboxUnlessAskedFor) {
    Client c(maildir), other(maildir);
    for (int i = 0; i < 3; ++i) c.append("INBOX", kPlain);
    c("SELECT INBOX");
    other("SELECT INBOX");
    other("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other("EXPUNGE");
    c.play(R"(
        C: a notify set (mailboxes misc (MessageNew MessageExpunge))
        S: * 1 EXPUNGE
        S: a OK ...)");
    other.append("INBOX", kPlain);
    other("STORE 2 +FLAGS.SILENT (\\Deleted)");
    other("EXPUNGE");
    c.play(R"(
        C: b NOOP
        S: b OK ...
        C: c FETCH 1:2 UID
        S: * 1 FETCH (UID 2)
        S: * 2 FETCH (UID 3)
        S: c OK ...
        C: d IDLE
        S: + ...
        C: DONE
        S: d OK ...
        C: e STORE 1 +FLAGS (\Deleted)
        S: * 1 FETCH (UID 2 FLAGS (\Deleted \Recent))
        S: e OK ...)");
    // What it does itself it is told; with that comes what others did
    c.play(R"(
        C: f UID EXPUNGE 2
        S: * 3 EXISTS
        S: * ... RECENT
        S: * 1 EXPUNGE
        S: * 1 EXPUNGE
        S: f OK ...
        C: g notify set (selected NONE) (personal (MailboxName))
        S: g OK ...)");
    other.append("INBOX", kPlain);
    c.play(R"(
        C: h NOOP
        S: h OK ...
        C: i notify none
        S: * 2 EXISTS
        S: * ... RECENT
        S: i OK ...)");
}

// 5.1
TEST_F(Rfc5465, FlagChange) {
    Client c(maildir), other(maildir);
    other("CREATE Lists.Lemonade");
    other.append("Lists.Lemonade", kPlain);
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    // 3.1: with STATUS and flags, HIGHESTMODSEQ is told, enabled or not
    c.play(R"(
        C: a notify set status (selected (MessageNew MessageExpunge FlagChange)) (subtree Lists
            (MessageNew MessageExpunge FlagChange))
        S: * STATUS Lists.Lemonade (MESSAGES 1 UIDNEXT 2 UIDVALIDITY <<101>> UNSEEN 1 HIGHESTMODSEQ
            <<first>>)
        S: a OK ...)");
    other("SELECT INBOX");
    other("STORE 1 +FLAGS ($Junk)");
    c.play(R"(
        S: * FLAGS (... $Junk)
        S: * OK [PERMANENTFLAGS ...
        S: * 1 FETCH (UID 1 FLAGS ($Junk \Recent)))");
    c.play(R"(
        C: b enable condstore
        S: * OK [HIGHESTMODSEQ ...
        S: * ENABLED CONDSTORE
        S: b OK ...)");
    other("SELECT Lists.Lemonade");
    other("STORE 1 +FLAGS (\\Seen)");
    c.play(R"(
        S: * STATUS Lists.Lemonade (MESSAGES 1 UIDNEXT 2 UIDVALIDITY <<101>> UNSEEN 0 HIGHESTMODSEQ
            <<then>>))");
    EXPECT_LT(c.value("first"), c.value("then"));
    // Flags are told where they are asked for
    c.play(R"(
        C: c notify set (selected (MessageNew MessageExpunge))
        S: c OK ...)");
    other("SELECT INBOX");
    other("STORE 1 -FLAGS ($Junk)");
    c.play(R"(
        C: d NOOP
        S: * OK [HIGHESTMODSEQ ...
        S: d OK ...)");
}

// RFC 7162 3.2: whoever comes back with the number that it has seen must hear of the rest.
TEST_F(Rfc5465, WhatIsNotToldIsNotTakenForTold) {
    for (const char* notify : {"NOTIFY SET (personal (MessageNew MessageExpunge))",
                               "NOTIFY SET (selected (MessageNew MessageExpunge))"}) {
        Client c(maildir), other(maildir);
        for (int i = 0; i < 3; ++i) c.append("INBOX", kPlain);
        c("ENABLE QRESYNC");
        const std::string opened = c("SELECT INBOX");
        c(notify);
        other("SELECT INBOX");
        other("STORE 2 +FLAGS (\\Answered)");
        c("STORE 1:* +FLAGS ($Junk)");
        const auto number = [](const std::string& text, std::string_view before) {
            const auto at = text.rfind(before);
            EXPECT_NE(at, text.npos) << text;
            return std::strtoull(text.c_str() + at + before.size(), nullptr, 10);
        };
        other("STORE 3 +FLAGS (\\Flagged)");
        c("STORE 1 +FLAGS (\\Draft)");
        const std::string last = c("FETCH 1 (MODSEQ)");
        EXPECT_LT(number(last, "[HIGHESTMODSEQ "), number(last, "MODSEQ (")) << last;
        Client back(maildir);
        back("ENABLE QRESYNC");
        EXPECT_THAT(back(cat({"SELECT INBOX (QRESYNC (", std::to_string(number(opened, "UIDVALIDITY ")),
                              " ", std::to_string(number(last, "[HIGHESTMODSEQ ")), "))"})),
                    HasSubstr("\\Flagged"));
        c("STORE 1:* +FLAGS (\\Deleted)");
        c("EXPUNGE");
    }
}

// A message that EXPUNGE found is as new as one that the watch found.
TEST_F(Rfc5465, WhatExpungeAnnouncesIsTold) {
    Client c(maildir);
    c("SELECT INBOX");
    c("NOTIFY SET (selected (MessageNew (BODY.PEEK[HEADER.FIELDS (FROM)]) MessageExpunge))");
    for (int i = 0; i < 20; ++i) {
        maildir.deliver(std::to_string(i + 1) + ".M1P1.h", mail("alice@example.org"));
        std::string told = c("EXPUNGE");
        if (told.find("EXISTS") == told.npos) told += c("NOOP");
        EXPECT_THAT(told, HasSubstr("From: alice@example.org"));
    }
}

// 5.2, 5.3
TEST_F(Rfc5465, MessageNewAndExpunge) {
    Client c(maildir), other(maildir);
    for (const char* name : {"Lists.Lemonade", "misc"}) other(std::string("CREATE ") + name);
    other.append("misc", kPlain);
    c("SELECT INBOX");
    c.play(R"(
        C: a notify set (selected (MessageNew (uid) MessageExpunge)) (personal (MessageNew
            MessageExpunge))
        S: a OK ...)");
    other.append("INBOX", kPlain);
    c.play(R"(
        S: * 1 EXISTS
        S: * 1 RECENT
        S: * 1 FETCH (UID 1))");
    other.append("Lists.Lemonade", kPlain);
    c.play("S: * STATUS Lists.Lemonade (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ...");
    // "SHOULD NOT be generated for a new message created by the client on this connection"
    EXPECT_EQ(c.append("INBOX", kPlain).find("FETCH"), std::string::npos);
    EXPECT_THAT(c("COPY 1 INBOX"), AllOf(HasSubstr("* 3 EXISTS"), Not(HasSubstr("FETCH"))));
    other("SELECT INBOX");
    other("STORE 3 +FLAGS.SILENT (\\Deleted)");
    other("EXPUNGE");
    c.play("S: * 3 EXPUNGE");
    other("SELECT misc");
    other("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other("EXPUNGE");
    c.play("S: ...\nS: * STATUS misc (MESSAGES 0 UIDNEXT 2 UIDVALIDITY ...");
    c("ENABLE QRESYNC");
    other("SELECT INBOX");
    other("STORE 2 +FLAGS.SILENT (\\Deleted)");
    other("EXPUNGE");
    c.play("S: * VANISHED 2");
}

// 5.4, 5.5
TEST_F(Rfc5465, Names) {
    Client c(maildir), other(maildir);
    other("CREATE OldMailbox");
    other("CREATE OldMailbox.below");
    other.append("OldMailbox", kPlain);
    other.append("OldMailbox.below", kPlain);
    c.play(R"(
        C: a notify set (personal (MailboxName SubscriptionChange))
        S: a OK ...)");
    other("CREATE NewMailbox");
    c.play("S: * LIST (\\HasNoChildren) \".\" NewMailbox");
    other("DELETE NewMailbox");
    c.play("S: * LIST (\\NonExistent) \".\" NewMailbox");
    // "The mailbox itself and its direct parent"
    other("CREATE NewMailbox.child");
    c.play(R"(
        S: * LIST (\Noselect \HasChildren) "." NewMailbox
        S: * LIST (\HasNoChildren) "." NewMailbox.child)");
    other("DELETE NewMailbox.child");
    c.play(R"(
        S: * LIST (\NonExistent) "." NewMailbox
        S: * LIST (\NonExistent) "." NewMailbox.child)");
    // "No additional MailboxName events are sent for children"
    other("RENAME OldMailbox Other");
    c.play("S: * LIST (\\HasChildren) \".\" Other (\"OLDNAME\" (\"OldMailbox\"))");
    other("SUBSCRIBE Other");
    c.play("S: * LIST (\\HasChildren \\Subscribed) \".\" Other");
    other("UNSUBSCRIBE Other");
    c.play("S: * LIST (\\HasChildren) \".\" Other");
    // It goes on in what was renamed
    c.play(R"(
        C: b notify set (subtree Other (MessageNew MessageExpunge MailboxName))
        S: b OK ...)");
    other("RENAME Other Another");
    c.play("S: * LIST (\\HasChildren) \".\" Another (\"OLDNAME\" (\"Other\"))");
    other("RENAME Another Other");
    c.play("S: * LIST (\\HasChildren) \".\" Other (\"OLDNAME\" (\"Another\"))");
    other.append("Other.below", kPlain);
    c.play("S: * STATUS Other.below (MESSAGES 2 ...");
}

// 5: "The server SHOULD omit notifying the client if the event is caused by this client"
TEST_F(Rfc5465, OwnDoingsAreNotTold) {
    Client c(maildir), other(maildir);
    c("NOTIFY SET (personal (MailboxName SubscriptionChange MailboxMetadataChange "
      "ServerMetadataChange))");
    for (const char* command :
         {"CREATE a.b", "SUBSCRIBE a.b", "RENAME a.b c", "UNSUBSCRIBE a.b", "DELETE c",
          "SETMETADATA INBOX (/private/comment \"x\")", "SETMETADATA \"\" (/shared/comment \"x\")"})
        EXPECT_THAT(c(command), StartsWith("t OK")) << command;
    other("CREATE other");
    c.play("S: * LIST (\\HasNoChildren) \".\" other");
}

// 5.6, 5.7
TEST_F(Rfc5465, Metadata) {
    Client c(maildir), other(maildir);
    other("CREATE a");
    other("SETMETADATA a (/shared/comment \"there before\")");
    c("SELECT INBOX");
    c.play(R"(
        C: a notify set (personal (MailboxMetadataChange ServerMetadataChange))
        S: a OK ...)");
    other("SETMETADATA INBOX (/shared/comment \"new\")");
    c.play("S: * METADATA INBOX /shared/comment");
    other("SETMETADATA \"\" (/shared/comment \"new\")");
    c.play("S: * METADATA \"\" /shared/comment");
    other("SETMETADATA a (/private/comment \"new\" /shared/comment NIL)");
    c.play("S: * METADATA a /private/comment /shared/comment");
    // Only for those who ask
    c("NOTIFY SET (personal (ServerMetadataChange))");
    other("SETMETADATA INBOX (/shared/comment \"newer\")");
    other("SETMETADATA \"\" (/shared/comment \"newer\")");
    c.play("S: * METADATA \"\" /shared/comment");
}

// 5, 3.1: events that there are not; which need each other
TEST_F(Rfc5465, Refusals) {
    Client c(maildir);
    c.play(R"(
        C: a notify set (personal (AnnotationChange MessageNew MessageExpunge))
        S: a NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange
            MailboxMetadataChange ServerMetadataChange)] ...
        C: b notify set (personal (MessageNew))
        S: b BAD ...
        C: c notify set (personal (FlagChange))
        S: c BAD ...
        C: d notify set (selected (MailboxName))
        S: d BAD ...
        C: e notify set (selected (MessageNew MessageExpunge)) (selected-delayed (MessageNew
            MessageExpunge))
        S: e BAD ...)");
}

// 6, both examples: several groups for one mailbox
TEST_F(Rfc5465, GroupsAddUp) {
    Client c(maildir), other(maildir);
    other("CREATE misc");
    c.play(R"(
        C: a notify set (mailboxes INBOX (Messagenew messageExpunge)) (personal (SubscriptionChange))
        S: a OK ...)");
    other("SUBSCRIBE INBOX");
    c.play("S: * LIST (\\HasNoChildren \\Subscribed) \".\" INBOX");
    other.append("INBOX", kPlain);
    c.play("S: * STATUS INBOX (MESSAGES 1 ...");
    c("SELECT INBOX");
    c.play(R"(
        C: a notify set (selected (Messagenew (uid flags) messageExpunge)) (personal (MessageNew
            FlagChange MessageExpunge))
        S: a OK ...)");
    other.append("misc", kPlain);
    c.play("S: * STATUS misc (MESSAGES 1 UIDNEXT 2 UIDVALIDITY <<v>> UNSEEN 1)");
    other("SELECT misc");
    other("STORE 1 +FLAGS (\\Seen)");
    c.play("S: ...\nS: * STATUS misc (MESSAGES 1 UIDNEXT 2 UIDVALIDITY <<v>> UNSEEN 0)");
    other("SELECT INBOX");
    other("STORE 1 +FLAGS (\\Seen)");  // SELECTED does not ask for that
    other.append("INBOX", kPlain);
    c.play(R"(
        S: * 2 EXISTS
        S: * 1 RECENT
        S: * 2 FETCH (UID 2 FLAGS ()))");
}

// 7. The example's "(COUNT 17)" and "EXISTS 93" are no responses of IMAP. BODY[...] without PEEK
// sets no flag: the client is told of the message, and has not asked for it.
TEST_F(Rfc5465, SearchesNameItemsOfNewMessages) {
    Client c(maildir), other(maildir);
    c.append("INBOX", mail("myboss@example.org"));
    c.append("INBOX", mail("alice@example.org"));
    c("SELECT INBOX");
    c.play(R"(
        C: a00 SEARCH RETURN (COUNT UPDATE (UID BODY[HEADER.FIELDS (TO FROM SUBJECT)])) FROM "boss"
        S: * ESEARCH (TAG "a00") COUNT 1
        S: a00 OK ...)");
    other.append("INBOX", mail("myboss@example.org"));
    c.play(R"(
        C: a01 NOOP
        S: * 3 EXISTS
        S: * 3 RECENT
        S: * 3 FETCH (UID 3 BODY[HEADER.FIELDS (TO FROM SUBJECT)] {76}
        S: Subject: Re: good morning
        S: From: myboss@example.org
        S: To: bob@example.org
        S:
        S: )
        S: * ESEARCH (TAG "a00") ADDTO (0 3)
        S: a01 OK ...
        C: a02 SEARCH UNSEEN
        S: * SEARCH 1 2 3
        S: a02 OK ...)");
    // 5.2: what NOTIFY and searches want is told together, and once
    c.play(R"(
        C: a03 notify set (selected (MessageNew (FLAGS UID) MessageExpunge FlagChange))
        S: a03 OK ...)");
    other.append("INBOX", mail("myboss@example.org"));
    c.play(R"(
        S: * 4 EXISTS
        S: * 4 RECENT
        S: * 4 FETCH (UID 4 BODY[HEADER.FIELDS (TO FROM SUBJECT)] {76}
        S: Subject: Re: good morning
        S: From: myboss@example.org
        S: To: bob@example.org
        S:
        S:  FLAGS (\Recent))
        S: * ESEARCH (TAG "a00") ADDTO (0 4))");
    // "No untagged FETCH response SHOULD be returned if a message becomes a member ... due to flag"
    c.play(R"(
        C: a04 SEARCH RETURN (UPDATE (RFC822.SIZE)) FLAGGED
        S: * ESEARCH (TAG "a04")
        S: a04 OK ...
        C: a05 STORE 2 +FLAGS.SILENT (\Flagged)
        S: * ESEARCH (TAG "a04") ADDTO (0 2)
        S: a05 OK ...)");
}

}  // namespace
}  // namespace postern::imapd
