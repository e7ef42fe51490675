// Small extensions, in whole sessions: the examples of the RFCs that define them, with our names
// and numbers where theirs are those of a server.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

using testing::AllOf;
using testing::MatchesRegex;

class RfcExamples : public SessionTest {};

TEST_F(RfcExamples, Namespace) {  // RFC 2342 5
    Client c(maildir);
    EXPECT_EQ(c("NAMESPACE"),
              "* NAMESPACE ((\"\" \".\")) NIL NIL\r\nt OK Namespace completed.\r\n");
    EXPECT_THAT(c("NAMESPACE x"), StartsWith("t BAD"));
}

TEST_F(RfcExamples, Id) {  // RFC 2971 3.1
    Client c(maildir);
    EXPECT_THAT(c("ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" \"Pink Floyd Music "
                  "Limited\")"),
                MatchesRegex("\\* ID [(]\"name\" \"[^\"]+\"[^\r]*\r\nt OK ID completed.\r\n"));
    EXPECT_THAT(c("ID NIL"), AllOf(StartsWith("* ID ("), HasSubstr("\r\nt OK")));
    EXPECT_THAT(c("ID (\"name\" NIL)"), HasSubstr("\r\nt OK"));
    EXPECT_THAT(c("ID (\"name\")"), StartsWith("t BAD")) << "a name without its value";
}

TEST_F(RfcExamples, Unselect) {  // RFC 3691 2
    fill(2, "(\\Deleted) ");
    Client c(maildir);
    EXPECT_THAT(c("UNSELECT"), StartsWith("t BAD"));
    c("SELECT INBOX");
    EXPECT_EQ(c("UNSELECT"), "t OK Unselect completed.\r\n");
    EXPECT_THAT(c("STATUS INBOX (MESSAGES)"), HasSubstr("(MESSAGES 2)"));
}

TEST_F(RfcExamples, UidPlus) {  // RFC 4315 2.1, 3
    fill(5);
    Client c(maildir);
    c("CREATE meeting");
    c("SELECT INBOX");
    EXPECT_THAT(c.append("INBOX", kPlain, "(\\Seen) "), HasSubstr("t OK [APPENDUID "));
    EXPECT_THAT(c("COPY 2:4 meeting"), MatchesRegex("t OK \\[COPYUID [0-9]+ 2:4 1:3\\] .*\r\n"));
    EXPECT_THAT(c("UID COPY 305:310 meeting"), "t OK No messages found.\r\n")
        << "not an error, and no COPYUID";
    c("STORE 1,3,5 +FLAGS.SILENT (\\Deleted)");
    EXPECT_EQ(c("UID EXPUNGE 2:5"), "* 3 EXPUNGE\r\n* 4 EXPUNGE\r\nt OK Expunge completed.\r\n");
    EXPECT_EQ(c("UID SEARCH DELETED"), "* SEARCH 1\r\nt OK Search completed.\r\n");
}

TEST_F(RfcExamples, Move) {  // RFC 6851 3.3
    fill(4);
    Client c(maildir);
    c("CREATE foo");
    c("SELECT INBOX");
    EXPECT_THAT(c("UID MOVE 2:3 foo"),
                MatchesRegex("\\* OK \\[COPYUID [0-9]+ 2:3 1:2\\] Moved UIDs.\r\n\\* 2 EXPUNGE\r\n"
                             "\\* 2 EXPUNGE\r\nt OK Move completed.\r\n"));
    EXPECT_EQ(c("MOVE 1 nowhere"), "t NO [TRYCREATE] Mailbox doesn't exist\r\n");
    EXPECT_THAT(c("UID SEARCH ALL"), StartsWith("* SEARCH 1 4\r\n"));
}

TEST_F(RfcExamples, Enable) {  // RFC 5161 3.1
    Client c(maildir);
    c.play(R"imap(
        C: t1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ... ID ENABLE ...
        S: t1 OK ...
        C: t2 ENABLE CONDSTORE X-GOOD-IDEA
        S: * ENABLED CONDSTORE
        S: t2 OK ...
    )imap");
}

TEST_F(RfcExamples, AppendLimit) {  // RFC 7889 3, 5
    Options options;
    options.max_message = 100;
    Client c(maildir, options);
    EXPECT_THAT(c("CAPABILITY"), HasSubstr(" APPENDLIMIT=100"));
    EXPECT_THAT(c("STATUS INBOX (APPENDLIMIT)"),
                StartsWith("* STATUS INBOX (APPENDLIMIT 100)\r\n"));
    EXPECT_THAT(c("LIST \"\" % RETURN (STATUS (APPENDLIMIT))"),
                HasSubstr("* STATUS INBOX (APPENDLIMIT 100)\r\n"));
    EXPECT_THAT(c("APPEND INBOX (\\Seen) {310}"), StartsWith("t NO [TOOBIG]"));
}

TEST_F(RfcExamples, Literals) {  // RFC 7888 3
    Client c(maildir);
    c("CREATE {3+}\r\nfat");
    EXPECT_THAT(c("RENAME {3+}\r\nfat {7+}\r\nfat man"), StartsWith("t OK"));
    EXPECT_THAT(c("LIST {0+}\r\n {1+}\r\n*"), HasSubstr("\"fat man\"\r\n"));
}

}  // namespace
}  // namespace postern::imapd
