#include "lib/mailbox/quota.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>

#include "lib/log/log.h"
#include "lib/mailbox/test_folder.h"
#include "tests/support/rooted_fs.h"

namespace postern::mailbox {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string rule(const std::string& text) {
    const auto limits = parse_quota_rule(text);
    if (!limits) return "invalid";
    return std::to_string(limits->storage) + "," + std::to_string(limits->messages);
}

TEST(QuotaRule, IsDovecots) {
    EXPECT_EQ(rule(""), "0,0");
    EXPECT_EQ(rule("*:storage=1G"), "1073741824,0");
    EXPECT_EQ(rule("*:storage=10:messages=5"), "10240,5") << "kilobytes";
    EXPECT_EQ(rule("*:storage=3MB"), "3145728,0");
    EXPECT_EQ(rule("storage=2k"), "2048,0");
    EXPECT_EQ(rule("*:bytes=100"), "100,0");
    EXPECT_EQ(rule("*:bytes=100B:messages=1"), "100,1");
    EXPECT_EQ(rule("*:messages=7"), "0,7");
    EXPECT_EQ(rule("*:ignore"), "0,0");
    EXPECT_EQ(rule("*:storage=0"), "0,0");
    for (const char* bad : {"storage", "*:storage=", "*:storage=x", "*:storage=1X", "*:size=1",
                            "Trash:storage=+10%", "*:storage=-1", "*:storage=99999999999999999999",
                            "*:storage=9999999999T", "*:messages=1 2"})
        EXPECT_EQ(rule(bad), "invalid") << bad;
}

class QuotaTest : public testing::Test {
  protected:
    QuotaTest() { maildir.store(); }
    Quota quota(std::uint64_t storage, std::uint64_t messages = 0) {
        return Quota(sys::RealFs::instance(), SystemClock::instance(), maildir.root(),
                     {storage, messages});
    }
    std::string file() { return maildir.text("maildirsize"); }

    TestMaildir maildir;
};

TEST_F(QuotaTest, CountsAllFoldersOnce) {
    ASSERT_TRUE(maildir.store().create("Trash"));
    maildir.put("new/1.a", "12345");
    maildir.put("cur/2.b,S=1000:2,S", "by its name");
    maildir.put(".Trash/cur/3.c:2,ST", "1234567");
    maildir.put("cur/.hidden", "no message");
    const Quota q = quota(5000, 10);
    EXPECT_EQ(q.usage().value(), (QuotaUsage{1012, 3}));
    EXPECT_EQ(file(), "5000S,10C\n1012 3\n");
    maildir.put("new/4.d", "1");
    EXPECT_EQ(q.usage()->messages, 3) << "who puts it there says so";
    q.add(1, 1);
    EXPECT_EQ(file(), "5000S,10C\n1012 3\n1 1\n");
    q.add(-1000, -1);
    EXPECT_EQ(q.usage().value(), (QuotaUsage{13, 3}));
    EXPECT_EQ(quota(6000, 10).usage()->messages, 4) << "another rule counts";
    EXPECT_EQ(file(), "6000S,10C\n1013 4\n");
}

TEST_F(QuotaTest, SaysNoAfterCountingOnly) {
    const Quota q = quota(100);
    EXPECT_TRUE(q.check(100, 1));
    const auto refused = q.check(101, 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::no_space);
    EXPECT_EQ(refused.error().sys, EDQUOT);
    EXPECT_EQ(refused.error().what, "Quota exceeded (mailbox is full)");
    q.add(90, 1);
    EXPECT_TRUE(q.check(50, 1)) << "the sum was wrong: there is nothing in the folders";
    EXPECT_EQ(file(), "100S\n0 0\n");
    maildir.put("new/1.a", std::string(90, 'x'));
    ASSERT_TRUE(q.recount());
    EXPECT_FALSE(q.check(11, 1));
    EXPECT_TRUE(q.check(10, 1));
}

TEST_F(QuotaTest, AnOldNoIsLookedAtAgain) {
    maildir.put("new/1.a", std::string(90, 'x'));
    const Quota q = quota(100);
    EXPECT_FALSE(q.check(20, 1));
    maildir.remove("new/1.a");
    EXPECT_FALSE(q.check(20, 1)) << "it was counted a moment ago";
    const std::string path = maildir.root() + "/maildirsize";
    ASSERT_TRUE(sys::RealFs::instance().set_times(path, ::time(nullptr) - 3600));
    EXPECT_TRUE(q.check(20, 1));
}

TEST_F(QuotaTest, MessagesAreLimitedToo) {
    const Quota q = quota(0, 2);
    EXPECT_TRUE(q.check(1 << 30, 2));
    const auto refused = q.check(1, 3);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().what, HasSubstr("too many messages"));
    EXPECT_EQ(file(), "2C\n0 0\n");
}

