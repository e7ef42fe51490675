// SiteLogs: what is noted comes back once; names from strangers stay names; failures lose nothing.
#include "qmgr/site_logs.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "lib/log/log.h"

#include "tests/support/faulty_fs.h"
#include "tests/support/rooted_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::qmgr {
namespace {

class SiteLogsTest : public testing::Test {
  protected:
    SiteLogsTest() {
        log::open_capture();
        std::filesystem::create_directory(folder_ / "flush");
    }
    static QueueId qid(int number) {
        return *QueueId::parse("4BCDF" + std::to_string(number) + "k");
    }
    static std::vector<std::string> names(const Result<std::vector<QueueId>>& ids) {
        EXPECT_TRUE(ids);
        std::vector<std::string> out;
        for (const QueueId& id : *ids) out.push_back(id.str());
        return out;
    }
    std::vector<std::string> files() {
        std::vector<std::string> out;
        for (const auto& one : std::filesystem::directory_iterator(folder_ / "flush"))
            out.push_back(one.path().filename());
        std::sort(out.begin(), out.end());
        return out;
    }

    support::TempFolder folder_;
    support::RootedFs fs_{folder_.path()};
    WallTime now_{Seconds{1'800'000'000}};
    const Seconds hour_{3600};
};
using Names = std::vector<std::string>;

TEST_F(SiteLogsTest, GivesBackWhatItWasToldOnce) {
    SiteLogs logs(fs_, hour_);
    logs.note("u@site.test", qid(10), now_);
    EXPECT_EQ(files(), Names{}) << "not served";
    logs.serve("u@Site.TEST");
    for (const int number : {10, 10, 11, 10, 12}) logs.note("x@SITE.test", qid(number), now_);
    logs.note("u@sub.site.test", qid(13), now_);
    EXPECT_EQ(files(), Names{"site.test"});
    std::stringstream text;
    text << std::ifstream(folder_ / "flush/site.test").rdbuf();
    EXPECT_EQ(text.str(), "begun 1800000000\n4BCDF10k\n4BCDF11k\n4BCDF10k\n4BCDF12k\n");
    EXPECT_EQ(names(logs.take("other.test")), Names{});
    EXPECT_EQ(names(logs.take("sITE.test")), (Names{"4BCDF10k", "4BCDF11k", "4BCDF12k"}));
    EXPECT_EQ(names(logs.take("site.test")), Names{});
    EXPECT_EQ(files(), Names{});
    logs.note("x@site.test", qid(12), now_);
    EXPECT_EQ(names(logs.take("site.test")), Names{"4BCDF12k"}) << "noted afresh";
}

// Another process, later: it goes on with what is there.
TEST_F(SiteLogsTest, OutliveTheirProcess) {
    for (const int number : {10, 11}) {
        SiteLogs logs(fs_, hour_);
        logs.serve("u@site.test");
        logs.note("u@site.test", qid(number), now_ + Seconds{number});
    }
    SiteLogs logs(fs_, hour_);
    EXPECT_TRUE(logs.take_old(now_ + Seconds{10 + 3599}).empty());
    const auto old = logs.take_old(now_ + Seconds{10 + 3600});
    EXPECT_EQ(names(old), (Names{"4BCDF10k", "4BCDF11k"}));
    EXPECT_EQ(files(), Names{});
}

TEST_F(SiteLogsTest, StrangersNameFilesInTheirFolderOnly) {
    SiteLogs logs(fs_, hour_);
    std::ofstream(folder_ / "outside") << qid(10).str() << "\n";
    for (const char* site : {"../outside", "..", "", "/etc/passwd", "a/b", "[192.0.2.1]"}) {
        EXPECT_EQ(names(logs.take(site)), Names{}) << site;
        logs.serve(std::string("u@") + site);
        logs.note(std::string("u@") + site, qid(11), now_);
    }
    EXPECT_TRUE(std::filesystem::exists(folder_ / "outside"));
    EXPECT_EQ(files(), (Names{"_.", "_._outside", "_192.0.2.1_", "_etc_passwd", "a_b"}));
    EXPECT_EQ(names(logs.take(std::string(5000, 'x'))), Names{});
}

TEST_F(SiteLogsTest, WhatIsNoLogIsLeftAlone) {
    std::filesystem::create_directory(folder_ / "flush/folder");
    std::filesystem::create_symlink("../outside", folder_ / "flush/link.test");
    ASSERT_EQ(::mkfifo((folder_ / "flush/fifo.test").c_str(), 0600), 0);
    std::ofstream(folder_ / "outside") << qid(10).str() << "\n";
    std::ofstream(folder_ / "flush/odd.test") << "no id\n\n4BCDF10k\n4BCDF11k\n../x\n4BCD";
    SiteLogs logs(fs_, hour_);
    EXPECT_FALSE(logs.take("link.test"));
    EXPECT_FALSE(logs.take("fifo.test"));
    EXPECT_FALSE(logs.take("folder"));
    EXPECT_EQ(names(logs.take_old(now_)), (Names{"4BCDF10k", "4BCDF11k"})) << "no first line: old";
    logs.serve("u@link.test");
    logs.note("u@link.test", qid(12), now_);
    std::stringstream outside;
    outside << std::ifstream(folder_ / "outside").rdbuf();
    EXPECT_EQ(outside.str(), "4BCDF10k\n");
}

// Whatever fails: no message is told twice or made up, and at most the note is missing.
TEST_F(SiteLogsTest, FailuresCostNotesOnly) {
    for (int n = 1;; ++n) {
        support::FaultyFs faulty(folder_.path(), n);
        SiteLogs logs(faulty, hour_);
        logs.serve("u@site.test");
        logs.note("u@site.test", qid(10), now_);
        logs.note("u@site.test", qid(11), now_);
        auto taken = logs.take("site.test");
        const bool fired = faulty.fired();
        SiteLogs fresh(fs_, hour_);
        Names all = names(fresh.take("site.test"));
        if (taken) {
            const auto told = names(taken);
            all.insert(all.end(), told.begin(), told.end());
        }
        EXPECT_LE(all.size(), 2U);
        EXPECT_GE(all.size(), fired ? 1U : 2U) << n;
        if (!fired) break;
        ASSERT_LT(n, 30);
    }
}

TEST_F(SiteLogsTest, NoFolderIsNoError) {
    std::filesystem::remove_all(folder_ / "flush");
    SiteLogs logs(fs_, hour_);
    EXPECT_TRUE(logs.take_old(now_).empty());
    EXPECT_EQ(log::take_captured(), "");
    logs.serve("u@site.test");
    for (int number = 10; number < 20; ++number) logs.note("u@site.test", qid(number), now_);
    const std::string said = log::take_captured();
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

}  // namespace
}  // namespace postern::qmgr
