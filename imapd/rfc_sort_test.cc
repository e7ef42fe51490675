// The examples of SORT and THREAD (RFC 5256), what RFC 5957 says of sorting by what is displayed
// (it has no examples), THREAD=REFS (draft-ietf-morg-inthread), ESORT and contexts (RFC 5267), with
// our messages and numbers.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class RfcSort : public SessionTest {
  protected:
    static void append(Client& c, const std::string& fields, const std::string& flags = "") {
        c.append("INBOX", fields + "\r\nx\r\n", flags);
    }
};

// RFC 5256 3 (BASE.6.4.SORT), its three commands; BASE.7.2.SORT
TEST_F(RfcSort, Sort) {
    Client c(maildir);
    append(c, "Subject: delta\r\nDate: Tue, 1 Feb 2000 10:00:00 +0000\r\n");
    append(c, "Subject: Re: delta\r\nDate: Wed, 2 Feb 2000 10:00:00 +0000\r\n");
    append(c, "Subject: [list] Beta (fwd)\r\nDate: Tue, 1 Feb 2000 10:00:00 +0000\r\n");
    append(c, "Subject: [fwd: charlie]\r\nDate: Tue, 1 Feb 2000 10:00:00 +0000\r\n");
    append(c, "Subject: beta\r\nDate: Wed, 2 Feb 2000 10:00:00 +0000\r\n");
    c("SELECT INBOX");
    c.play(R"(
        C: A282 SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994
        S: * SORT 3 5 4 1 2
        S: A282 OK ...
        C: A283 SORT (SUBJECT REVERSE DATE) UTF-8 ALL
        S: * SORT 5 3 4 2 1
        S: A283 OK ...
        C: A284 SORT (SUBJECT) US-ASCII TEXT "not in mailbox"
        S: * SORT
        S: A284 OK ...)");
    // REVERSE does not reverse the order of what is equal: REVERSE SUBJECT is not SUBJECT backwards
    c.play(R"(
        C: A285 SORT (REVERSE SUBJECT) UTF-8 ALL
        S: * SORT 1 2 4 3 5
        S: A285 OK ...)");
}

// RFC 5256 2.2: sent dates, by UTC; without one, INTERNALDATE; RFC 5256's own example of zones
TEST_F(RfcSort, SentDates) {
    Client c(maildir);
    append(c, "Date: 1 Jan 2001 00:01:34 +0000\r\n");
    append(c, "Date: 31 Dec 2000 16:01:33 -0800\r\n");
    append(c, "Date: 1 Jan 2001 00:01:33 +0000\r\n");
    append(c, "Subject: none\r\n", "\"31-Dec-2000 23:00:00 +0000\" ");
    append(c, "Date: nonsense\r\n", "\"02-Jan-2001 23:00:00 +0000\" ");
    c("SELECT INBOX");
    c.play(R"(
        C: a SORT (DATE) UTF-8 ALL
        S: * SORT 4 2 3 1 5
        S: a OK ...)");
}

// RFC 5957 3, 4: the name, else mailbox@host, else nothing
TEST_F(RfcSort, DisplayNames) {
    Client c(maildir);
    append(c, "From: =?utf-8?q?Zo=C3=AB?= <a@x.example>\r\n");
    append(c, "From: m@x.example\r\n");
    append(c, "From: \"\" <b@x.example>, Anna <c@x.example>\r\n");
    append(c, "Subject: no sender\r\n");
    append(c,
           "From: =?iso-8859-1?q?=C4nne?= <z@x.example>\r\nTo: friends: Yves <y@x.example>;\r\n");
    c("SELECT INBOX");
    c.play(R"(
        C: a SORT (DISPLAYFROM) UTF-8 ALL
        S: * SORT 4 5 3 2 1
        S: a OK ...
        C: b SORT (FROM) UTF-8 ALL
        S: * SORT 4 1 3 2 5
        S: b OK ...)");
}

// RFC 5256 3 (BASE.6.4.THREAD): the three commands. "(174 (175)(176)(178))", "(194 195)" and
// "(170)(179)" of one parent that is not there are shapes of the RFC's answers.
TEST_F(RfcSort, Thread) {
    Client c(maildir);
    const std::string early = "\"06-Mar-2000 10:00:00 +0000\" ";
    append(c, "Subject: one\r\nMessage-Id: <1@x>\r\n", early);
    append(c, "Subject: two\r\nMessage-Id: <2@x>\r\n", early);
    append(c, "Subject: Re: two\r\nMessage-Id: <3@x>\r\nReferences: <2@x>\r\n", early);
    append(c, "Subject: RE: two\r\nMessage-Id: <4@x>\r\nReferences: <2@x>\r\n", early);
    append(c, "Subject: Re: three\r\nMessage-Id: <5@x>\r\nReferences: <gone@x>\r\n", early);
    append(c, "Subject: Re: three\r\nMessage-Id: <6@x>\r\nReferences: <gone@x>\r\n", early);
    append(c, "Subject: Re: two\r\nMessage-Id: <7@x>\r\nReferences: <2@x> <4@x>\r\n", early);
    c("SELECT INBOX");
    c.play(R"(
        C: A283 THREAD ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000
        S: * THREAD (1)(2 (3)(4)(7))(5 6)
        S: A283 OK ...
        C: A284 THREAD ORDEREDSUBJECT US-ASCII TEXT "gewp"
        S: * THREAD
        S: A284 OK ...
        C: A285 THREAD REFERENCES UTF-8 SINCE 5-MAR-2000
        S: * THREAD (1)(2 (3)(4 7))((5)(6))
        S: A285 OK ...)");
}

