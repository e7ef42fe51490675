// The examples of extensions about messages: OBJECTID (RFC 8474), SAVEDATE (RFC 8514), PREVIEW
// (RFC 8970), INPROGRESS (RFC 9585), UIDONLY (RFC 9586), MESSAGELIMIT (RFC 9738), and those of the
// Lemonade profile (RFC 5550) that are of IMAP alone.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class RfcMessages : public SessionTest {};

// RFC 8474 4.1 to 4.3
TEST_F(RfcMessages, MailboxIds) {
    Client c(maildir);
    c.play(R"(
        C: 3 create foo
        S: 3 OK [MAILBOXID (<<foo>>)] ...
        C: 4 create bar
        S: 4 OK [MAILBOXID (<<bar>>)] ...
        C: 5 create foo
        S: 5 NO [ALREADYEXISTS] ...
        C: 27 select "foo"
        S: ...
        S: * OK [MAILBOXID (<<foo>>)] Ok
        S: 27 OK [READ-WRITE] ...
        C: 6 status foo (mailboxid)
        S: * STATUS foo (MAILBOXID (<<foo>>))
        S: 6 OK ...
        C: 7 status bar (mailboxid)
        S: * STATUS bar (MAILBOXID (<<bar>>))
        S: 7 OK ...
        C: 8 rename foo renamed
        S: 8 OK ...
        C: 9 status renamed (mailboxid)
        S: * STATUS renamed (MAILBOXID (<<foo>>))
        S: 9 OK ...
        C: 10 status bar (mailboxid)
        S: * STATUS bar (MAILBOXID (<<bar>>))
        S: 10 OK ...
        C: 11 list "" "*" return (status (mailboxid))
        S: * LIST (\HasNoChildren) "." INBOX
        S: * STATUS INBOX (MAILBOXID (<<inbox>>))
        S: * LIST (\HasNoChildren) "." bar
        S: * STATUS bar (MAILBOXID (<<bar>>))
        S: * LIST (\HasNoChildren) "." renamed
        S: * STATUS renamed (MAILBOXID (<<foo>>))
        S: 11 OK ...)");
    EXPECT_NE(c.value("foo"), c.value("bar"));
    EXPECT_NE(c.value("foo"), c.value("inbox"));
}

