// QUOTA (RFC 9208): what a client sees of it, and what is refused.
#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

class QuotaSessionTest : public SessionTest {
  protected:
    static std::string text(std::size_t size) {
        return "Subject: x\r\n\r\n" + std::string(size - 16, 'x') + "\r\n";
    }
};

TEST_F(QuotaSessionTest, RootAndUsage) {
    Client c(maildir, {}, {}, {10'240, 100});
    EXPECT_THAT(c.greeting(), HasSubstr(" QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE"));
    EXPECT_EQ(c("GETQUOTAROOT INBOX"),
              "* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" (STORAGE 0 10 MESSAGE 0 100)\r\n"
              "t OK Getquotaroot completed.\r\n");
    EXPECT_THAT(c.append("INBOX", text(1500)), StartsWith("t OK"));
    EXPECT_EQ(c("GETQUOTA \"\""),
              "* QUOTA \"\" (STORAGE 2 10 MESSAGE 1 100)\r\nt OK Getquota completed.\r\n");
    EXPECT_THAT(c("GETQUOTA other"), StartsWith("t NO [NONEXISTENT]"));
    EXPECT_THAT(c("SETQUOTA \"\" (STORAGE 512)"), StartsWith("t NO [NOPERM]"));
    EXPECT_THAT(c("GETQUOTAROOT \"not there\""), StartsWith("* QUOTAROOT \"not there\" \"\""));
    EXPECT_THAT(c("GETQUOTAROOT a..b"), StartsWith("t NO"));
    EXPECT_THAT(c("GETQUOTAROOT"), StartsWith("t BAD"));
    EXPECT_THAT(c("GETQUOTA"), StartsWith("t BAD"));
}

TEST_F(QuotaSessionTest, WithoutLimitsThereIsNoRoot) {
    Client c(maildir);
    EXPECT_EQ(c("GETQUOTAROOT INBOX"), "* QUOTAROOT INBOX\r\nt OK Getquotaroot completed.\r\n");
    EXPECT_THAT(c("GETQUOTA \"\""), StartsWith("t NO [NONEXISTENT]"));
}

TEST_F(QuotaSessionTest, WhatDoesNotFitIsRefused) {
    Client c(maildir, {}, {}, {3000, 0});
    c("CREATE Trash");
    EXPECT_THAT(c.append("INBOX", text(1000)), StartsWith("t OK"));
    EXPECT_THAT(c.append("INBOX", text(2500)), StartsWith("t NO [OVERQUOTA]"));
    EXPECT_THAT(c.append("INBOX", text(1000)), StartsWith("t OK"));
    EXPECT_THAT(c("SELECT INBOX"), HasSubstr("* 2 EXISTS"));
    EXPECT_THAT(c("COPY 1:2 Trash"), HasSubstr("t NO [OVERQUOTA]"));
    EXPECT_THAT(c("STATUS Trash (MESSAGES)"), HasSubstr("(MESSAGES 0)")) << "all or none";
    EXPECT_THAT(c("COPY 1 Trash"), HasSubstr("t OK"));
    EXPECT_THAT(c("MOVE 1:2 Trash"), HasSubstr("t OK")) << "takes no room";
    EXPECT_THAT(c("GETQUOTA \"\""), HasSubstr("(STORAGE 3 2)"));
    c("SELECT Trash");
    c("STORE 1:* +FLAGS (\\Deleted)");
    EXPECT_THAT(c("STATUS Trash (DELETED DELETED-STORAGE)"),
                HasSubstr("(DELETED 3 DELETED-STORAGE 3000)"));
    EXPECT_THAT(c("EXPUNGE"), HasSubstr("t OK"));
    EXPECT_THAT(c("GETQUOTA \"\""), HasSubstr("(STORAGE 0 2)"));
    EXPECT_THAT(c.append("INBOX", text(2500)), StartsWith("t OK"));
}

TEST_F(QuotaSessionTest, MessagesCountAndAFolderThatGoesGivesRoom) {
    Client c(maildir, {}, {}, {0, 2});
    c("CREATE Work");
    c.append("Work", text(100));
    c.append("Work", text(100));
    EXPECT_THAT(c.append("INBOX", text(100)), StartsWith("t NO [OVERQUOTA]"));
    EXPECT_THAT(c("GETQUOTA \"\""), HasSubstr("(MESSAGE 2 2)"));
    EXPECT_THAT(c("DELETE Work"), HasSubstr("t OK"));
    EXPECT_THAT(c.append("INBOX", text(100)), StartsWith("t OK"));
}

}  // namespace
}  // namespace postern::imapd