// RFC 5256 4 (BASE.7.2.THREAD): "(2)(3 6 (4 23)(44 7 96))" and "((3)(5))"
TEST_F(RfcSort, ThreadResponses) {
    Client c(maildir);
    const auto add = [&](const std::string& id, const std::string& references) {
        append(c, "Subject: s\r\nMessage-Id: <" + id + "@x>\r\n" +
                      (references.empty() ? "" : "References: " + references + "\r\n"));
    };
    append(c, "Subject: other\r\nMessage-Id: <2@x>\r\n");
    add("3", "");
    add("4", "<3@x> <6@x>");
    add("6", "<3@x>");
    add("7", "<3@x> <6@x> <44@x>");
    add("23", "<3@x> <6@x> <4@x>");
    add("44", "<3@x> <6@x>");
    add("96", "<3@x> <6@x> <44@x> <7@x>");
    c("SELECT INBOX");
    c.play(R"(
        C: a THREAD REFERENCES UTF-8 ALL
        S: * THREAD (1)(2 4 (3 6)(7 5 8))
        S: a OK ...
        // siblings of a parent that "does not match the search criteria"
        C: b THREAD REFERENCES UTF-8 3,7
        S: * THREAD ((3)(7))
        S: b OK ...
        C: c UID THREAD REFERENCES UTF-8 6,3
        S: * THREAD (3 6)
        S: c OK ...)");
    // the note in 3: quotes in a Message ID make no other one
    Client other(maildir);
    other("CREATE q");
    other.append("q",
                 "Subject: a\r\nMessage-Id: <\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>\r\n\r\nx\r\n");
    other.append("q", "Subject: b\r\nReferences: <01KF8JCEOCBS0045PS@xxx.yyy.com>\r\n\r\nx\r\n");
    other("SELECT q");
    EXPECT_THAT(other("THREAD REFERENCES UTF-8 ALL"), StartsWith("* THREAD (1 2)\r\n"));
}

// draft-ietf-morg-inthread 4: by references only, threads ordered by their youngest message
TEST_F(RfcSort, ThreadByReferencesOnly) {
    Client c(maildir);
    append(c, "Subject: s\r\nMessage-Id: <1@x>\r\nDate: Tue, 1 Feb 2000 10:00:00 +0000\r\n");
    append(c, "Subject: Re: s\r\nMessage-Id: <2@x>\r\nDate: Wed, 2 Feb 2000 10:00:00 +0000\r\n");
    append(c,
           "Subject: t\r\nMessage-Id: <3@x>\r\nReferences: <1@x>\r\nDate: Thu, 3 Feb 2000 10:00:00 "
           "+0000\r\n");
    c("SELECT INBOX");
    c.play(R"(
        C: a UID THREAD REFS utf-8 ALL
        S: * THREAD (2)(1 3)
        S: a OK ...
        C: b UID THREAD REFERENCES utf-8 ALL
        S: * THREAD (1 (2)(3))
        S: b OK ...
        // INTHREAD of that draft is another extension, which is not announced
        C: c UID SEARCH INTHREAD (SUBJECT meeting BODY fizzle)
        S: c BAD ...)");
    EXPECT_THAT(c.greeting(), Not(HasSubstr("INTHREAD")));
}

// RFC 5267 3.3
TEST_F(RfcSort, ExtendedSort) {
    Client c(maildir);
    for (int i = 1; i <= 5; ++i)
        append(c, "Date: " + std::to_string(i) + " Feb 2000 10:00:00 +0000\r\n",
               i == 2 ? "($Junk) " : "");
    c("SELECT INBOX");
    // "not represented as the range 5:3", 3.2
    c.play(R"(
        C: E01 UID SORT RETURN () (REVERSE DATE) UTF-8 UNDELETED UNKEYWORD $Junk
        S: * ESEARCH (TAG "E01") UID ALL 5,4,3,1
        S: E01 OK ...
        C: E02 UID SORT RETURN (MIN MAX COUNT) (REVERSE DATE) UTF-8 UNDELETED UNKEYWORD $Junk
        S: * ESEARCH (TAG "E02") UID MIN 5 MAX 1 COUNT 4
        S: E02 OK ...)");
}

