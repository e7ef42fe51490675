#include "lib/loop/file_sync.h"

#include <fcntl.h>

#include "lib/sys/file.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::loop {
namespace {

// Runs one job to its end.
SyncJob run(sys::Fs& fs, SyncJob job) {
    Loop loop;
    FileSync sync(loop, fs);
    std::optional<SyncJob> result;
    sync.submit(std::move(job), [&](SyncJob done) {
        result = std::move(done);
        loop.stop();
    });
    EXPECT_FALSE(result) << "not from inside submit";
    loop.run_for(Millis(10'000));
    EXPECT_TRUE(result);
    return result ? std::move(*result) : SyncJob{};
}

SyncJob new_files(std::initializer_list<std::string> names) {
    SyncJob job;
    for (const std::string& name : names) {
        job.files.emplace_back();
        job.files.back().path = name;
        job.files.back().bytes = "contents of " + name;
    }
    return job;
}

TEST(FileSync, WritesAndSyncsNewFiles) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    const SyncJob done = run(fs, new_files({"a", "b", "c"}));
    for (const SyncFile& file : done.files) {
        EXPECT_TRUE(file.outcome);
        EXPECT_EQ(fs.info(file.path).value().size, file.bytes.size());
    }
}

TEST(FileSync, SyncsADescriptorThatItIsGiven) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    SyncJob job;
    job.directory = ".";
    job.files.emplace_back();
    job.files.back().path = "x";
    job.files.back().fd = fs.open("x", O_RDWR | O_CREAT, 0600).value();
    const SyncJob done = run(fs, std::move(job));
    EXPECT_TRUE(done.files[0].outcome);
    EXPECT_TRUE(fs.info("x"));
}

// What reaches the disk, in order.
class Recording final : public support::RootedFs {
  public:
    using RootedFs::RootedFs;
    Result<void> sync(int fd) override {
        calls += "sync ";
        return RootedFs::sync(fd);
    }
    Result<void> sync_data(int fd) override {
        calls += "sync_data ";
        return RootedFs::sync_data(fd);
    }
    std::string calls;
};

SyncFile over_old_bytes(sys::Fs& fs, const std::string& path) {
    SyncFile file;
    file.path = path;
    file.bytes = "new bytes";
    file.fd = fs.open(path, O_RDWR | O_CREAT, 0600).value();
    EXPECT_TRUE(fs.write(file.fd.get(), "old bytes"));
    EXPECT_TRUE(sys::try_lock(file.fd.get(), sys::LockKind::exclusive).value());
    file.keep_open = true;
    return file;
}

TEST(FileSync, WritesOverAnOldFile) {
    const support::TempFolder folder;
    Recording fs(folder.path());
    SyncJob job;
    job.files.push_back(over_old_bytes(fs, "x"));
    const SyncJob done = run(fs, std::move(job));
    EXPECT_TRUE(done.files[0].outcome);
    EXPECT_EQ(fs.calls, "sync_data ") << "neither size nor place has changed";
    EXPECT_EQ(fs.read_at(done.files[0].fd.get(), 0, 100).value(), "new bytes");
    const Fd another = fs.open("x", O_RDWR, 0).value();
    EXPECT_TRUE(sys::try_lock(another.get(), sys::LockKind::exclusive).value()) << "still locked";
}

TEST(FileSync, SyncsOldAndNewFilesTogether) {
    const support::TempFolder folder;
    Recording fs(folder.path());
    SyncJob job = new_files({"a"});
    job.files.push_back(over_old_bytes(fs, "x"));
    const SyncJob done = run(fs, std::move(job));
    EXPECT_TRUE(done.files[0].outcome && done.files[1].outcome);
    EXPECT_EQ(fs.calls, "sync sync ");
    EXPECT_FALSE(done.files[0].fd);
    EXPECT_TRUE(done.files[1].fd);
}

TEST(FileSync, AnOldFileThatHasHalfOfTheNewBytesIsRemoved) {
    for (const int fail_at : {1, 2}) {  // the write, the sync
        const support::TempFolder folder;
        support::RootedFs plain(folder.path());
        SyncJob job;
        job.files.push_back(over_old_bytes(plain, "x"));
        support::FaultyFs fs(folder.path(), fail_at, EIO);
        const SyncJob done = run(fs, std::move(job));
        EXPECT_FALSE(done.files[0].outcome);
        EXPECT_FALSE(done.files[0].fd);
        EXPECT_FALSE(plain.info("x"));
    }
}

TEST(FileSync, NeverWritesOverAFile) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(fs.open("a", O_RDWR | O_CREAT, 0600));
    const SyncJob done = run(fs, new_files({"a", "b"}));
    EXPECT_FALSE(done.files[0].outcome);
    EXPECT_TRUE(done.files[1].outcome);
    EXPECT_EQ(fs.info("a").value().size, 0U) << "still there, still empty";
}

TEST(FileSync, LeavesNothingOfAFileThatFailed) {
    for (int n = 1; n < 100; ++n) {
        const support::TempFolder folder;
        support::FaultyFs fs(folder.path(), n);
        SyncJob job = new_files({"a", "b"});
        job.directory = ".";
        const SyncJob done = run(fs, std::move(job));
        for (const SyncFile& file : done.files)
            EXPECT_EQ(fs.info(file.path).has_value(), file.outcome.has_value() || !fs.fired())
                << n << file.path;
        if (!fs.fired()) return;
    }
    FAIL() << "the run never became clean";
}

TEST(FileSync, KeepsTheOrderOfJobs) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    Loop loop;
    FileSync sync(loop, fs);
    std::vector<int> order;
    for (int i = 0; i < 20; ++i)
        sync.submit(new_files({"f" + std::to_string(i)}), [&, i](SyncJob) {
            order.push_back(i);
            if (i == 19) loop.stop();
        });
    EXPECT_EQ(sync.outstanding(), 20U);
    loop.run_for(Millis(10'000));
    ASSERT_EQ(order.size(), 20U);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_EQ(sync.outstanding(), 0U);
}

TEST(FileSync, MayBeDestroyedWithJobsWaiting) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    Loop loop;
    auto sync = std::make_unique<FileSync>(loop, fs);
    for (int i = 0; i < 5; ++i)
        sync->submit(new_files({"f" + std::to_string(i)}), [&](SyncJob) {
            sync.reset();
            loop.stop();
        });
    loop.run_for(Millis(10'000));
    EXPECT_EQ(sync, nullptr);
}

}  // namespace
}  // namespace postern::loop
