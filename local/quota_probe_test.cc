#include "local/quota_probe.h"

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace postern::local {
namespace {

using testing::HasSubstr;

class QuotaProbe : public testing::Test {
  protected:
    QuotaProbe() {
        for (const char* part : {"/Maildir/cur", "/Maildir/new", "/Maildir/tmp"})
            std::filesystem::create_directories(home_.path() + part);
        target_.mailbox = home_.path() + "/Maildir/";
        target_.address = "bob@example.test";
        target_.user = "bob";
        target_.home = home_.path();
        target_.quota_rule = "*:bytes=1000:messages=2";
        options_.runner.forward_path = "$home/.forward";
        options_.runner.forward_filter =
            "1234567890-_./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    }
    void put(const std::string& name, std::size_t size) {
        std::ofstream(home_.path() + "/Maildir/new/" + name) << std::string(size, 'x');
    }
    ipc::QuotaAnswer probe(std::uint64_t size = 0) {
        return probe_quota(sys::RealFs::instance(), target_, options_, size);
    }

    support::TempFolder home_;
    Target target_;
    Options options_;
};

TEST_F(QuotaProbe, SaysWhenTheMessageDoesNotFit) {
    EXPECT_EQ(probe().outcome, ipc::Outcome::accept);
    EXPECT_EQ(probe(1000).outcome, ipc::Outcome::accept);
    EXPECT_EQ(probe(1001).outcome, ipc::Outcome::reject);
    put("1.a", 1000);
    std::filesystem::remove(home_.path() + "/Maildir/maildirsize");
    EXPECT_EQ(probe().outcome, ipc::Outcome::reject);
    EXPECT_THAT(probe().text, HasSubstr("mailbox is full"));
    options_.quota_defers = true;
    EXPECT_EQ(probe().outcome, ipc::Outcome::defer);
}

TEST_F(QuotaProbe, CountsMessages) {
    put("1.a", 1);
    EXPECT_EQ(probe().outcome, ipc::Outcome::accept);
    put("2.a", 1);
    std::filesystem::remove(home_.path() + "/Maildir/maildirsize");
    EXPECT_THAT(probe().text, HasSubstr("too many messages"));
}

TEST_F(QuotaProbe, LeavesItToTheDeliveryWhereItCannotTell) {
    put("1.a", 5000);
    EXPECT_EQ(probe().outcome, ipc::Outcome::reject);
    std::ofstream(home_.path() + "/.forward") << "else@where.test\n";
    EXPECT_EQ(probe().outcome, ipc::Outcome::accept) << "the mail goes elsewhere";
    std::filesystem::remove(home_.path() + "/.forward");
    target_.quota_rule = "nonsense";
    EXPECT_EQ(probe().outcome, ipc::Outcome::accept);
    target_.quota_rule = "*:ignore";
    EXPECT_EQ(probe().outcome, ipc::Outcome::accept);
    target_.quota_rule = "*:bytes=1000";
    target_.mailbox = home_.path() + "/missing/";
    EXPECT_EQ(probe().outcome, ipc::Outcome::accept);
}

TEST_F(QuotaProbe, WhatCanBeFullAtAll) {
    EXPECT_TRUE(has_quota(target_));
    for (const auto change : {0, 1, 2, 3}) {
        Target other = target_;
        if (change == 0) other.mailbox = "/var/mail/bob";
        if (change == 1) other.command = "procmail";
        if (change == 2) other.transport = "lmtp:x";
        if (change == 3) other.quota_rule.clear();
        EXPECT_FALSE(has_quota(other)) << change;
    }
}

}  // namespace
}  // namespace postern::local
