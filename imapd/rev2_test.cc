// IMAP4rev2 (RFC 9051), and what it took in: BINARY (RFC 3516), MULTIAPPEND (RFC 3502).
#include "imapd/test_client.h"
#include "lib/imap/binary_append.h"

namespace postern::imapd {
namespace {

using testing::AllOf;

TEST_F(SessionTest, Rev2SelectAndSearch) {
    Client c(maildir);
    c.append("INBOX", kPlain);
    EXPECT_EQ(c("ENABLE IMAP4rev2"), "* ENABLED IMAP4rev2\r\nt OK Enable completed.\r\n");
    const std::string selected = c("SELECT inbox");
    EXPECT_THAT(selected, HasSubstr("* LIST () \".\" INBOX\r\n"));
    EXPECT_THAT(selected, Not(HasSubstr("RECENT")));
    EXPECT_THAT(selected, Not(HasSubstr("[UNSEEN")));
    EXPECT_THAT(c("FETCH 1 FLAGS"), HasSubstr("FLAGS ())"));
    EXPECT_THAT(c("SEARCH ALL"), AllOf(StartsWith("* ESEARCH (TAG \"t"), HasSubstr(") ALL 1\r\n")));
    EXPECT_THAT(c("UID SEARCH SEEN"), HasSubstr(") UID\r\n"));
    EXPECT_THAT(c.append("INBOX", kMime), AllOf(HasSubstr("* 2 EXISTS"), Not(HasSubstr("RECENT"))));
    EXPECT_THAT(c("STORE 2 +FLAGS (\\Seen)"), HasSubstr("* 2 FETCH (UID 2 FLAGS (\\Seen))"));
    EXPECT_THAT(c("SELECT nowhere"), AllOf(StartsWith("* OK [CLOSED]"), HasSubstr("t NO")));
}

TEST_F(SessionTest, Rev2NamesAreUtf8) {
    Client c(maildir), old(maildir);
    c("ENABLE IMAP4rev2");
    EXPECT_THAT(c("CREATE \"Entw\xc3\xbcrfe & mehr\""), StartsWith("t OK"));
    EXPECT_THAT(old("LIST \"\" E*"), HasSubstr("\"Entw&APw-rfe &- mehr\"\r\n"));
    EXPECT_THAT(c("LIST \"\" \"Entw\xc3\xbc%\""), HasSubstr(" \"Entw\xc3\xbcrfe & mehr\"\r\n"));
    EXPECT_THAT(c("STATUS \"Entw\xc3\xbcrfe & mehr\" (MESSAGES)"),
                StartsWith("* STATUS \"Entw\xc3\xbcrfe & mehr\" (MESSAGES 0)"));
    EXPECT_THAT(c("SELECT \"Entw\xc3\xbcrfe & mehr\""),
                HasSubstr("\"Entw\xc3\xbcrfe & mehr\"\r\n"));
    c("SUBSCRIBE \"Entw\xc3\xbcrfe & mehr\"");
    EXPECT_THAT(c("LSUB \"\" *"), HasSubstr("\"Entw\xc3\xbcrfe & mehr\""));
    EXPECT_THAT(old("LSUB \"\" *"), HasSubstr("\"Entw&APw-rfe &- mehr\""));
    EXPECT_THAT(c("RENAME \"Entw\xc3\xbcrfe & mehr\" \xc3\xa9"), StartsWith("t BAD")) << "no atom";
    EXPECT_THAT(c("RENAME \"Entw\xc3\xbcrfe & mehr\" \"\xc3\xa9\""), StartsWith("t OK"));
    EXPECT_THAT(c("APPEND \"\xc3\xa9\" {3+}\r\na\r\n"), HasSubstr("[APPENDUID "));
    EXPECT_THAT(c("COPY 1 \"\xc3\xa9\""), HasSubstr("[COPYUID "));
    EXPECT_THAT(c("CREATE \"\xff\""), StartsWith("t BAD"));
    EXPECT_THAT(c("DELETE \"\xc3\xa9\""), StartsWith("t OK"));
}

// RFC 6855
TEST_F(SessionTest, Utf8Accept) {
    Client c(maildir), old(maildir);
    EXPECT_THAT(c.greeting(), HasSubstr(" UTF8=ACCEPT "));
    EXPECT_THAT(c("APPEND INBOX UTF8 (~{3+}\r\na\r\n)"), StartsWith("t BAD")) << "not enabled";
    EXPECT_EQ(c("ENABLE UTF8=ACCEPT"), "* ENABLED UTF8=ACCEPT\r\nt OK Enable completed.\r\n");
    EXPECT_THAT(c("CREATE \"Entw\xc3\xbcrfe\""), StartsWith("t OK"));
    EXPECT_THAT(old("LIST \"\" E*"), HasSubstr("Entw&APw-rfe"));
    EXPECT_THAT(c("LIST \"\" E*"), HasSubstr("\"Entw\xc3\xbcrfe\""));
    const std::string text = "Subject: f\xc3\xbcr\r\n\r\nx\r\n";
    const std::string size = std::to_string(text.size());
    EXPECT_THAT(c("APPEND \"Entw\xc3\xbcrfe\" (\\Seen) UTF8 (~{" + size + "+}\r\n" + text + ")"),
                HasSubstr("[APPENDUID "));
    EXPECT_THAT(c("APPEND INBOX UTF8 (~{" + size + "+}\r\n" + text + ") (\\Seen) UTF8 (~{" + size +
                  "+}\r\n" + text + ")"),
                HasSubstr(" 1:2] "))
        << "with MULTIAPPEND";
    EXPECT_THAT(c("APPEND INBOX UTF8 (~{3+}\r\na\r\n"), StartsWith("t BAD")) << "no )";
    EXPECT_THAT(c("APPEND INBOX UTF8 ({3+}\r\na\r\n)"), StartsWith("t BAD")) << "no literal8";
    c("SELECT INBOX");
    EXPECT_THAT(c("FETCH 2 (FLAGS BODY[])"), AllOf(HasSubstr("\\Seen"), HasSubstr(text)));
    EXPECT_THAT(c("SEARCH SUBJECT \"f\xc3\xbcr\""), HasSubstr("* SEARCH 1 2\r\n"));
    EXPECT_THAT(c("SEARCH CHARSET ISO-8859-1 SUBJECT x"), StartsWith("t BAD"));
}

TEST_F(SessionTest, MultiAppend) {
    Client c(maildir);
    c("SELECT INBOX");
    EXPECT_THAT(
        c("APPEND INBOX (\\Seen) {5+}\r\nA: b\n (\\Flagged $x) \"17-Jul-1996 02:44:25 -0700\" "
          "{6+}\r\nC: d\r\n {3+}\r\nE:f"),
        AllOf(HasSubstr("* 3 EXISTS"), HasSubstr("[APPENDUID "), HasSubstr(" 1:3] ")));
    const std::string all = c("FETCH 1:3 (FLAGS INTERNALDATE BODY.PEEK[])");
    EXPECT_THAT(all, HasSubstr("* 1 FETCH (FLAGS (\\Seen \\Recent)"));
    EXPECT_THAT(all,
                HasSubstr("* 2 FETCH (FLAGS (\\Flagged $x \\Recent) INTERNALDATE \"17-Jul-1996"));
    EXPECT_THAT(all, HasSubstr("BODY[] {3}\r\nE:f)"));
    // All or none.
    EXPECT_THAT(c("APPEND INBOX {3+}\r\nG:h (\\Foo) {3+}\r\nI:j"), HasSubstr("t BAD Invalid flag"));
    EXPECT_THAT(c("APPEND INBOX {3+}\r\nG:h {0+}\r\n"), HasSubstr("t NO"));
    EXPECT_THAT(c("APPEND INBOX {3+}\r\nG:h junk"), HasSubstr("t BAD"));
    EXPECT_THAT(c("APPEND INBOX {3+}\r\nG:h (a) \"x\" {3+}\r\nI:j"), HasSubstr("t BAD"));
    EXPECT_THAT(c("STATUS INBOX (MESSAGES)"), HasSubstr("MESSAGES 3"));
    c.send("w APPEND INBOX {3}\r\n");
    EXPECT_EQ(c.line(), "+ OK\r\n");
    c.send("K:l {3}\r\n");
    EXPECT_EQ(c.line(), "+ OK\r\n");
    c.send("M:n\r\n");
    EXPECT_THAT(c.until("w "), HasSubstr(" 4:5] "));
    c.finish();
    EXPECT_TRUE(std::filesystem::is_empty(maildir.root() + "/tmp"));
}

// RFC 8508 3.4
TEST_F(SessionTest, Replace) {
    Client c(maildir);
    c("CREATE Drafts");
    EXPECT_THAT(c("REPLACE 1 Drafts {3+}\r\nA:b"), StartsWith("t BAD No mailbox selected"));
    c.append("INBOX", kPlain);
    c.append("INBOX", kMime);
    c("SELECT INBOX");
    const std::string answer = c("REPLACE 1 Drafts (\\Seen \\Draft) {5+}\r\nA: b\n");
    EXPECT_THAT(answer, AllOf(StartsWith("* OK [APPENDUID "), HasSubstr("* 1 EXPUNGE\r\n"),
                              HasSubstr("t OK Replace completed.")));
    EXPECT_THAT(c("STATUS Drafts (MESSAGES UNSEEN)"), HasSubstr("MESSAGES 1 UNSEEN 0"));
    EXPECT_THAT(c("UID REPLACE 2 INBOX {5+}\r\nC: d\n"),
                AllOf(HasSubstr("* 1 EXPUNGE\r\n* 1 EXISTS\r\n"), HasSubstr("t OK")));
    EXPECT_THAT(c("FETCH 1 (UID BODY.PEEK[])"), HasSubstr("UID 3 BODY[] {6}\r\nC: d\r\n)"));
    EXPECT_THAT(c("UID REPLACE 99 INBOX {3+}\r\nE:f"), HasSubstr("t NO [NONEXISTENT]"));
    EXPECT_THAT(c("REPLACE 99 INBOX {3+}\r\nE:f"), HasSubstr("t BAD"));
    EXPECT_THAT(c("REPLACE 1 nowhere {3+}\r\nE:f"), HasSubstr("t NO [TRYCREATE]"));
    EXPECT_THAT(c("REPLACE 1 INBOX {3+}\r\nE:f {3+}\r\nE:f"), HasSubstr("t BAD"));
    EXPECT_THAT(c("FETCH 1 UID"), HasSubstr("UID 3")) << "nothing of it happened";
    c.append("INBOX", kPlain);
    EXPECT_THAT(c("REPLACE 1:2 INBOX {3+}\r\nE:f"), HasSubstr("t BAD REPLACE takes one message"));
    c("EXAMINE INBOX");
    EXPECT_THAT(c("REPLACE 1 INBOX {3+}\r\nE:f"), HasSubstr("t NO [READ-ONLY]"));
    c.send("w REPLACE 1 INBOX {3}\r\n");
    EXPECT_THAT(c.line(), StartsWith("w NO [READ-ONLY]"));
}

TEST_F(SessionTest, ManyMessagesInOneAppend) {
    Client c(maildir);
    std::string command = "APPEND INBOX";
    for (int i = 0; i < 150; ++i) command += " {3+}\r\nA:b";
    EXPECT_THAT(c(command), HasSubstr(" 1:150] "));
    EXPECT_THAT(c("STATUS INBOX (MESSAGES)"), HasSubstr("MESSAGES 150"));
}

const std::string kBinary =
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    "Content-Transfer-Encoding: binary\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\n"
    "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    "a\nb\r\n" +
    std::string("\0\xff", 2) + "\r\n--b--\r\n";

TEST(BinaryAppend, EncodesWhatIsBinary) {
    const std::string text = imap::without_binary(kBinary);
    EXPECT_EQ(text.find('\0'), std::string::npos);
    EXPECT_THAT(text, HasSubstr("boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\n"));
    EXPECT_THAT(text,
                HasSubstr("Content-Transfer-Encoding: base64\r\n\r\nYQpiDQoA/w==\r\n--b--\r\n"));
    EXPECT_THAT(text, HasSubstr("text/plain\r\n\r\nhello\r\n--b"));
    EXPECT_EQ(imap::without_binary(kMime), kMime);
    EXPECT_EQ(imap::without_binary(kPlain), kPlain);
    EXPECT_EQ(imap::without_binary(""), "");
    const std::string lines =
        imap::without_binary("Content-Transfer-Encoding: binary\r\n\r\n" + std::string(100, '\0'));
    EXPECT_THAT(lines, HasSubstr(std::string(76, 'A') + "\r\n" + std::string(58, 'A') + "=="));
}

TEST_F(SessionTest, BinaryGoesInAndComesOut) {
    Client c(maildir);
    c("SELECT INBOX");
    EXPECT_THAT(c("APPEND INBOX ~{" + std::to_string(kBinary.size()) + "+}\r\n" + kBinary),
                HasSubstr("[APPENDUID "));
    EXPECT_THAT(
        c("FETCH 1 (BINARY.SIZE[2] BINARY.PEEK[2])"),
        HasSubstr("(BINARY.SIZE[2] 7 BINARY[2] ~{7}\r\na\nb\r\n" + std::string("\0\xff", 2) + ")"));
    EXPECT_THAT(c("FETCH 1 BINARY.PEEK[2]<1.3>"), HasSubstr("BINARY[2]<1> {3}\r\n\nb\r)"));
    EXPECT_THAT(c("FETCH 1 BINARY.PEEK[9]"), HasSubstr("BINARY[9] NIL"));
    EXPECT_THAT(c("FETCH 1 FLAGS"), Not(HasSubstr("Seen")));
    EXPECT_THAT(c("FETCH 1 BINARY[1]"), HasSubstr("BINARY[1] {5}\r\nhello FLAGS (\\Seen"));
    c.append("INBOX", "Content-Transfer-Encoding: x-rot13\r\n\r\nuryyb\r\n");
    EXPECT_THAT(c("FETCH 2 BINARY[1]"), HasSubstr("t NO [UNKNOWN-CTE]"));
    EXPECT_THAT(c("FETCH 2 FLAGS"), Not(HasSubstr("Seen")));
    EXPECT_THAT(c("APPEND INBOX ~{3+}\r\n" + std::string("a\0b", 3)),
                HasSubstr("t NO [UNKNOWN-CTE]"));
    for (const char* bad :
         {"BINARY", "BINARY[TEXT]", "BINARY.SIZE[1]<0.1>", "BINARY[1", "BINARY.PEEK"})
        EXPECT_THAT(c(std::string("FETCH 1 ") + bad), StartsWith("t BAD")) << bad;
}

}  // namespace
}  // namespace postern::imapd