// RFC 8474 5.3, 6. The example without THREADID is of servers that have none.
TEST_F(RfcMessages, EmailAndThreadIds) {
    Client c(maildir);
    c("CREATE foo");
    c.play(R"(
        C: 5 append inbox "20-Mar-2018 03:07:37 +1100" {#+}
        C: Subject: Message A
        C: Message-ID: <fake.1521475657.54797@example.com>
        C:
        C: body
        C:
        S: 5 OK [APPENDUID <<validity>> 1] ...
        C: 11 append inbox "20-Mar-2018 03:07:37 +1100" {#+}
        C: Subject: Re: Message A
        C: Message-ID: <fake.1521475657.21213@example.org>
        C: References: <fake.1521475657.54797@example.com>
        C:
        C: body
        C:
        S: 11 OK [APPENDUID <<validity>> 2] ...
        C: 17 append inbox "20-Mar-2018 03:07:37 +1100" {#+}
        C: Subject: Message C
        C: Message-ID: <fake.1521475657.60280@example.com>
        C:
        C: body
        C:
        S: 17 OK [APPENDUID <<validity>> 3] ...)");
    c("SELECT INBOX");
    c.play(R"(
        C: 22 fetch 1:* (emailid threadid)
        S: * 1 FETCH (EMAILID (<<m1>>) THREADID (<<a>>))
        S: * 2 FETCH (EMAILID (<<m2>>) THREADID (<<a>>))
        S: * 3 FETCH (EMAILID (<<m3>>) THREADID (<<c>>))
        S: 22 OK ...
        C: 27 search emailid <<m1>>
        S: * SEARCH 1
        S: 27 OK ...
        C: 28 search threadid <<a>>
        S: * SEARCH 1 2
        S: 28 OK ...
        C: 23 move 2 foo
        S: * OK [COPYUID <<other>> 2 1] ...
        S: * 2 EXPUNGE
        S: 23 OK ...
        C: 24 fetch 1:* (emailid threadid)
        S: * 1 FETCH (EMAILID (<<m1>>) THREADID (<<a>>))
        S: * 2 FETCH (EMAILID (<<m3>>) THREADID (<<c>>))
        S: 24 OK ...
        C: 25 select "foo"
        S: ...
        S: 25 OK [READ-WRITE] ...
        C: 26 fetch 1:* (emailid threadid)
        S: * 1 FETCH (EMAILID (<<m2>>) THREADID (<<a>>))
        S: 26 OK ...)");
    EXPECT_NE(c.value("m1"), c.value("m2"));
    EXPECT_NE(c.value("a"), c.value("c"));
}

// RFC 8514 4.2, 4.3
TEST_F(RfcMessages, SaveDates) {
    Client c(maildir);
    c("CREATE Trash");
    for (int i = 0; i < 3; ++i) c.append("INBOX", kPlain, "\"28-Dec-2014 18:50:53 +0100\" ");
    c("SELECT INBOX");
    c.play(R"(
        C: A101 FETCH 2 (SAVEDATE)
        S: * 2 FETCH (SAVEDATE "...")
        S: A101 OK ...
        C: A102 SEARCH SAVEDON 28-Dec-2014
        S: * SEARCH
        S: A102 OK ...
        C: A103 SEARCH SAVEDSINCE 28-Dec-2014
        S: * SEARCH 1 2 3
        S: A103 OK ...
        C: A104 SEARCH SAVEDBEFORE 29-Dec-2014
        S: * SEARCH
        S: A104 OK ...
        C: A105 SEARCH ON 28-Dec-2014 SAVEDATESUPPORTED
        S: * SEARCH 1 2 3
        S: A105 OK ...)");
}

const std::string kLorem =
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit.\r\n"
    "Curabitur aliquam turpis et ante dictum, et pulvinar dui congue.\r\n"
    "Maecenas hendrerit, lorem non imperdiet pellentesque, nulla\r\n"
    "ligula nullam et cetera\r\n";

// RFC 8970 3.2, 5, examples 1 to 3. Line ends become blanks; all previews are there without delay,
// so that none is NIL with LAZY.
TEST_F(RfcMessages, Previews) {
    Client c(maildir);
    c.append("INBOX", "Subject: 1\r\n\r\nPreview text!\r\n");
    c.append("INBOX", "Content-Type: image/png\r\n\r\nxx\r\n");
    c.append("INBOX", "Subject: 3\r\nFrom: foo@x.example\r\n\r\nMessage data from message 3.\r\n");
    c.append("INBOX", "Subject: 4\r\nFrom: foo@x.example\r\n\r\n" + kLorem);
    c("SELECT INBOX");
    EXPECT_THAT(c("CAPABILITY"), testing::AllOf(HasSubstr(" PREVIEW "), HasSubstr(" SEARCHRES ")));
    c.play(R"(
        C: A1 FETCH 1 (PREVIEW)
        S: * 1 FETCH (PREVIEW "Preview text!")
        S: A1 OK ...
        C: A2 FETCH 4 (RFC822.SIZE PREVIEW)
        S: * 4 FETCH (RFC822.SIZE <<size>> PREVIEW "Lorem ipsum dolor sit amet, consectetur
            adipiscing elit. Curabitur aliquam turpis et ante dictum, et pulvinar dui congue.
            Maecenas hendrerit, lorem non imperdiet pellentesque, nulla ligula nullam ...")
        S: A2 OK ...
        C: B1 FETCH 1:3 (ENVELOPE PREVIEW (LAZY))
        S: * 1 FETCH (ENVELOPE (NIL "1" ...) PREVIEW "Preview text!")
        S: * 2 FETCH (ENVELOPE (NIL NIL ...) PREVIEW "")
        S: * 3 FETCH (ENVELOPE (NIL "3" ...) PREVIEW "Message data from message 3.")
        S: B1 OK ...
        C: B2 FETCH 3:4 (PREVIEW)
        S: * 3 FETCH (PREVIEW "Message data from message 3.")
        S: * 4 FETCH (PREVIEW "Lorem ...")
        S: B2 OK ...
        C: C2 SEARCH RETURN (SAVE) FROM "FOO"
        C: C3 FETCH $ (UID PREVIEW (LAZY))
        S: C2 OK ...
        S: * 3 FETCH (UID 3 PREVIEW "Message data from message 3.")
        S: * 4 FETCH (UID 4 PREVIEW "Lorem ...")
        S: C3 OK ...
        C: C4 UID FETCH 3 (PREVIEW)
        S: * 3 FETCH (UID 3 PREVIEW "Message data from message 3.")
        S: C4 OK ...)");
}

// RFC 9585 4: tag, how many, of how many. The bare code and those with NIL are of servers that do
// not know as much; a tag that would end the code is NIL.
TEST_F(RfcMessages, Progress) {
    Options options;
    options.progress_interval = Millis{0};
    Client c(maildir, options);
    std::string command = "APPEND INBOX";
    for (int i = 0; i < 100; ++i) command += " {2+}\r\nab";
    c(command);
    c("SELECT INBOX");
    c.play(R"(
        C: A001 SEARCH BODY x
        S: * OK [INPROGRESS ("A001" 63 100)] ...
        S: * SEARCH
        S: A001 OK ...
        C: A]2 SEARCH BODY x
        S: * OK [INPROGRESS (NIL 63 100)] ...
        S: * SEARCH
        S: A]2 OK ...)");
}

// RFC 9586 3: ENABLE, UIDFETCH for FETCH, VANISHED for EXPUNGE, UIDREQUIRED
TEST_F(RfcMessages, UidOnly) {
    {
        Client c(maildir);
        for (int i = 0; i < 6; ++i) c.append("INBOX", kPlain);
        c("SELECT INBOX");
        c("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
        c("EXPUNGE");
    }
    Client c(maildir), other(maildir);
    other("SELECT INBOX");
    c.play(R"(
        C: 01 ENABLE UIDONLY
        S: * ENABLED UIDONLY
        S: 01 OK ...
        C: 02 SELECT INBOX
        S: * FLAGS ...
        S: * OK [PERMANENTFLAGS ...
        S: * 4 EXISTS
        S: * 0 RECENT
        S: * OK [UIDVALIDITY <<validity>>] ...
        S: * OK [UIDNEXT 7] ...
        S: * OK [HIGHESTMODSEQ ...
        S: * OK [MAILBOXID ...
        S: 02 OK [READ-WRITE] ...
        C: 10 FETCH 1:3 (FLAGS)
        S: 10 BAD [UIDREQUIRED] ...
        C: 11 UID SEARCH 1:3
        S: 11 BAD [UIDREQUIRED] ...
        C: 12 UID FETCH 3:4 (FLAGS)
        S: * 3 UIDFETCH (FLAGS ())
        S: * 4 UIDFETCH (FLAGS ())
        S: 12 OK ...
        C: 13 UID STORE 3 +FLAGS (\Seen)
        S: * 3 UIDFETCH (FLAGS (\Seen))
        S: 13 OK ...
        C: 14 UID STORE 4 +FLAGS.SILENT (\Deleted)
        S: 14 OK ...
        C: 15 EXPUNGE
        S: * VANISHED 4
        S: 15 OK ...
        C: 16 UID SEARCH RETURN (ALL) UID 1:*
        S: * ESEARCH (TAG "16") UID ALL 3,5:6
        S: 16 OK ...
        C: 17 UID SEARCH RETURN (SAVE) UNSEEN
        S: 17 OK ...
        C: 18 UID FETCH $ (UID)
        S: * 5 UIDFETCH (UID 5)
        S: * 6 UIDFETCH (UID 6)
        S: 18 OK ...)");
    other("STORE 2 +FLAGS.SILENT (\\Deleted)");
    other("STORE 3 +FLAGS (\\Flagged)");
    other("UID STORE 6 +FLAGS.SILENT (\\Deleted)");
    other("UID EXPUNGE 6");
    c.play(R"(
        C: 19 NOOP
        S: * VANISHED 6
        S: * 5 UIDFETCH (FLAGS (\Flagged))
        S: 19 OK ...)");
    // CONDSTORE (RFC 7162) in it
    c.play(R"(
        C: 20 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)
        S: ...
        S: * 5 UIDFETCH (MODSEQ (<<m>>) FLAGS (\Flagged))
        S: 20 OK ...)");
}

Options limited_to(std::size_t messages) {
    Options options;
    options.message_limit = messages;
    return options;
}

// RFC 9738 3: the newest of those that are named; the code has the oldest that was done. More in
// message_limit_test.cc.
TEST_F(RfcMessages, MessageLimit) {
    {
        Client c(maildir);
        for (int i = 0; i < 8; ++i) c.append("INBOX", kPlain);
        c("SELECT INBOX");
        c("STORE 1:8 +FLAGS.SILENT (\\Deleted)");
    }
    Client c(maildir, limited_to(3));
    EXPECT_THAT(c.greeting(), HasSubstr(" MESSAGELIMIT=3"));
    c("SELECT INBOX");
    c.play(R"(
        C: 03 FETCH 3:8 (UID)
        S: * 6 FETCH (UID 6)
        S: * 7 FETCH (UID 7)
        S: * 8 FETCH (UID 8)
        S: 03 OK [MESSAGELIMIT 3 6] ...
        C: 04 UID FETCH 3:5 (UID)
        S: * 3 FETCH (UID 3)
        S: * 4 FETCH (UID 4)
        S: * 5 FETCH (UID 5)
        S: 04 OK Fetch completed.
        C: 05 UID SEARCH UIDBEFORE 6 DELETED
        S: * SEARCH 3 4 5
        S: 05 OK [MESSAGELIMIT 3 3] ...)");
    // an answer has one code: HIGHESTMODSEQ of RFC 7162 3.2.7 comes by itself then
    c("ENABLE QRESYNC");
    c.play(R"(
        C: 06 UID EXPUNGE 1:8
        S: * VANISHED 6:8
        S: * OK [HIGHESTMODSEQ <<highest>>] ...
        S: 06 OK [MESSAGELIMIT 3 6] ...)");
}

// RFC 5550 2.3, 2.4: a message with an attachment, its structure (the RFC's lacks the lists of
// extension data), and URLs of its parts (in url_test.cc). 5.10 and its errata are in
// rfc7162_qresync_test.cc.
TEST_F(RfcMessages, LemonadeStructures) {
    Client c(maildir);
    c.append("INBOX",
             "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; "
             "charset=us-ascii\r\n\r\nhello\r\n--b\r\nContent-Type: text/plain; charset=us-ascii; "
             "name=trip.txt\r\nContent-Id: <960723163407.20117h@washington.example.com>\r\n"
             "Content-Description: Your trip details\r\nContent-Transfer-Encoding: base64\r\n\r\n"
             "aGVsbG8=\r\n--b--\r\n");
    c("SELECT INBOX");
    c.play(R"(
        C: A0051 UID FETCH 1 (UID BODYSTRUCTURE)
        S: * 1 FETCH (UID 1 BODYSTRUCTURE (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5
            0 NIL NIL NIL NIL)("text" "plain" ("charset" "us-ascii" "name" "trip.txt")
            "<960723163407.20117h@washington.example.com>" "Your trip details" "base64" 8 0 NIL NIL
            NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL))
        S: A0051 OK ...)");
}

}  // namespace
}  // namespace postern::imapd
