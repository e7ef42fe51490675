// FileSync: makes finished files durable without stopping the loop. It owns the one thread of its
// process, the only kind in the suite, and that touches nothing but what a job brings along: immutable bytes,
// descriptors, paths.
//
// Who wants few syncs gives one job at a time and gathers while it runs: what arrived during the
// last fsync goes into the next one together (cleanup/committer.cc). A job with several files syncs
// them as a group (lib/sys/group_sync.h).
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

#include "lib/loop/loop.h"

namespace postern::loop {

// Bytes for a new file at `path` (which must not exist); or the descriptor of one that is written;
// or both: bytes that take the place of an old file's at `path`, which has their size.
struct SyncFile {
    std::string path;
    std::string bytes;
    Fd fd;
    bool keep_open = false;  // afterwards fd is the file, without a lock
    // Set when the job is done; on an error a file that has a part of the bytes is removed.
    Result<void> outcome;
};

struct SyncJob {
    std::vector<SyncFile> files;
    std::string directory;  // to be synced after the files, unless empty
    // Set when the job is done; an error is the files' outcome, too.
    Result<void> directory_outcome;
};

class FileSync {
  public:
    using Done = std::function<void(SyncJob)>;

    FileSync(Loop& loop, sys::Fs& fs);  // fs is used by the thread
    ~FileSync();  // waits for the job that runs; callbacks of the rest are not called
    FileSync(const FileSync&) = delete;
    FileSync& operator=(const FileSync&) = delete;

    // Calls done on the loop, never from inside submit().
    void submit(SyncJob job, Done done);
    // The same without the thread: the loop stands still meanwhile, and nobody has to be woken twice.
    void perform_here(SyncJob job, Done done);
    std::size_t outstanding() const { return outstanding_; }

  private:
    struct Item {
        SyncJob job;
        Done done;
    };

    void work();
    void perform(SyncJob& job);
    void write(SyncFile& file);
    void sync_contents(SyncJob& job);
    void collect();

    sys::Fs& fs_;
    Loop& loop_;
    Fd wakeup_;  // eventfd: the thread has finished something
    std::unique_ptr<Watch> watch_;
    std::size_t outstanding_ = 0;

    std::mutex mutex_;  // guards the next four
    std::condition_variable changed_;
    std::deque<Item> waiting_;
    std::deque<Item> finished_;
    bool stopping_ = false;

    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::thread thread_;  // starts with the first job: by then the process has given up its rights
};

}  // namespace postern::loop
