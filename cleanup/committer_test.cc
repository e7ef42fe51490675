#include "cleanup/committer.h"

#include <fcntl.h>

#include <thread>

#include "lib/queue/directories.h"
#include "lib/queue/reader.h"
#include "lib/queue/writer.h"
#include "lib/sys/file.h"
#include "tests/support/crash_fs.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::cleanup {
namespace {

QueueId id_of(int n) { return QueueId::parse("4COMMITTER" + std::to_string(1000 + n)).value(); }

Finished message(int n, std::function<void(const Result<QueueId>&)> done) {
    Finished m;
    m.envelope.id = id_of(n);
    m.envelope.recipients = {{.address = "r@example.test"}};
    m.text = "Subject: " + std::to_string(n) + "\r\n\r\n";
    m.done = std::move(done);
    return m;
}

// Everything readable in incoming/, by message id.
std::set<std::string> in_queue(sys::Fs& fs) {
    std::set<std::string> ids;
    const auto entries = fs.list("incoming").value();
    for (const auto& entry : entries) {
        const Fd fd = fs.open("incoming/" + entry.name, 0, 0).value();
        const auto reader = queue::Reader::open(fs, fd.get());
        if (!reader) continue;
        for (std::size_t i = 0; i < reader->count(); ++i) {
            const auto one = reader->message(i);
            if (!one || !queue::verify_body(fs, fd.get(), *one)) continue;
            EXPECT_TRUE(ids.insert(one->envelope.id.str()).second);
        }
    }
    return ids;
}

struct Bench {
    explicit Bench(sys::Fs& filesystem) : fs(filesystem) {}

    // Commits n messages at once and runs until all are answered.
    void commit(int n) {
        Committer committer(loop, fs, options, [&](const QueueId& file) { files.push_back(file); });
        for (int i = 0; i < n; ++i)
            committer.commit(message(i, [&, i, n](const Result<QueueId>& file) {
                if (file) accepted.insert(id_of(i).str());
                if (on_answer) on_answer(i, file.has_value());
                if (++answers == n) loop.stop();
            }));
        EXPECT_EQ(answers, 0) << "not from inside commit";
        loop.run_for(Millis(20'000));
        EXPECT_EQ(answers, n);
        EXPECT_EQ(committer.outstanding(), 0U);
        syncs = committer.syncs();
    }

    sys::Fs& fs;
    loop::Loop loop;
    Options options;
    std::vector<QueueId> files;
    std::set<std::string> accepted;
    std::function<void(int, bool)> on_answer;
    int answers = 0;
    std::uint64_t syncs = 0;
};

TEST(Committer, GathersWhatArrivesDuringASync) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    Bench bench(fs);
    bench.commit(100);
    EXPECT_EQ(bench.syncs, 2U) << "one for the first, one for all that came while it ran";
    EXPECT_EQ(bench.files, (std::vector<QueueId>{id_of(0), id_of(1)}));
    EXPECT_EQ(in_queue(fs).size(), 100U);
}

TEST(Committer, KeepsToTheBatchLimit) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    Bench bench(fs);
    bench.options.batch_messages = 1;
    bench.commit(10);
    EXPECT_EQ(bench.files.size(), 10U);
    EXPECT_EQ(bench.syncs, 2U);
    EXPECT_EQ(fs.list("incoming").value().size(), 10U);
}

// Notes which thread syncs.
class ThreadsFs : public support::RootedFs {
  public:
    using RootedFs::RootedFs;
    Result<void> sync_data(int fd) override { return note(RootedFs::sync_data(fd)); }
    Result<void> sync(int fd) override { return note(RootedFs::sync(fd)); }
    std::size_t here = 0, elsewhere = 0;

