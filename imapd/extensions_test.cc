// Small extensions in whole sessions: FUZZY (RFC 6203), MULTISEARCH (RFC 7377), UIDONLY (RFC 9586),
// INPROGRESS (RFC 9585), LIST-METADATA (RFC 9590).
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

using testing::AllOf;

std::string about(const std::string& subject) {
    return "From: a@x.example\r\nSubject: " + subject + "\r\n\r\nbody\r\n";
}

// RFC 6203 3, 4
TEST_F(SessionTest, FuzzySearchRanksWhatItFinds) {
    Client c(maildir);
    c.append("INBOX", about("the house of cards"));
    c.append("INBOX", about("cards for houses"));
    c.append("INBOX", about("house cards"));
    c.append("INBOX", about("gardens"));
    c("SELECT INBOX");
    EXPECT_THAT(c("SEARCH SUBJECT \"house cards\""), StartsWith("* SEARCH 3\r\n"));
    EXPECT_THAT(c("SEARCH FUZZY SUBJECT \"house cards\""), StartsWith("* SEARCH 1 2 3\r\n"));
    EXPECT_THAT(c("SEARCH RETURN (ALL RELEVANCY) FUZZY SUBJECT \"houses cards\""),
                HasSubstr(" ALL 1:3 RELEVANCY (33 66 33)\r\n"));
    EXPECT_THAT(c("SORT RETURN (ALL RELEVANCY) (RELEVANCY) UTF-8 FUZZY SUBJECT \"house cards\""),
                HasSubstr(" ALL 3,1:2 RELEVANCY (100 66 66)\r\n"));
    EXPECT_THAT(c("SEARCH RETURN (RELEVANCY) SUBJECT house"), StartsWith("t BAD RELEVANCY"));
    // SAVE empties "$" before the search, which has it all the same
    c("SEARCH RETURN (SAVE) ALL");
    EXPECT_THAT(c("SEARCH RETURN (SAVE ALL RELEVANCY) $ FUZZY SUBJECT \"houses cards\""),
                HasSubstr(" ALL 1:3 RELEVANCY (33 66 33)\r\n"));
    EXPECT_THAT(c("SORT (RELEVANCY) UTF-8 ALL"), StartsWith("t BAD RELEVANCY"));
}

// RFC 7377 2.3
TEST_F(SessionTest, SearchesSeveralMailboxes) {
    Client c(maildir);
    for (const char* name : {"folder1", "folder2.a", "folder2.b", "folder3"})
        c(std::string("CREATE ") + name);
    for (int i = 0; i < 3; ++i) c.append("folder1", about("chad"), i == 1 ? "(\\Seen) " : "");
    c.append("folder2.b", about("chad"));
    c.append("folder3", about("chad"));
    const std::string found =
        c("ESEARCH IN (mailboxes \"folder1\" subtree \"folder2\" mailboxes missing) unseen");
    EXPECT_THAT(found, testing::MatchesRegex(
                           "\\* ESEARCH \\(TAG \"t[0-9]+\" MAILBOX folder1 UIDVALIDITY [0-9]+\\) "
                           "UID ALL 1,3\r\n\\* ESEARCH \\(TAG \"t[0-9]+\" MAILBOX folder2.b "
                           "UIDVALIDITY [0-9]+\\) UID ALL 1\r\nt OK Esearch completed.\r\n"));
    EXPECT_THAT(c("ESEARCH IN (personal) RETURN (COUNT MIN) SUBJECT chad"),
                AllOf(HasSubstr("MAILBOX folder1 "), HasSubstr("UID MIN 1 COUNT 3\r\n"),
                      HasSubstr("MAILBOX folder3 "), Not(HasSubstr("INBOX"))));
    EXPECT_THAT(c("ESEARCH UNSEEN"), StartsWith("t BAD No mailbox selected"));
    c("SUBSCRIBE folder3");
    EXPECT_THAT(c("ESEARCH IN (subscribed) ALL"),
                AllOf(HasSubstr("MAILBOX folder3 "), Not(HasSubstr("MAILBOX folder1"))));
    c("SELECT folder1");
    EXPECT_THAT(c("ESEARCH SEEN"), HasSubstr("MAILBOX folder1 "));
    EXPECT_THAT(c("ESEARCH IN (selected inboxes) SEEN"), HasSubstr("UID ALL 2\r\n"));
    for (const char* text :
         {"ESEARCH IN (personal) RETURN (SAVE) ALL", "ESEARCH IN (selected personal) UID $"})
        EXPECT_THAT(c(text), StartsWith("t BAD Only with a search of the selected")) << text;
    EXPECT_THAT(c("ESEARCH IN (selected-delayed) ALL"), StartsWith("t BAD selected-delayed"));
    EXPECT_THAT(c("ESEARCH IN (personal) CHARSET x-none SUBJECT x"),
                StartsWith("t NO [BADCHARSET"));
}

