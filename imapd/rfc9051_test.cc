// The examples of RFC 9051 (IMAP4rev2), in its order, with our names and numbers where theirs are
// those of a server; RFC 3501's where they differ. Those of 6.1.1, 6.2 and 7.1 that come before a
// login are in login/rfc_examples_test.cc, those of 6.3.9 in rfc5258_test.cc, of 6.4.4.4 with RFC
// 5182's.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class Rfc9051 : public SessionTest {
  protected:
    // A client that knows nothing of IMAP4rev1.
    static void enable(Client& c) {
        c.play("C: e1 ENABLE IMAP4rev2\nS: * ENABLED IMAP4rev2\nS: e1 OK ...");
    }
};

TEST_F(Rfc9051, Noop) {  // RFC 9051 6.1.2
    fill(23);
    Client c(maildir), other(maildir);
    enable(c);
    c("SELECT INBOX");
    other("SELECT INBOX");
    c.play("C: a002 NOOP\nS: a002 OK ...");
    other("STORE 22 +FLAGS (\\Deleted)");
    other("EXPUNGE");
    other.append("INBOX", kPlain);
    other("STORE 14 +FLAGS (\\Seen \\Deleted)");
    c.play(R"(
        C: a047 NOOP
        S: * 22 EXPUNGE
        S: * 23 EXISTS
        S: * 14 FETCH (UID 14 FLAGS (\Deleted \Seen))
        S: a047 OK ...
    )");
}

TEST_F(Rfc9051, Logout) {  // RFC 9051 6.1.3
    Client c(maildir);
    c.play("C: A023 LOGOUT\nS: * BYE ...\nS: A023 OK ...");
    EXPECT_EQ(c.line(), "") << "the connection is closed";
}

// RFC 9051 6.3.1: the server of the first example does not know CONDSTORE, ours no X-GOOD-IDEA
TEST_F(Rfc9051, Enable) {
    Client c(maildir);
    c.play(R"(
        C: t1 CAPABILITY
        S: * CAPABILITY ...
        S: t1 OK ...
        C: t2 ENABLE CONDSTORE X-GOOD-IDEA
        S: * ENABLED CONDSTORE
        S: t2 OK ...
        C: t3 CAPABILITY
        S: * CAPABILITY ...
        S: t3 OK ...
        C: a1 ENABLE X-GOOD-IDEA
        S: * ENABLED
        S: a1 OK ...
    )");
}

TEST_F(Rfc9051, Select) {  // RFC 9051 6.3.2, both examples
    Client c(maildir);
    c("CREATE Drafts");
    fill(172);
    fill(5, "", "Drafts");
    enable(c);
    c.play(R"imap(
        C: A142 SELECT INBOX
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded \*)] ...
        S: * 172 EXISTS
        S: * OK [UIDVALIDITY <<validity>>] ...
        S: * OK [UIDNEXT 173] ...
        S: * OK [HIGHESTMODSEQ <<modseq>>] ...
        S: * OK [MAILBOXID (<<id>>)] ...
        S: * LIST () "." INBOX
        S: A142 OK [READ-WRITE] ...
        C: A143 SELECT Drafts
        S: * OK [CLOSED] ...
        S: * FLAGS (...)
        S: * OK [PERMANENTFLAGS (...)] ...
        S: * 5 EXISTS
        S: * OK [UIDVALIDITY ...] ...
        S: * OK [UIDNEXT 6] ...
        S: ...
        S: * LIST (...) "." Drafts
        S: A143 OK [READ-WRITE] ...
    )imap");
}

TEST_F(Rfc9051, SelectOfRev1) {  // RFC 3501 6.3.1
    fill(171, "(\\Seen) ");
    Client c(maildir);
    c.append("INBOX", kPlain);
    c.play(R"imap(
        C: A142 SELECT INBOX
        S: * FLAGS (...)
        S: * OK [PERMANENTFLAGS (... \*)] ...
        S: * 172 EXISTS
        S: * 172 RECENT
        S: * OK [UNSEEN 172] ...
        S: * OK [UIDVALIDITY <<validity>>] ...
        S: * OK [UIDNEXT 173] ...
        S: ...
        S: A142 OK [READ-WRITE] ...
    )imap");
}

TEST_F(Rfc9051, Examine) {  // RFC 9051 6.3.3
    Client c(maildir);
    enable(c);
    c("CREATE blurdybloop");
    fill(17, "", "blurdybloop");
    c.play(R"imap(
        C: A932 EXAMINE blurdybloop
        S: * FLAGS (...)
        S: * OK [PERMANENTFLAGS ()] ...
        S: * 17 EXISTS
        S: * OK [UIDVALIDITY <<validity>>] ...
        S: * OK [UIDNEXT 18] ...
        S: ...
        S: * LIST () "." blurdybloop
        S: A932 OK [READ-ONLY] ...
    )imap");
}