TEST_F(QuotaTest, NonsenseIsCountedAnew) {
    maildir.put("new/1.a", "12345");
    const Quota q = quota(1000);
    const std::string good = "1000S\n5 1\n";
    for (const std::string& bad :
         {std::string("1000S\n"), std::string("1000S\n5"), std::string("1000S\nx y\n"),
          std::string("1000S\n-5 1\n"), std::string("1000S\n5 1 1\n"), std::string("9S\n5 1\n"),
          std::string(), std::string("1000S\n9223372036854775807 1\n9223372036854775807 1\n"),
          "1000S\n" + std::string(6000, '1') + "\n", std::string("\0\0\n", 3)}) {
        maildir.put("maildirsize", bad);
        EXPECT_EQ(q.usage().value(), (QuotaUsage{5, 1})) << bad.substr(0, 40);
        EXPECT_EQ(file(), good) << bad.substr(0, 40);
    }
}

TEST_F(QuotaTest, LongFilesAreCondensed) {
    const Quota q = quota(1 << 20);
    ASSERT_TRUE(q.usage());
    for (int i = 0; i < 2000; ++i) q.add(1, 0);
    EXPECT_EQ(q.usage().value(), QuotaUsage{}) << "and counted";
    EXPECT_EQ(file(), "1048576S\n0 0\n");
}

TEST_F(QuotaTest, WithoutLimitsThereIsNoFile) {
    const Quota q = quota(0);
    maildir.put("new/1.a", "12345");
    EXPECT_TRUE(q.check(UINT64_MAX, UINT64_MAX));
    q.add(5, 1);
    EXPECT_EQ(q.usage().value(), (QuotaUsage{5, 1}));
    q.forget();
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/maildirsize"));
}

TEST_F(QuotaTest, TheFileStaysTheSameFile) {
    const Quota q = quota(1000, 5);
    ASSERT_TRUE(q.usage());
    const auto inode = [&] {
        return sys::RealFs::instance().info(maildir.root() + "/maildirsize")->inode;
    };
    const auto before = inode();
    maildir.put("new/1.a", "12345");
    ASSERT_TRUE(q.recount());
    EXPECT_EQ(file(), "1000S,5C\n5 1\n");
    q.forget();
    EXPECT_EQ(file(), "1000S,5C\nuncounted\n");
    q.add(7, 1);
    EXPECT_EQ(q.usage().value(), (QuotaUsage{5, 1}));
    quota(2000).forget();
    EXPECT_EQ(file(), "") << "another rule's";
    EXPECT_EQ(q.usage().value(), (QuotaUsage{5, 1}));
    EXPECT_EQ(inode(), before) << "a sandbox may have been opened for it";
}

TEST_F(QuotaTest, MaildirsizesFirstLine) {
    EXPECT_EQ(parse_maildirsize_head("1000S,5C"), (QuotaLimits{1000, 5}));
    EXPECT_EQ(parse_maildirsize_head("5C"), (QuotaLimits{0, 5}));
    for (const char* bad : {"", "S", "5", "5X", "5S,", ",5S", "-5S", "5S 3C", "5s",
                            "99999999999999999999S", "9223372036854775808C"})
        EXPECT_FALSE(parse_maildirsize_head(bad)) << bad;
}

