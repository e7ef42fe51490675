// Committer: makes finished messages durable, many with one fsync. While one sync is under way the
// messages that finish gather; then they all go into the queue as one file. No timer:
// a lonely message is written at once, as a file of its own. While all come from one submitter, who waits for
// each, nothing can gather, and the loop syncs itself instead of waking a thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/loop/file_sync.h"
#include "lib/queue/envelope.h"
#include "lib/queue/writer.h"
#include "lib/sys/fs.h"

#include "cleanup/options.h"
#include "cleanup/spare_files.h"

namespace postern::cleanup {

struct Finished {
    queue::Envelope envelope;
    std::string text;  // wire form; unless it is in a file already:
    Fd file;           // a finished queue file of its own, not synced yet, named by the message
    const void* submitter = nullptr;  // whose it is; only compared
    // Called on the loop, never from inside commit(): the queue file that holds the message,
    // durable now; or why not, and then nothing is left of it.
    std::function<void(const Result<QueueId>&)> done;
};

class Committer {
  public:
    // on_file is told each queue file that became durable (the nudge to qmgr).
    Committer(loop::Loop& loop, sys::Fs& fs, const Options& options,
              std::function<void(const QueueId&)> on_file);

    void commit(Finished message);
    std::size_t outstanding() const { return outstanding_; }
    // For the status line: how many syncs served how many messages.
    std::uint64_t syncs() const { return syncs_; }
    std::uint64_t messages() const { return messages_; }

  private:
    // The messages of one file.
    struct Group {
        QueueId file;
        std::vector<Finished> messages;
    };

    void start();
    static std::size_t weight(const Finished& message) { return message.text.size() + 1024; }
    void add_to_groups(std::vector<Group>& groups, Finished message,
                       std::size_t& batch_bytes) const;
    loop::SyncFile to_file(Group& group);
    void fill(loop::SyncFile& file, queue::BatchBuilder batch);
    void finished(std::vector<Group> groups, loop::SyncJob job);

    sys::Fs& fs_;
    const Options& options_;
    std::function<void(const QueueId&)> on_file_;
    std::vector<Finished> waiting_;
    std::size_t outstanding_ = 0;
    const void* last_submitter_ = nullptr;
    unsigned in_a_row_ = 0;  // messages of that one, with none of others between them
    std::uint64_t syncs_ = 0, messages_ = 0;
    SpareFiles spare_files_;
    loop::FileSync sync_;  // last: its thread and callbacks use what is above
};

}  // namespace postern::cleanup