// RFC 9586 3
TEST_F(SessionTest, UidOnlyHasNoSequenceNumbers) {
    Client c(maildir);
    for (int i = 0; i < 3; ++i) c.append("INBOX", kPlain);
    EXPECT_THAT(c("ENABLE UIDONLY"), StartsWith("* ENABLED UIDONLY\r\n"));
    EXPECT_THAT(c("SELECT INBOX"), Not(HasSubstr("[UNSEEN")));
    for (const char* text :
         {"FETCH 1 FLAGS", "STORE 1 +FLAGS (\\Seen)", "SEARCH ALL", "COPY 1 INBOX", "MOVE 1 INBOX",
          "SORT (DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "UID SEARCH 1:2",
          "UID SORT (DATE) UTF-8 NOT 1", "REPLACE 1 INBOX {2+}\r\nab"})
        EXPECT_THAT(c(text), StartsWith("t BAD [UIDREQUIRED] ")) << text;
    EXPECT_THAT(c("UID FETCH 2 (FLAGS RFC822.SIZE)"),
                StartsWith("* 2 UIDFETCH (FLAGS (\\Recent) RFC822.SIZE "));
    EXPECT_THAT(c("UID FETCH 2 UID"), StartsWith("* 2 UIDFETCH (UID 2)\r\n"));
    EXPECT_THAT(c("UID STORE 2 +FLAGS (\\Deleted)"),
                StartsWith("* 2 UIDFETCH (FLAGS (\\Deleted \\Recent))\r\n"));
    EXPECT_THAT(c("EXPUNGE"), StartsWith("* VANISHED 2\r\n"));
    EXPECT_THAT(c("UID SEARCH ALL"), StartsWith("* SEARCH 1 3\r\n"));
    EXPECT_THAT(c("UID SEARCH RETURN (SAVE) ALL"), StartsWith("t OK"));
    EXPECT_THAT(c("UID FETCH $ UID"), HasSubstr("* 3 UIDFETCH (UID 3)\r\n"));
    Client other(maildir);
    other("SELECT INBOX");
    other("STORE 2 +FLAGS (\\Flagged)");
    EXPECT_THAT(c("NOOP"), HasSubstr("* 3 UIDFETCH (FLAGS (\\Flagged"));
}

// RFC 9585 4
TEST_F(SessionTest, SaysHowFarASearchIs) {
    Options options;
    options.progress_interval = Millis{0};
    Client c(maildir, options);
    std::string command = "APPEND INBOX";
    for (int i = 0; i < 200; ++i) command += " {2+}\r\nab";
    c(command);
    c("SELECT INBOX");
    c.send("A1 SEARCH BODY x\r\n");
    EXPECT_THAT(c.until("A1 "), AllOf(StartsWith("* OK [INPROGRESS (\"A1\" 63 200)] "),
                                      HasSubstr("(\"A1\" 127 200)"), HasSubstr("* SEARCH\r\n")));
}

// RFC 9590 4
TEST_F(SessionTest, ListReturnsMetadata) {
    Client c(maildir);
    c("CREATE foo");
    c("CREATE bar");
    c("SETMETADATA foo (/shared/vendor/cmu/color \"#b71c1c\" /shared/vendor/cmu/color/x \"y\")");
    EXPECT_THAT(c("LIST \"\" % RETURN (METADATA (\"/shared/vendor/cmu/color\"))"),
                AllOf(HasSubstr("* METADATA foo (/shared/vendor/cmu/color \"#b71c1c\")\r\n"),
                      HasSubstr("* METADATA bar (/shared/vendor/cmu/color NIL)\r\n")));
    EXPECT_THAT(c("LIST \"\" foo RETURN (METADATA (DEPTH 1) (/shared/vendor/cmu/color))"),
                HasSubstr("(/shared/vendor/cmu/color \"#b71c1c\" /shared/vendor/cmu/color/x "));
}

}  // namespace
}  // namespace postern::imapd