TEST_F(QuotaTest, ATreeHasTheLimitsOfItsFile) {
    const Quota q =
        Quota::of_tree(sys::RealFs::instance(), SystemClock::instance(), maildir.root());
    maildir.put("new/1.a", "12345");
    EXPECT_FALSE(q.limits().any());
    EXPECT_TRUE(q.check(1 << 20, 1));
    q.add(5, 1);
    q.forget();
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/maildirsize"));
    maildir.put("maildirsize", "2C,1000S\n");
    EXPECT_EQ(q.limits(), (QuotaLimits{1000, 2}));
    EXPECT_TRUE(q.check(10, 1));
    EXPECT_EQ(file(), "2C,1000S\n5 1\n") << "the line is the administrator's";
    EXPECT_EQ(q.check(10, 2).error().sys, EDQUOT);
    q.add(10, 1);
    q.forget();
    EXPECT_EQ(file(), "2C,1000S\nuncounted\n");
    EXPECT_EQ(q.usage().value(), (QuotaUsage{5, 1}));
    maildir.put("maildirsize", "9C\n1 1\n");
    EXPECT_TRUE(q.check(10, 8)) << "another rule is followed at once";
    maildir.remove("maildirsize");
    ASSERT_EQ(::mkfifo((maildir.root() + "/maildirsize").c_str(), 0600), 0);
    EXPECT_FALSE(q.limits().any()) << "and nobody waits for a pipe";
}

// The administrator edits the line while the folders are counted.
TEST_F(QuotaTest, ATreesNewLimitsAreNotUndone) {
    struct Editing final : support::RootedFs {
        using RootedFs::RootedFs;
        Result<std::vector<sys::DirEntry>> list(const std::string& path) override {
            std::ofstream(root() + "/maildirsize") << "1000C\n";
            return RootedFs::list(path);
        }
    };
    Editing fs(maildir.root());
    const Quota q = Quota::of_tree(fs, SystemClock::instance(), maildir.root());
    maildir.put("new/1.a", "12345");
    maildir.put("maildirsize", "1C\n");
    EXPECT_EQ(q.check(1, 1).error().sys, EDQUOT) << "by the rule that was there when it began";
    EXPECT_EQ(file(), "1000C\n");
    EXPECT_TRUE(q.check(1, 1));
    maildir.put("maildirsize", "5C\n1 1\n");
    EXPECT_TRUE(q.recount());
    EXPECT_EQ(file(), "1000C\n");
}

TEST_F(QuotaTest, AFolderByPathThatHasADotAndIsNoneOfItsParents) {
    maildir.put("maildirsize", "1000S\n5 1\n");
    std::filesystem::create_directories(maildir.root() + "/home/.maildir/cur");
    maildir.put("home/.maildir/maildirsize", "1000S\n1 1\n");
    count_by_path(sys::RealFs::instance(), SystemClock::instance(),
                  maildir.root() + "/home/.maildir/", 7);
    EXPECT_EQ(maildir.text("home/.maildir/maildirsize"), "1000S\n1 1\n7 1\n");
}

TEST_F(QuotaTest, ADeliveryByPathCounts) {
    const auto count = [&](const char* folder) {
        count_by_path(sys::RealFs::instance(), SystemClock::instance(), maildir.root() + folder, 7);
    };
    count("/.News/");
    EXPECT_FALSE(std::filesystem::exists(maildir.root() + "/maildirsize"));
    maildir.put("maildirsize", "1000S\n5 1\n");
    count("/.News/");
    count("/.News");
    count("/");
    EXPECT_EQ(file(), "1000S\n5 1\n7 1\n7 1\n7 1\n");
}

// What tests run as root may do, the file system does not refuse: an Fs does.
class Forbidding final : public support::RootedFs {
  public:
    Forbidding() : RootedFs("/") {}
    Result<Fd> open(const std::string& path, int flags, mode_t mode) override {
        const bool writes = (flags & O_ACCMODE) != O_RDONLY;
        if ((writes && no_writing) || no_reading) return denied(path);
        return RootedFs::open(path, flags, mode);
    }
    Result<std::vector<sys::DirEntry>> list(const std::string& path) override {
        if (no_listing) return denied(path);
        return RootedFs::list(path);
    }
    Result<sys::FileInfo> info(const std::string& path) override {
        auto out = RootedFs::info(path);
        if (out && is_anothers) ++out->uid;
        return out;
    }
    using RootedFs::info;
    bool no_writing = false, no_listing = false, no_reading = false, is_anothers = false;

  private:
    static Error denied(const std::string& path) {
        return {Errc::denied, path + ": denied", EACCES};
    }
};

