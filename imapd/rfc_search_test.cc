// The examples of the extensions to SEARCH: ESEARCH (RFC 4731), WITHIN (RFC 5032), SEARCHRES
// (RFC 5182), FUZZY (RFC 6203), MULTISEARCH (RFC 7377), PARTIAL (RFC 9394), with our messages and
// numbers.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

std::string message_from(const std::string& from, const std::string& subject = "x",
                         const std::string& body = "body") {
    return "From: " + from + "\r\nSubject: " + subject + "\r\n\r\n" + body + "\r\n";
}

class RfcSearch : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
    // Twelve messages: \Flagged ones are 2, 5, 10, 11, of which Smith's is 5; 4 is the first
    // unseen.
    void fill() {
        Client c(maildir);
        for (int i = 1; i <= 12; ++i) {
            std::string flags = i < 4 ? "\\Seen" : "";
            if (i == 2 || i == 5 || i == 10 || i == 11)
                flags += flags.empty() ? "\\Flagged" : " \\Flagged";
            if (i == 3 || i == 9) flags += flags.empty() ? "\\Deleted" : " \\Deleted";
            c.append("INBOX", message_from(i == 5 ? "Smith <s@x.example>" : "eric@x.example"),
                     "(" + flags + ") \"02-Feb-2006 10:00:00 +0000\" ");
        }
    }
};

// RFC 4731 3.1, all examples
TEST_F(RfcSearch, Esearch) {
    fill();
    Client c(maildir);
    c("SELECT INBOX");
    c.play(R"(
        C: A282 SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
        S: * ESEARCH (TAG "A282") MIN 2 COUNT 3
        S: A282 OK ...
        C: A283 SEARCH RETURN () FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
        S: * ESEARCH (TAG "A283") ALL 2,10:11
        S: A283 OK ...
        C: A284 SEARCH RETURN (MIN) UNSEEN
        S: * ESEARCH (TAG "A284") MIN 4
        S: A284 OK ...
        C: A285 UID SEARCH RETURN (MIN MAX) 1:5000
        S: * ESEARCH (TAG "A285") UID MIN 1 MAX 12
        S: A285 OK ...
        C: A286 SEARCH RETURN (COUNT) DELETED
        S: * ESEARCH (TAG "A286") COUNT 2
        S: A286 OK ...)");
    // "it still MUST send the ESEARCH response"
    c.play(R"(
        C: A287 SEARCH RETURN (MIN MAX ALL) DRAFT
        S: * ESEARCH (TAG "A287")
        S: A287 OK ...
        C: A288 SEARCH RETURN (COUNT) DRAFT
        S: * ESEARCH (TAG "A288") COUNT 0
        S: A288 OK ...)");
}

// RFC 4731 3.2; RFC 4466 2.6.2 has the form of the response
TEST_F(RfcSearch, EsearchWithModSequences) {
    fill();
    Client c(maildir);
    c("SELECT INBOX (CONDSTORE)");
    c.play(R"(
        C: b1 STORE 11 +FLAGS.SILENT (\Draft)
        S: * 11 FETCH (UID 11 MODSEQ (<<max>>))
        S: b1 OK ...
        C: b2 STORE 2 +FLAGS.SILENT (\Draft)
        S: * 2 FETCH (UID 2 MODSEQ (<<min>>))
        S: b2 OK ...
        C: b3 STORE 5 +FLAGS.SILENT (\Draft)
        S: * 5 FETCH (UID 5 MODSEQ (<<highest>>))
        S: b3 OK ...
        C: a1 SEARCH RETURN (MIN) MODSEQ "/flags/\\draft" all <<max>>
        S: * ESEARCH (TAG "a1") MIN 2 MODSEQ <<min>>
        S: a1 OK ...
        C: a2 SEARCH RETURN (MAX) MODSEQ "/flags/\\draft" all <<max>>
        S: * ESEARCH (TAG "a2") MAX 11 MODSEQ <<max>>
        S: a2 OK ...
        C: a3 SEARCH RETURN (MIN MAX) MODSEQ "/flags/\\draft" all <<max>>
        S: * ESEARCH (TAG "a3") MIN 2 MAX 11 MODSEQ <<min>>
        S: a3 OK ...
        C: a4 SEARCH RETURN (MIN COUNT) MODSEQ "/flags/\\draft" all <<max>>
        S: * ESEARCH (TAG "a4") MIN 2 COUNT 3 MODSEQ <<highest>>
        S: a4 OK ...
        C: a567 UID SEARCH RETURN (COUNT ALL) DRAFT
        S: * ESEARCH (TAG "a567") UID COUNT 3 ALL 2,5,11
        S: a567 OK ...)");
}