  private:
    Result<void> note(Result<void> done) {
        ++(std::this_thread::get_id() == loop_thread_ ? here : elsewhere);
        return done;
    }
    const std::thread::id loop_thread_ = std::this_thread::get_id();
};

TEST(Committer, ALonelySubmitterNeedsNoThread) {
    const support::TempFolder folder;
    ThreadsFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    loop::Loop loop;
    const Options options;
    Committer committer(loop, fs, options, [](const QueueId&) {});
    const int one = 1, other = 2;
    int n = 0;
    const auto commit = [&](const int& submitter) {
        Finished next = message(n++, [&](const Result<QueueId>& file) {
            EXPECT_TRUE(file);
            loop.stop();
        });
        next.submitter = &submitter;
        committer.commit(std::move(next));
        EXPECT_EQ(committer.outstanding(), 1U) << "not answered from inside commit";
        loop.run_for(Millis(10'000));
        EXPECT_EQ(committer.outstanding(), 0U);
    };
    for (int i = 0; i < 20; ++i) commit(one);
    EXPECT_GT(fs.here, 0U);
    const auto before = fs.here;
    for (int i = 0; i < 20; ++i) commit(i % 2 == 0 ? other : one);
    EXPECT_EQ(fs.here, before) << "two submitters: their messages may gather";
    EXPECT_EQ(fs.here + fs.elsewhere, 40U);
    EXPECT_EQ(in_queue(fs).size(), 40U);
}

TEST(Committer, SyncsALargeMessagesOwnFile) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    loop::Loop loop;
    const Options options;
    Committer committer(loop, fs, options, [](const QueueId&) {});
    Finished large = message(7, [&](const Result<QueueId>& file) {
        EXPECT_TRUE(file);
        loop.stop();
    });
    auto writer =
        queue::StreamWriter::create(fs, queue::path_of(queue::Directory::incoming, id_of(7)))
            .value();
    ASSERT_TRUE(writer.append("A: b\r\n\r\n"));
    large.file = std::move(writer).finish(large.envelope).value();
    committer.commit(std::move(large));
    loop.run_for(Millis(10'000));
    EXPECT_EQ(in_queue(fs), std::set<std::string>{id_of(7).str()});
}

TEST(Committer, AFailureIsToldToAllItConcernsAndLeavesNothing) {
    for (int n = 1;; ++n) {
        ASSERT_LT(n, 100);
        const support::TempFolder folder;
        support::RootedFs plain(folder.path());
        ASSERT_TRUE(queue::create_all(plain));
        support::FaultyFs fs(folder.path(), n);
        Bench bench(fs);
        bench.commit(5);
        EXPECT_EQ(in_queue(plain), bench.accepted) << n;
        if (!fs.fired()) break;
        EXPECT_LT(bench.accepted.size(), 5U);
    }
}

// An empty queue, as it was when the first write was recorded.
void make_queue(const std::string& disk) {
    support::RootedFs empty(disk);
    ASSERT_TRUE(queue::create_all(empty));
}

// What was acknowledged before the n-th operation is on this disk.
void expect_all(const support::CrashFs& fs, std::size_t n, const std::string& disk) {
    support::RootedFs after(disk);
    const std::set<std::string> found = in_queue(after);
    for (const std::string& id : fs.notes(n)) EXPECT_EQ(found.count(id), 1U) << id << " at " << n;
}

// Acknowledged means recovered, not acknowledged means at most once (in_queue checks
// that).
TEST(Committer, WhatWasAcknowledgedSurvivesAnyCrash) {
    const support::TempFolder folder;
    support::CrashFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    Bench bench(fs);
    bench.on_answer = [&](int i, bool ok) {
        if (ok) fs.note(id_of(i).str());
    };
    bench.commit(6);
    ASSERT_EQ(bench.accepted.size(), 6U);
    fs.for_each_crash(make_queue,
                      [&](std::size_t n, const std::string& disk) { expect_all(fs, n, disk); });
}

// The same, with a disk that writes in any order: batches, and a large message's own file.
TEST(Committer, WhatWasAcknowledgedSurvivesInAnyOrder) {
    for (const bool sync_directory : {false, true}) {
        const support::TempFolder folder;
        support::CrashFs fs(folder.path());
        ASSERT_TRUE(queue::create_all(fs));
        Bench bench(fs);
        bench.options.sync_directory = sync_directory;
        bench.options.batch_messages = 3;
        bench.on_answer = [&](int i, bool ok) {
            if (ok) fs.note(id_of(i).str());
        };
        bench.commit(6);
        ASSERT_EQ(bench.accepted.size(), 6U);
        const std::size_t disks = fs.for_each_reordering(
            make_queue, [&](std::size_t n, const std::string& disk) { expect_all(fs, n, disk); });
        EXPECT_GT(disks, 10U);
    }
}

// --- Files that are used again ---

// What qmgr does with a file whose messages are delivered.
void finish_file(sys::Fs& fs, const QueueId& name) {
    ASSERT_TRUE(
        fs.rename(queue::path_of(queue::Directory::incoming, name), queue::spare_path_of(name)));
}

// Commits messages one after the other; `after` looks at the queue after each.
void commit_in_turn(sys::Fs& fs, const Options& options, int n,
                    const std::function<void(int)>& after) {
    loop::Loop loop;
    Committer committer(loop, fs, options, [](const QueueId&) {});
    for (int i = 0; i < n; ++i) {
        committer.commit(message(i, [&](const Result<QueueId>& file) {
            EXPECT_TRUE(file);
            loop.post([&] { loop.stop(); });
        }));
        loop.run_for(Millis(20'000));
        after(i);
    }
}

std::uint64_t inode_in_queue(sys::Fs& fs, int n) {
    return fs.info(queue::path_of(queue::Directory::incoming, id_of(n))).value().inode;
}

TEST(Committer, WritesOverAFileThatIsFinished) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    Options options;
    options.spare_files = 4;
    std::uint64_t first = 0;
    commit_in_turn(fs, options, 4, [&](int i) {
        if (i == 0) first = inode_in_queue(fs, 0);
        // The first is finished at once, the second never, the third at once.
        if (i == 1) {
            EXPECT_EQ(inode_in_queue(fs, 1), first);
        }
        if (i == 2) {
            EXPECT_NE(inode_in_queue(fs, 2), first) << "not finished";
        }
        if (i != 1) finish_file(fs, id_of(i));
    });
    EXPECT_EQ(in_queue(fs), std::set<std::string>{id_of(1).str()});
    EXPECT_EQ(fs.list("incoming").value().size(), 1U) << "spare files go with the process";
}

TEST(Committer, LeavesAFileAloneThatSomebodyStillReads) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    Options options;
    options.spare_files = 4;
    Fd reader;
    commit_in_turn(fs, options, 2, [&](int i) {
        if (i > 0) return;
        reader = fs.open(queue::path_of(queue::Directory::incoming, id_of(0)), O_RDONLY, 0).value();
        ASSERT_TRUE(sys::try_lock(reader.get(), sys::LockKind::exclusive).value());
        finish_file(fs, id_of(0));
    });
    const auto open = queue::Reader::open(fs, reader.get());
    ASSERT_TRUE(open);
    EXPECT_EQ(open->message(0).value().envelope.id, id_of(0));
    EXPECT_EQ(in_queue(fs), std::set<std::string>{id_of(1).str()});
}

bool is_reusable(sys::Fs& fs, int n) {
    const Fd fd = fs.open(queue::path_of(queue::Directory::incoming, id_of(n)), 0, 0).value();
    return queue::Reader::open(fs, fd.get()).value().reusable();
}

// What it cannot keep it does not ask qmgr to keep: nobody would come for it.
TEST(Committer, KeepsOnlySoManyFiles) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    Options options;
    options.spare_files = 2;
    commit_in_turn(fs, options, 4, [&](int i) { EXPECT_EQ(is_reusable(fs, i), i < 2) << i; });
}

TEST(Committer, ForgetsAFileThatWasDeferred) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    Options options;
    options.spare_files = 1;
    commit_in_turn(fs, options, 3, [&](int i) {
        EXPECT_EQ(is_reusable(fs, i), i != 1) << i;
        if (i != 1) return;
        ASSERT_TRUE(queue::create_parent(fs, queue::Directory::deferred, id_of(0)));
        ASSERT_TRUE(fs.rename(queue::path_of(queue::Directory::incoming, id_of(0)),
                              queue::path_of(queue::Directory::deferred, id_of(0))));
    });
}

TEST(Committer, RemovesAFinishedFileForOneOfAnotherSize) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    loop::Loop loop;
    Options options;
    options.spare_files = 1;
    Committer committer(loop, fs, options, [](const QueueId&) {});
    for (const int n : {0, 1}) {
        Finished one = message(n, [&](const auto&) { loop.post([&] { loop.stop(); }); });
        if (n == 1) one.text += std::string(20'000, 'x') + "\r\n";
        committer.commit(std::move(one));
        loop.run_for(Millis(20'000));
        EXPECT_TRUE(is_reusable(fs, n));
        if (n == 0) finish_file(fs, id_of(0));
    }
    EXPECT_EQ(fs.list("incoming").value().size(), 1U);
    EXPECT_EQ(fs.info("incoming/" + id_of(1).str()).value().size, 32768U);
}

TEST(Committer, WithoutSpareFilesNoneIsMarkedForUse) {
    const support::TempFolder folder;
    support::RootedFs fs(folder.path());
    ASSERT_TRUE(queue::create_all(fs));
    commit_in_turn(fs, Options{}, 1, [](int) {});
    const Fd file = fs.open(queue::path_of(queue::Directory::incoming, id_of(0)), 0, 0).value();
    EXPECT_FALSE(queue::Reader::open(fs, file.get()).value().reusable());
    EXPECT_LT(fs.info(file.get()).value().size, 1000U);
}

}  // namespace
}  // namespace postern::cleanup