// RFC 5267 4.2 to 4.3.5. The answer to B01 has no "UID" in the RFC, against RFC 4731.
TEST_F(RfcSort, Contexts) {
    Client c(maildir), other(maildir);
    for (int i = 1; i <= 4; ++i)
        append(c, "Subject: x\r\n", i < 4 ? "(\\Seen) " : "($Junk \\Deleted) ");
    c("SELECT INBOX");
    c.play(R"(
        C: A01 SEARCH RETURN (CONTEXT COUNT) UNDELETED UNKEYWORD $Junk
        S: * ESEARCH (TAG "A01") COUNT 3
        S: A01 OK ...
        C: B01 UID SEARCH RETURN (UPDATE COUNT) OR DELETED KEYWORD $Junk
        S: * ESEARCH (TAG "B01") UID COUNT 1
        S: B01 OK ...
        // "the following is rejected, and has no effect"
        C: B01 SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED
        S: B01 BAD ...)");
    // 4.3.3: only what joined, not the count
    other("SELECT INBOX");
    other("STORE 2 +FLAGS (\\Deleted)");
    other("STORE 3 +FLAGS ($Junk)");
    c.play(R"(
        C: B02 NOOP
        S: * 2 FETCH (FLAGS (\Deleted \Seen \Recent))
        S: * 3 FETCH (FLAGS (\Seen $Junk \Recent))
        S: * ESEARCH (TAG "B01") UID ADDTO (0 2:3)
        S: B02 OK ...)");
    // 4.3.4
    other("UID EXPUNGE 2");
    c.play(R"(
        C: B03 NOOP
        S: * ESEARCH (TAG "B01") UID REMOVEFROM (0 2)
        S: * 2 EXPUNGE
        S: B03 OK ...
        C: B04 CANCELUPDATE "B01"
        S: B04 OK ...
        C: B05 STORE 1 +FLAGS.SILENT (\Deleted)
        S: B05 OK ...)");
}

// RFC 5267 4.3.1
TEST_F(RfcSort, TooManyContexts) {
    Client c(maildir);
    append(c, "Subject: x\r\n", "($Junk) ");
    c("SELECT INBOX");
    for (std::size_t i = 0; i < SearchContexts::kMax; ++i) c("UID SEARCH RETURN (UPDATE) ALL");
    c.play(R"(
        C: B02 UID SORT RETURN (UPDATE COUNT) (DATE) UTF-8 KEYWORD $Junk
        S: * NO [NOUPDATE "B02"] ...
        S: * ESEARCH (TAG "B02") UID COUNT 1
        S: B02 OK ...)");
}

// RFC 5267 4.3.3: the preferred one of three equivalent responses
TEST_F(RfcSort, ContextPositions) {
    Client c(maildir);
    for (int i = 1; i <= 5; ++i) append(c, "Subject: x\r\n", i < 4 ? "(\\Deleted) " : "");
    c("SELECT INBOX");
    c.play(R"(
        C: C01 UID SORT RETURN (UPDATE ALL) (ARRIVAL) UTF-8 UNDELETED
        S: * ESEARCH (TAG "C01") UID ALL 4:5
        S: C01 OK ...
        C: C02 STORE 1:3 -FLAGS.SILENT (\Deleted)
        S: * ESEARCH (TAG "C01") UID ADDTO (1 1:3)
        S: C02 OK ...)");
}

// RFC 5267 4.4: 23 results
TEST_F(RfcSort, PartialResults) {
    Client c(maildir);
    std::string command = "APPEND INBOX";
    for (int i = 0; i < 23; ++i) command += " {2+}\r\nab";
    c(command);
    c("SELECT INBOX");
    c.play(R"(
        C: A02 UID SEARCH RETURN (PARTIAL 20:30) UNDELETED UNKEYWORD $Junk
        C: A03 UID SEARCH RETURN (PARTIAL 1:5) UNDELETED UNKEYWORD $Junk
        C: A04 UID SEARCH RETURN (PARTIAL 24:30) UNDELETED UNKEYWORD $Junk
        S: * ESEARCH (TAG "A02") UID PARTIAL (20:30 20:23)
        S: A02 OK ...
        S: * ESEARCH (TAG "A03") UID PARTIAL (1:5 1:5)
        S: A03 OK ...
        S: * ESEARCH (TAG "A04") UID PARTIAL (24:30 NIL)
        S: A04 OK ...)");
}

// RFC 5267 A.3: a context tells of expunges when numbers must not move yet. They are told with the
// EXPUNGE here, which "SHOULD be delivered in a timely manner" allows.
TEST_F(RfcSort, ExpungesInContexts) {
    Client c(maildir), other(maildir);
    for (int i = 0; i < 3; ++i) append(c, "Subject: x\r\n");
    c("SELECT INBOX");
    other("SELECT INBOX");
    c.play(R"(
        C: a SEARCH RETURN (UPDATE) ALL
        S: * ESEARCH (TAG "a")
        S: a OK ...)");
    other("STORE 1 +FLAGS.SILENT (\\Deleted)");
    c("NOOP");
    other("EXPUNGE");
    c.play(R"(
        C: b FETCH 2 UID
        S: * 2 FETCH (UID 2)
        S: b OK ...
        C: c NOOP
        S: * ESEARCH (TAG "a") REMOVEFROM (0 1)
        S: * 1 EXPUNGE
        S: c OK ...)");
}

}  // namespace
}  // namespace postern::imapd