// RFC 5032 4 (whose response lacks the star's line of its own)
TEST_F(RfcSearch, Within) {
    Client c(maildir);
    c.append("INBOX", kPlain, "\"17-Jul-1996 02:44:25 -0700\" ");
    c.append("INBOX", kPlain, "(\\Seen) ");
    c.append("INBOX", kPlain);
    c("SELECT INBOX");
    c.play(R"(
        C: a1 SEARCH UNSEEN YOUNGER 259200
        S: * SEARCH 3
        S: a1 OK ...
        C: a2 SEARCH UNSEEN OLDER 259200
        S: * SEARCH 1
        S: a2 OK ...)");
}

// RFC 5182 2.2, examples 1 to 4 and 6
TEST_F(RfcSearch, SavedResults) {
    fill();
    Client c(maildir);
    c("CREATE \"Other Messages\"");
    c("SELECT INBOX");
    c.play(R"(
        C: A282 SEARCH RETURN (SAVE) FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
        S: A282 OK ...
        C: A283 FETCH $ (UID INTERNALDATE FLAGS)
        S: * 2 FETCH (UID 2 INTERNALDATE ...
        S: * 10 FETCH (UID 10 INTERNALDATE ...
        S: * 11 FETCH (UID 11 INTERNALDATE ...
        S: A283 OK ...)");
    c.play(R"(
        C: A282 SEARCH RETURN (SAVE) FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
        C: A283 FETCH $ (UID)
        S: A282 OK ...
        S: * 2 FETCH (UID 2)
        S: * 10 FETCH (UID 10)
        S: * 11 FETCH (UID 11)
        S: A283 OK ...)");
    c.play(R"(
        C: A300 SEARCH RETURN (SAVE) SINCE 1-Jan-2004 NOT FROM "Smith"
        S: A300 OK ...
        C: A301 UID SEARCH UID $ SMALLER 4096 FLAGGED
        S: * SEARCH 2 10 11
        S: A301 OK ...
        C: A301 UID SEARCH $ SMALLER 4096 FLAGGED
        S: * SEARCH 2 10 11
        S: A301 OK ...)");
    c.append("INBOX", message_from("Smith <s@x.example>", "x", "M\xc3\xbcller Q"));
    c("SELECT INBOX");
    c.play(
        "C: P282 SEARCH RETURN (SAVE) FLAGGED NOT FROM \"Smith\"\n"
        "S: P282 OK ...\n"
        "C: P283 SEARCH CHARSET UTF-8 (OR $ 1,12:3021) TEXT {8}\n"
        "S: + ...\n"
        "C: m\xc3\xbcller \n"
        "S: * SEARCH 13\n"
        "S: P283 OK ...\n"
        "C: E282 SEARCH RETURN (SAVE) SINCE 28-Oct-2006 NOT FROM \"Eric\" DRAFT\n"
        "C: E283 COPY $ \"Other Messages\"\n"
        "S: E282 OK ...\n"
        "S: E283 OK ...\n");
}

// RFC 5182 2.2, example 5
TEST_F(RfcSearch, AFailedSearchSavesNothing) {
    fill();
    Client c(maildir);
    c("SELECT INBOX");
    // Without SAVE the failure changes nothing (2.1). The comment in the RFC's example says that it
    // does, which is true of B284.
    c.play(R"(
        C: B282 SEARCH RETURN (SAVE) FLAGGED NOT FROM "Smith"
        S: B282 OK ...
        C: B283 SEARCH CHARSET X-NOTHING (OR $ 1,3000:3021) TEXT {4}
        S: + ...
        C: XXXX
        S: B283 NO [BADCHARSET (UTF-8 US-ASCII)] ...
        C: C283 SEARCH $
        S: * SEARCH 2 10 11
        S: C283 OK ...
        C: B284 SEARCH RETURN (SAVE) CHARSET X-NOTHING (OR $ 1,3000:3021) TEXT XXXX
        S: B284 NO [BADCHARSET ...
        C: B285 SEARCH $
        S: * SEARCH
        S: B285 OK ...)");
}

// RFC 5182 2.3, examples 7 to 9
TEST_F(RfcSearch, SeveralCommandsWithOneResult) {
    fill();
    Client c(maildir);
    c("CREATE Junk");
    c("SELECT INBOX");
    c("STORE 6:7 +FLAGS.SILENT ($Junk)");
    c.play(R"(
        C: F282 SEARCH RETURN (SAVE) KEYWORD $Junk
        C: F283 COPY $ "Junk"
        C: F284 STORE $ +FLAGS.Silent (\Deleted)
        S: F282 OK ...
        S: F283 OK [COPYUID <<validity>> 6:7 1:2] ...
        S: F284 OK ...)");
    // In the RFC the second is answered first, which is one of two orders
    c.play(R"(
        C: G282 SEARCH RETURN (SAVE) KEYWORD $Junk
        C: G283 SEARCH RETURN (ALL) SINCE 28-Oct-2005 FROM "Eric"
        S: G282 OK ...
        S: * ESEARCH (TAG "G283") ALL 1:4,6:12
        S: G283 OK ...
        C: H282 SEARCH RETURN (SAVE) KEYWORD $Junk
        C: H283 SEARCH RETURN (SAVE) SINCE 28-Oct-2005 FROM "Smith"
        S: H282 OK ...
        S: H283 OK ...
        C: H284 SEARCH $
        S: * SEARCH 5
        S: H284 OK ...)");
}

// RFC 5182 2.4, example 10; RFC 9394 3.2 with PARTIAL
TEST_F(RfcSearch, WhatIsSavedOfAnEsearch) {
    fill();
    Client c(maildir);
    c("SELECT INBOX");
    c.play(R"(
        C: C281 SEARCH RETURN (SAVE) 1
        S: C281 OK ...
        C: C282 SEARCH RETURN (ALL) FLAGGED
        S: * ESEARCH (TAG "C282") ALL 2,5,10:11
        S: C282 OK ...
        C: v1 SEARCH $
        S: * SEARCH 1
        S: v1 OK ...
        C: C283 SEARCH RETURN (ALL SAVE) FLAGGED
        S: * ESEARCH (TAG "C283") ALL 2,5,10:11
        S: C283 OK ...
        C: v2 SEARCH $
        S: * SEARCH 2 5 10 11
        S: v2 OK ...
        C: C284 SEARCH RETURN (SAVE MIN) FLAGGED
        S: * ESEARCH (TAG "C284") MIN 2
        S: C284 OK ...
        C: v3 SEARCH $
        S: * SEARCH 2
        S: v3 OK ...
        C: C285 SEARCH RETURN (MAX SAVE MIN) FLAGGED
        S: * ESEARCH (TAG "C285") MIN 2 MAX 11
        S: C285 OK ...
        C: v4 SEARCH $
        S: * SEARCH 2 11
        S: v4 OK ...
        C: C286 SEARCH RETURN (MAX SAVE MIN COUNT) FLAGGED
        S: * ESEARCH (TAG "C286") MIN 2 MAX 11 COUNT 4
        S: C286 OK ...
        C: v5 SEARCH $
        S: * SEARCH 2 5 10 11
        S: v5 OK ...
        C: C286 SEARCH RETURN (ALL SAVE MIN) FLAGGED
        S: * ESEARCH (TAG "C286") MIN 2 ALL 2,5,10:11
        S: C286 OK ...
        C: v6 SEARCH $
        S: * SEARCH 2 5 10 11
        S: v6 OK ...)");
    c.play(R"(
        C: P1 SEARCH RETURN (SAVE PARTIAL 2:3) FLAGGED
        S: * ESEARCH (TAG "P1") PARTIAL (2:3 5,10)
        S: P1 OK ...
        C: v7 SEARCH $
        S: * SEARCH 5 10
        S: v7 OK ...
        C: P2 SEARCH RETURN (SAVE PARTIAL 2:3 MIN) FLAGGED
        S: * ESEARCH (TAG "P2") MIN 2 PARTIAL (2:3 5,10)
        S: P2 OK ...
        C: v8 SEARCH $
        S: * SEARCH 2 5 10
        S: v8 OK ...
        C: P3 SEARCH RETURN (SAVE PARTIAL 2:2 MIN MAX) FLAGGED
        S: * ESEARCH (TAG "P3") MIN 2 MAX 11 PARTIAL (2:2 5)
        S: P3 OK ...
        C: v9 SEARCH $
        S: * SEARCH 2 5 11
        S: v9 OK ...
        C: P4 SEARCH RETURN (SAVE PARTIAL 2:2 COUNT) FLAGGED
        S: * ESEARCH (TAG "P4") COUNT 4 PARTIAL (2:2 5)
        S: P4 OK ...
        C: v10 SEARCH $
        S: * SEARCH 2 5 10 11
        S: v10 OK ...)");
}

// RFC 9394 3.1, 3.3, 3.4
TEST_F(RfcSearch, Partial) {
    Client c(maildir);
    for (int i = 0; i < 24; ++i) c.append("INBOX", kPlain, i == 3 ? "(\\Deleted) " : "");
    c("SELECT INBOX");
    // 23 results
    c.play(R"(
        C: A01 UID SEARCH RETURN (PARTIAL 1:5) UNDELETED UNKEYWORD $Junk
        S: * ESEARCH (TAG "A01") UID PARTIAL (1:5 1:3,5:6)
        S: A01 OK ...
        C: A02 UID SEARCH RETURN (PARTIAL 20:25) UNDELETED UNKEYWORD $Junk
        C: A03 UID SEARCH RETURN (PARTIAL 1:5) UNDELETED UNKEYWORD $Junk
        C: A04 UID SEARCH RETURN (PARTIAL 24:30) UNDELETED UNKEYWORD $Junk
        S: * ESEARCH (TAG "A02") UID PARTIAL (20:25 21:24)
        S: A02 OK ...
        S: * ESEARCH (TAG "A03") UID PARTIAL (1:5 1:3,5:6)
        S: A03 OK ...
        S: * ESEARCH (TAG "A04") UID PARTIAL (24:30 NIL)
        S: A04 OK ...
        C: A05 UID SEARCH RETURN (PARTIAL -1:-3) UNDELETED UNKEYWORD $Junk
        S: * ESEARCH (TAG "A05") UID PARTIAL (-1:-3 22:24)
        S: A05 OK ...
        C: A06 UID SEARCH RETURN (ALL PARTIAL 1:5) UNDELETED
        S: A06 BAD ...)");
    c.play(R"(
        C: 10 UID FETCH 2:26 (UID FLAGS) (PARTIAL -1:-3)
        S: * 22 FETCH (UID 22 FLAGS (\Recent))
        S: * 23 FETCH (UID 23 FLAGS (\Recent))
        S: * 24 FETCH (UID 24 FLAGS (\Recent))
        S: 10 OK ...
        C: 11 UID FETCH 20:26 (UID) (PARTIAL 1:2)
        S: * 20 FETCH (UID 20)
        S: * 21 FETCH (UID 21)
        S: 11 OK ...
        C: 12 UID FETCH 1:* (UID) (PARTIAL -1:-2 CHANGEDSINCE 1)
        S: ...
        S: * 24 FETCH (MODSEQ (<<last>>) UID 24)
        S: 12 OK ...)");
}

// RFC 6203 3, 4, 6: what a fuzzy search finds, and how well, is the server's own
TEST_F(RfcSearch, Fuzzy) {
    Client c(maildir);
    c.append("INBOX", message_from("user@example.com", "breaks of IMAP works"));
    c.append("INBOX", message_from("other@example.com", "work"));
    c.append("INBOX", message_from("user@example.com", "IMAP break"));
    c.append("INBOX", message_from("user@example.com", "work"));
    c("SELECT INBOX");
    c.play(R"(
        C: A1 SEARCH FUZZY (SUBJECT "IMAP break")
        S: * SEARCH 1 3
        S: A1 OK ...
        C: A2 SEARCH FUZZY SUBJECT work FROM user@example.com
        S: * SEARCH 1 4
        S: A2 OK ...
        C: B1 SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT "works"
        S: * ESEARCH (TAG "B1") ALL 1:2,4 RELEVANCY (<<1>> <<2>> <<4>>)
        S: B1 OK ...
        C: C1 SORT (RELEVANCY) UTF-8 FUZZY SUBJECT "IMAP break"
        S: * SORT 3 1
        S: C1 OK ...
        C: C2 SORT RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY TEXT "work"
        S: * ESEARCH (TAG "C2") ALL <<order>> RELEVANCY (<<a>> <<b>> <<c>>)
        S: C2 OK ...
        C: C3 SORT RETURN (PARTIAL 1:2) (RELEVANCY) UTF-8 FUZZY TEXT "work"
        S: * ESEARCH (TAG "C3") PARTIAL (1:2 <<best>>)
        S: C3 OK ...
        C: C4 SEARCH RETURN (RELEVANCY) TEXT "work"
        S: C4 BAD ...)");
    EXPECT_GE(std::stoi(c.value("a")), std::stoi(c.value("b")));
    EXPECT_GE(std::stoi(c.value("b")), std::stoi(c.value("c")));
    EXPECT_LE(std::stoi(c.value("a")), 100);
    EXPECT_GE(std::stoi(c.value("c")), 1);
    // 5
    c.play(R"(
        C: D1 SEARCH FUZZY (FROM "user" SINCE 21-Jan-2009 BEFORE 24-Jan-2009)
        S: * SEARCH
        S: D1 OK ...
        C: D2 SEARCH FUZZY (LARGER 900000 SMALLER 1100000)
        S: * SEARCH
        S: D2 OK ...
        C: D3 SEARCH SUBJECT "work" FUZZY ANSWERED
        S: * SEARCH
        S: D3 OK ...)");
}

// RFC 7377 3. Commands are answered one after the other, where the RFC's server mixes two.
TEST_F(RfcSearch, Multisearch) {
    Client c(maildir);
    for (const char* name : {"folder1", "folder2.banana", "folder2.peach", "folder2.salmon"})
        c(std::string("CREATE ") + name);
    for (int i = 1; i <= 9; ++i)
        c.append("folder1", message_from("a@x.example", i < 5 ? "chad" : "x"),
                 i % 2 == 0 ? "(\\Seen) " : "");
    for (int i = 1; i <= 4; ++i)
        c.append("folder2.banana", message_from("a@x.example"), i % 2 == 1 ? "(\\Seen) " : "");
    c.append("folder2.peach", message_from("a@x.example"));
    for (int i = 1; i <= 4; ++i)
        c.append("folder2.salmon", message_from("a@x.example", "chad"), "(\\Seen) ");
    c.play(R"(
        C: tag1 ESEARCH IN (mailboxes "folder1" subtree "folder2") unseen
        C: tag2 ESEARCH IN (mailboxes "folder1" subtree-one "folder2") subject "chad"
        S: * ESEARCH (TAG "tag1" MAILBOX folder1 UIDVALIDITY <<1>>) UID ALL 1,3,5,7,9
        S: * ESEARCH (TAG "tag1" MAILBOX folder2.banana UIDVALIDITY <<503>>) UID ALL 2,4
        S: * ESEARCH (TAG "tag1" MAILBOX folder2.peach UIDVALIDITY <<3>>) UID ALL 1
        S: tag1 OK ...
        S: * ESEARCH (TAG "tag2" MAILBOX folder1 UIDVALIDITY <<1>>) UID ALL 1:4
        S: * ESEARCH (TAG "tag2" MAILBOX folder2.salmon UIDVALIDITY <<1111111>>) UID ALL 1:4
        S: tag2 OK ...)");
    // 2: numbers beyond the mailbox are no error. (The RFC writes "UID ESEARCH", which its own
    // syntax does not have.)
    c("SELECT folder1");
    c.play(R"(
        C: tag1 ESEARCH FROM "a@x" 1:6
        S: * ESEARCH (TAG "tag1" MAILBOX folder1 UIDVALIDITY <<1>>) UID ALL 1:6
        S: tag1 OK ...
        C: tag1 ESEARCH FROM "a@x" 7:12
        S: * ESEARCH (TAG "tag1" MAILBOX folder1 UIDVALIDITY <<1>>) UID ALL 7:9
        S: tag1 OK ...
        C: tag1 ESEARCH FROM "a@x" 13:18
        S: tag1 OK ...
        C: tag2 SEARCH FROM "a@x" 13:18
        S: * SEARCH
        S: tag2 OK ...
        C: tag3 UID ESEARCH ALL
        S: tag3 BAD ...)");
}

// RFC 7377 2.1, 2.2: options that are of the selected mailbox
TEST_F(RfcSearch, MultisearchOfTheSelectedMailbox) {
    Client c(maildir);
    c("CREATE other");
    c.append("INBOX", message_from("a@x.example"));
    c.append("INBOX", message_from("b@x.example"), "(\\Flagged) ");
    c.append("other", message_from("b@x.example"));
    c.play(R"(
        C: a ESEARCH ALL
        S: a BAD ...
        C: a ESEARCH IN (personal selected) ALL
        S: a BAD ...
        C: a ESEARCH IN (personal) RETURN (UPDATE) ALL
        S: a BAD ...)");
    c("SELECT INBOX");
    c.play(R"(
        C: b ESEARCH RETURN (SAVE) FROM b@x
        S: b OK ...
        C: b1 ESEARCH IN (selected) RETURN (SAVE COUNT) $
        S: * ESEARCH (TAG "b1" MAILBOX INBOX UIDVALIDITY <<v>>) UID COUNT 1
        S: b1 OK ...
        C: b2 SEARCH $
        S: * SEARCH 2
        S: b2 OK ...
        C: c ESEARCH IN (selected mailboxes other) RETURN (SAVE) ALL
        S: c BAD ...
        C: c ESEARCH IN (personal) $
        S: c BAD ...
        C: d ESEARCH IN (personal) RETURN (CONTEXT COUNT) ALL
        S: * ESEARCH (TAG "d" MAILBOX INBOX UIDVALIDITY <<v>>) UID COUNT 2
        S: * ESEARCH (TAG "d" MAILBOX other UIDVALIDITY <<o>>) UID COUNT 1
        S: d OK ...
        C: e ESEARCH IN (mailboxes other) RETURN (PARTIAL 1:1 UPDATE) ALL
        S: * NO [NOUPDATE "e"] ...
        S: * ESEARCH (TAG "e" MAILBOX other UIDVALIDITY <<o>>) UID PARTIAL (1:1 1)
        S: e OK ...
        C: f ESEARCH IN (personal) RETURN (COUNT UPDATE) FLAGGED
        S: * ESEARCH (TAG "f" MAILBOX INBOX UIDVALIDITY <<v>>) UID COUNT 1
        S: f OK ...
        C: g STORE 1 +FLAGS (\Flagged)
        S: * 1 FETCH (FLAGS (\Flagged \Recent))
        S: * ESEARCH (TAG "f" MAILBOX INBOX UIDVALIDITY <<v>>) UID ADDTO (0 1)
        S: g OK ...
        C: f ESEARCH RETURN (UPDATE) ALL
        S: f BAD ...)");
}

}  // namespace
}  // namespace postern::imapd