// RFC 9051 6.3.4: a trailing separator says that there will be names below
TEST_F(Rfc9051, Create) {
    Client c(maildir);
    c.play(R"(
        C: A003 CREATE owatagusiam.
        S: A003 OK ...
        C: A004 CREATE owatagusiam.blurdybloop
        S: A004 OK ...
    )");
}

// RFC 9051 6.3.5, first example: a level of names that is no mailbox, with one below. Ours has no
// such levels without the names below, so that there is nothing to delete at the end.
TEST_F(Rfc9051, DeleteOfALevel) {
    Client c(maildir);
    c("CREATE blurdybloop");
    c("CREATE foo.bar");
    c.play(R"imap(
        C: A682 LIST "" *
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasNoChildren) "." blurdybloop
        S: * LIST (\Noselect \HasChildren) "." foo
        S: * LIST (\HasNoChildren) "." foo.bar
        S: A682 OK ...
        C: A683 DELETE blurdybloop
        S: A683 OK ...
        C: A684 DELETE foo
        S: A684 NO ...
        C: A685 DELETE foo.bar
        S: A685 OK ...
        C: A686 LIST "" *
        S: * LIST (\HasNoChildren) "." INBOX
        S: A686 OK ...
        C: A687 DELETE foo
        S: A687 NO ...
    )imap");
}

TEST_F(Rfc9051, DeleteAboveOthers) {  // RFC 9051 6.3.5, second example
    Client c(maildir);
    for (const char* name : {"blurdybloop", "foo", "foo.bar"}) c(std::string("CREATE ") + name);
    c.play(R"imap(
        C: A82 LIST "" *
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasNoChildren) "." blurdybloop
        S: * LIST (\HasChildren) "." foo
        S: * LIST (\HasNoChildren) "." foo.bar
        S: A82 OK ...
        C: A83 DELETE blurdybloop
        S: A83 OK ...
        C: A84 DELETE foo
        S: A84 OK ...
        C: A85 LIST "" *
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\Noselect \HasChildren) "." foo
        S: * LIST (\HasNoChildren) "." foo.bar
        S: A85 OK ...
        C: A86 LIST "" %
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\Noselect \HasChildren) "." foo
        S: A86 OK ...
    )imap");
}

TEST_F(Rfc9051, Rename) {  // RFC 9051 6.3.6, the first and the third example
    Client c(maildir);
    c("CREATE blurdybloop");
    c("CREATE foo.bar");
    c.play(R"imap(
        C: A683 RENAME blurdybloop sarasoop
        S: A683 OK ...
        C: A684 RENAME foo zowie
        S: A684 OK ...
        C: A685 LIST "" *
        S: * LIST (\HasNoChildren) "." INBOX
        S: * LIST (\HasNoChildren) "." sarasoop
        S: * LIST (\Noselect \HasChildren) "." zowie
        S: * LIST (\HasNoChildren) "." zowie.bar
        S: A685 OK ...
        C: 1000 SUBSCRIBE sarasoop
        S: 1000 OK ...
        C: 1001 RENAME sarasoop Y
        C: 1002 SUBSCRIBE Y
        C: 1003 UNSUBSCRIBE sarasoop
        S: 1001 OK ...
        S: 1002 OK ...
        S: 1003 OK ...
        C: 1004 LIST (SUBSCRIBED) "" *
        S: * LIST (... \Subscribed) "." Y
        S: 1004 OK ...
    )imap");
}

// RFC 9051 6.3.6, the second example: the messages move, INBOX and what is below it stay
TEST_F(Rfc9051, RenameOfInbox) {
    fill(3);
    Client c(maildir);
    c("CREATE INBOX.bar");
    c.play(R"imap(
        C: Z432 LIST "" *
        S: * LIST (\HasChildren) "." INBOX
        S: * LIST (\HasNoChildren) "." INBOX.bar
        S: Z432 OK ...
        C: Z433 RENAME INBOX old-mail
        S: Z433 OK ...
        C: Z434 LIST "" *
        S: * LIST (\HasChildren) "." INBOX
        S: * LIST (\HasNoChildren) "." INBOX.bar
        S: * LIST (\HasNoChildren) "." old-mail
        S: Z434 OK ...
        C: Z435 STATUS old-mail (MESSAGES)
        S: * STATUS old-mail (MESSAGES 3)
        S: Z435 OK ...
        C: Z436 STATUS INBOX (MESSAGES)
        S: * STATUS INBOX (MESSAGES 0)
        S: Z436 OK ...
    )imap");
}

// RFC 9051 6.3.7, 6.3.8; that there is no such mailbox does not matter
TEST_F(Rfc9051, SubscribeAndUnsubscribe) {
    Client c(maildir);
    c.play(R"(
        C: A001 SUBSCRIBE #news.comp.mail.mime
        S: A001 OK ...
        C: A002 UNSUBSCRIBE #news.comp.mail.mime
        S: A002 OK ...
    )");
}

