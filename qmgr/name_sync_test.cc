#include "qmgr/name_sync.h"

#include <gtest/gtest.h>

#include <vector>

#include "lib/log/log.h"
#include "tests/support/rooted_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::qmgr {
namespace {

class WatchedFs final : public support::RootedFs {
  public:
    using RootedFs::RootedFs;
    Result<void> sync_directory(const std::string& path) override {
        synced.push_back(path);
        if (broken) return Error{Errc::temporary, cat({"sync ", path, ": Input/output error"})};
        return RootedFs::sync_directory(path);
    }
    std::vector<std::string> synced;
    bool broken = false;
};

TEST(NameSync, OneSyncForAllThatChangesWithinASecond) {
    const support::TempFolder folder;
    WatchedFs fs(folder.path());
    ASSERT_TRUE(fs.make_directory("incoming", 0700));
    ASSERT_TRUE(fs.make_directory("deferred", 0700));
    loop::Loop loop;
    loop::FileSync files(loop, fs);
    NameSync names(loop, files, [&] { loop.stop(); });
    for (int i = 0; i < 10; ++i) names.changed("deferred");
    names.changed("incoming");
    EXPECT_TRUE(fs.synced.empty()) << "not at once";
    loop.run_for(Seconds{10});
    EXPECT_EQ(fs.synced, std::vector<std::string>{"incoming"});
    names.changed("deferred");
    loop.run_for(Seconds{10});
    EXPECT_EQ(fs.synced, (std::vector<std::string>{"incoming", "deferred"}));
}

TEST(NameSync, AFailureIsLoggedOnceAndTheNextChangeTriesAgain) {
    log::open_capture();
    const support::TempFolder folder;
    WatchedFs fs(folder.path());
    ASSERT_TRUE(fs.make_directory("incoming", 0700));
    loop::Loop loop;
    loop::FileSync files(loop, fs);
    NameSync names(loop, files, [&] { loop.stop(); });
    fs.broken = true;
    names.changed("incoming");
    loop.run_for(Seconds{10});
    EXPECT_NE(log::take_captured().find("sync incoming: Input/output error: mail that is done"),
              std::string::npos);
    names.changed("incoming");
    loop.run_for(Seconds{10});
    EXPECT_EQ(fs.synced.size(), 2U);
    EXPECT_EQ(log::take_captured(), "");
}

}  // namespace
}  // namespace postern::qmgr
