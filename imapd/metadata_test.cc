// METADATA (RFC 5464): its examples as far as one user has them.
#include "imapd/test_client.h"
#include "lib/imap/command.h"

namespace postern::imapd {
namespace {

TEST_F(SessionTest, MetadataIsSetAndGot) {
    Client c(maildir);
    // RFC 5464 4.3, 4.2
    EXPECT_THAT(
        c("SETMETADATA INBOX (/private/comment {33+}\r\nMy new comment across\r\ntwo lines.)"),
        StartsWith("t OK"));
    EXPECT_THAT(c("SETMETADATA INBOX (/shared/comment \"Its sole use is to write comments\" "
                  "/private/vendor/x/y 2)"),
                StartsWith("t BAD"))
        << "no string";
    EXPECT_THAT(c("SETMETADATA INBOX (/shared/comment \"shared\" /PRIVATE/vendor/x/y \"2\")"),
                StartsWith("t OK"));
    EXPECT_THAT(
        c("GETMETADATA \"INBOX\" /private/comment"),
        StartsWith(
            "* METADATA INBOX (/private/comment {33}\r\nMy new comment across\r\ntwo lines.)"));
    EXPECT_THAT(c("GETMETADATA INBOX (/shared/comment /private/none)"),
                StartsWith("* METADATA INBOX (/shared/comment \"shared\")\r\nt OK"));
    EXPECT_EQ(c("GETMETADATA INBOX /private/none"), "t OK Getmetadata completed.\r\n");
    EXPECT_THAT(c("GETMETADATA (DEPTH 1) INBOX (/private/vendor)"), StartsWith("t OK"));
    EXPECT_THAT(c("GETMETADATA (DEPTH 1) INBOX (/private/vendor/x)"),
                StartsWith("* METADATA INBOX (/private/vendor/x/y \"2\")"));
    EXPECT_THAT(
        c("GETMETADATA (MAXSIZE 10 DEPTH infinity) INBOX (/private/comment /private/vendor)"),
        StartsWith("* METADATA INBOX (/private/vendor/x/y \"2\")\r\n"
                   "t OK [METADATA LONGENTRIES 33]"));
    c("SETMETADATA INBOX (/private/comment NIL)");
    EXPECT_EQ(c("GETMETADATA INBOX /private/comment"), "t OK Getmetadata completed.\r\n");
}

TEST_F(SessionTest, MetadataOfServerAndFolders) {
    Client c(maildir);
    c("SETMETADATA \"\" (/shared/admin \"mailto:a@b\")");
    EXPECT_THAT(c("GETMETADATA \"\" /shared/admin"),
                StartsWith("* METADATA \"\" (/shared/admin \"mailto:a@b\")"));
    EXPECT_THAT(c("GETMETADATA nowhere /shared/admin"), StartsWith("t NO [NONEXISTENT]"));
    EXPECT_THAT(c("SETMETADATA nowhere (/shared/admin \"x\")"), StartsWith("t NO [NONEXISTENT]"));
    c("CREATE a");
    EXPECT_THAT(c("SETMETADATA a (/private/bin ~{3+}\r\n" + std::string("a\0b", 3) + ")"),
                StartsWith("t OK"));
    c("RENAME a b");
    EXPECT_THAT(c("GETMETADATA b /private/bin"),
                StartsWith("* METADATA b (/private/bin ~{3}\r\n" + std::string("a\0b", 3) + ")"));
    c("DELETE b");
    c("CREATE b");
    EXPECT_THAT(c("GETMETADATA b /private/bin"), StartsWith("t OK"));
}

TEST_F(SessionTest, MetadataHasLimits) {
    Client c(maildir);
    for (const char* bad :
         {"GETMETADATA INBOX", "GETMETADATA INBOX comment", "GETMETADATA INBOX /private/",
          "GETMETADATA INBOX /private//x", "GETMETADATA INBOX \"/private/*\"",
          "GETMETADATA INBOX ()", "GETMETADATA (DEPTH 2) INBOX /private/x",
          "GETMETADATA (FOO 2) INBOX /private/x", "SETMETADATA INBOX (/private/x)",
          "SETMETADATA INBOX ()", "SETMETADATA INBOX /private/x \"y\""})
        EXPECT_THAT(c(bad), StartsWith("t BAD")) << bad;
    for (int part = 0; part < 3; ++part) {
        std::string many = "/private/p" + std::to_string(part) + " \"x\"";
        for (int i = 0; i < 80; ++i)
            many += " /private/n" + std::to_string(part * 100 + i) + " \"x\"";
        EXPECT_THAT(c("SETMETADATA INBOX (" + many + ")"),
                    StartsWith(part < 2 ? "t OK" : "t NO [METADATA TOOMANY]"));
    }
    EXPECT_THAT(c("GETMETADATA INBOX /private/p2"), StartsWith("t OK")) << "all or none";
}

}  // namespace
}  // namespace postern::imapd