// RFC 3501 6.3.9: LSUB, where a level above a subscribed name is \Noselect
TEST_F(Rfc9051, Lsub) {
    Client c(maildir);
    c.play(R"imap(
        C: A001 SUBSCRIBE #news.comp.mail.mime
        S: A001 OK ...
        C: A002 LSUB "#news." "comp.mail.*"
        S: * LSUB () "." #news.comp.mail.mime
        S: A002 OK ...
        C: A003 LSUB "#news." "comp.%"
        S: * LSUB (\Noselect) "." #news.comp.mail
        S: A003 OK ...
    )imap");
}

TEST_F(Rfc9051, Status) {  // RFC 9051 6.3.11, 7.3.3: the items come in the order of the question
    Client c(maildir);
    c("CREATE blurdybloop");
    fill(231, "", "blurdybloop");
    c.play(R"(
        C: A042 STATUS blurdybloop (UIDNEXT MESSAGES)
        S: * STATUS blurdybloop (UIDNEXT 232 MESSAGES 231)
        S: A042 OK ...
    )");
}

// RFC 9051 6.3.12, both examples; A006 and A007 are those of a server without lasting UIDs
TEST_F(Rfc9051, Append) {
    fill(5);
    Client c(maildir);
    c("CREATE saved-messages");
    c("CREATE meeting");
    c("SELECT INBOX");
    c("STORE 2,4 +FLAGS (\\Deleted)");
    c("EXPUNGE");
    c.append("INBOX", kPlain);
    c.play(R"(
        C: A003 APPEND saved-messages (\Seen) {#}
        S: + ...
        C: Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)
        C: From: Fred Foobar <foobar@Blurdybloop.example>
        C: Subject: afternoon meeting
        C: To: mooch@owatagu.siam.edu.example
        C: Message-Id: <B27397-0100000@Blurdybloop.example>
        C: MIME-Version: 1.0
        C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
        C:
        C: Hello Joe, do you think we can meet at 3:30 tomorrow?
        C:
        S: A003 OK [APPENDUID <<saved>> 1] ...
        C: A003 APPEND saved-messages (\Seen) {#+}
        C: Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)
        C: From: Fred Foobar <foobar@example.com>
        C: Subject: afternoon meeting
        C: To: mooch@example.com
        C: Message-Id: <B27397-0100000@example.com>
        C: MIME-Version: 1.0
        C: Content-Type: TEXT/PLAIN; CHARSET=US-ASCII
        C:
        C: Hello Joe, do you think we can meet at 3:30 tomorrow?
        C:
        S: A003 OK [APPENDUID <<saved>> 2] ...
        C: A004 COPY 2:4 meeting
        S: A004 OK [COPYUID <<meeting>> 3,5:6 1:3] ...
        C: A005 UID COPY 305:310 meeting
        S: A005 OK ...
    )");
}

TEST_F(Rfc9051, Idle) {  // RFC 9051 6.3.13; RFC 2177 3
    fill(3);
    Client c(maildir), other(maildir);
    enable(c);
    c("SELECT INBOX");
    other("SELECT INBOX");
    c.play("C: A002 IDLE\nS: + idling");
    other.append("INBOX", kPlain);
    c.play("S: * 4 EXISTS\nC: DONE\nS: A002 OK ...");
    other("STORE 2 +FLAGS (\\Deleted)");
    other("EXPUNGE");
    // no EXPUNGE in the answer of a FETCH by number
    c.play(R"(
        C: A003 FETCH 4 ALL
        S: * 4 FETCH (...)
        S: A003 OK ...
        C: A004 IDLE
        S: + idling
        S: * 2 EXPUNGE
    )");
    other("STORE 3 +FLAGS.SILENT (\\Deleted)");
    c.play("S: * 3 FETCH (UID 4 FLAGS (\\Deleted))");
    other("EXPUNGE");
    c.play("S: * 3 EXPUNGE");
    other.append("INBOX", kPlain);
    c.play(R"(
        S: * 3 EXISTS
        C: DONE
        S: A004 OK ...
        C: A005 FETCH 3 ALL
        S: * 3 FETCH (...)
        S: A005 OK ...
        C: A006 IDLE
        S: + idling
    )");
}

TEST_F(Rfc9051, CloseUnselectExpunge) {  // RFC 9051 6.4.1 to 6.4.3
    fill(11);
    Client c(maildir);
    c("SELECT INBOX");
    c("STORE 3,4,7,11 +FLAGS.SILENT (\\Deleted)");
    c.play(R"(
        C: A342 UNSELECT
        S: A342 OK ...
    )");
    c("SELECT INBOX");
    c.play(R"(
        C: A202 EXPUNGE
        S: * 3 EXPUNGE
        S: * 3 EXPUNGE
        S: * 5 EXPUNGE
        S: * 8 EXPUNGE
        S: A202 OK ...
        C: A341 CLOSE
        S: A341 OK ...
    )");
}

}  // namespace
}  // namespace postern::imapd
