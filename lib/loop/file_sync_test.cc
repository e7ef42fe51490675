#include "lib/loop/file_sync.h"

#include <fcntl.h>

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