TEST_F(QuotaTest, WhatIsAnothersMayBeOutOfReach) {
    Forbidding fs;
    const Quota his = Quota::of_other(fs, SystemClock::instance(), maildir.root(), {100, 0});
    const Quota own(fs, SystemClock::instance(), maildir.root(), {100, 0});
    maildir.put("new/1.a", std::string(90, 'x'));
    // A full mailbox is full, though the sum cannot be kept.
    fs.no_writing = true;
    EXPECT_EQ(his.check(20, 1).error().sys, EDQUOT);
    EXPECT_EQ(his.usage().value(), (QuotaUsage{90, 1}));
    EXPECT_EQ(own.usage().error().code, Errc::denied);
    EXPECT_TRUE(his.take_turn(5, 1)) << "and nobody waits for a lock";
    EXPECT_EQ(own.take_turn().error().code, Errc::denied);
    fs.no_writing = false;
    ASSERT_TRUE(own.usage());
    fs.no_writing = true;
    log::open_capture();
    his.add(5, 1);
    EXPECT_THAT(log::take_captured(),
                HasSubstr("maildirsize: denied: what came or went is not in"));
    EXPECT_EQ(file(), "100S\n90 1\n");
    // Where nothing can be counted, the file is gone by, and without it there is no limit.
    fs.no_listing = true;
    EXPECT_EQ(his.check(20, 1).error().sys, EDQUOT);
    fs.no_reading = true;
    EXPECT_TRUE(his.check(20, 1));
    EXPECT_EQ(own.check(20, 1).error().code, Errc::denied);
}

// Files that his own sessions could not open would be in the way of all that he does.
TEST_F(QuotaTest, NothingIsLeftThatItsOwnerCannotUse) {
    Forbidding fs;
    fs.is_anothers = true;
    const Quota his = Quota::of_other(fs, SystemClock::instance(), maildir.root(), {100, 0});
    const auto is_there = [&](const char* name) {
        return std::filesystem::exists(maildir.root() + name);
    };
    make_quota_files(maildir.root(), fs);
    EXPECT_TRUE(his.take_turn(5, 1));
    EXPECT_EQ(his.check(101, 1).error().sys, EDQUOT);
    EXPECT_FALSE(is_there("/maildirsize") || is_there("/postern.quota-lock"));
    ASSERT_EQ(::chmod(maildir.root().c_str(), 02770), 0);
    make_quota_files(maildir.root(), fs);
    EXPECT_TRUE(is_there("/maildirsize") && is_there("/postern.quota-lock"));
    EXPECT_TRUE(his.take_turn(5, 1));
    EXPECT_EQ(file(), "100S\n0 0\n");
}

// What is a group's too, as the directory's set-group-id bit says, is so in this file.
TEST_F(QuotaTest, TheFilesOfAGroup) {
    const Quota q = quota(1000);
    const auto mode = [&](const char* name) {
        return sys::RealFs::instance().info(maildir.root() + name)->mode & 07777;
    };
    ASSERT_TRUE(q.usage());
    EXPECT_EQ(mode("/maildirsize"), 0600U);
    ASSERT_EQ(::chmod(maildir.root().c_str(), 02775), 0);
    ASSERT_TRUE(q.recount());
    { ASSERT_TRUE(q.take_turn()); }
    EXPECT_EQ(mode("/maildirsize"), 0660U);
    EXPECT_EQ(mode("/postern.quota-lock"), 0660U);
}

TEST_F(QuotaTest, WhereNothingIsYet) {
    const Quota q(sys::RealFs::instance(), SystemClock::instance(), maildir.root() + "/none",
                  {10, 0});
    EXPECT_EQ(q.usage().value(), QuotaUsage{});
    EXPECT_TRUE(q.check(10, 1));
    EXPECT_FALSE(q.check(11, 1));
    q.add(5, 1);
    q.forget();
}

TEST_F(QuotaTest, PercentIsOfTheNearerLimit) {
    EXPECT_EQ(quota(100, 10).percent({50, 8}), 80U);
    EXPECT_EQ(quota(100, 10).percent({95, 1}), 95U);
    EXPECT_EQ(quota(100, 10).percent({250, 1}), 250U);
    EXPECT_EQ(quota(0, 0).percent({250, 1}), 0U);
}

TEST(QuotaSum, NamesSayAnySize) {
    TestMaildir maildir;
    maildir.store();
    for (const char* name : {"1", "2", "3"})
        maildir.put(cat({"cur/", name, ".M1.host,S=9223372036854775807"}), "x");
    const Quota quota(sys::RealFs::instance(), SystemClock::instance(), maildir.root(), {1000, 0});
    EXPECT_EQ(quota.recount()->storage, std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(quota.check(1, 1).error().code, Errc::no_space);
}

}  // namespace
}  // namespace postern::mailbox
