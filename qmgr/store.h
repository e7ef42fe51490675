// Store: the queue's files as qmgr holds them. A QueueFile is one file in incoming/ or deferred/
// with one or, in incoming/, several messages; it is unlinked when the last of them is finished.
// While a file is open here it is locked (flock): a second qmgr that takes over while this one
// drains leaves it alone, agents that still hold a descriptor keep it locked, and showq sees that
// it is active.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/queue/admin.h"
#include "lib/queue/directories.h"
#include "lib/queue/reader.h"
#include "lib/sys/fs.h"

namespace postern::qmgr {

struct QueueFile {
    QueueId name;
    queue::Directory directory = queue::Directory::incoming;
    std::size_t messages = 0;  // in the file
    std::size_t live = 0;      // not finished yet
    bool reusable = false;     // its writer may want it again
    bool keep = false;  // something in it could not be moved out: leave the file to a later scan
    std::size_t in_hand = 0;  // what its messages wait for: the lock must last so long
    mode_t mode = queue::kPlainMode;
    Fd reading;
    Fd marking;

    bool is_batch() const { return messages > 1; }
    std::string path() const { return queue::path_of(directory, name); }
};
using QueueFilePtr = std::shared_ptr<QueueFile>;

struct LoadedFile {
    QueueFilePtr file;
    std::vector<queue::Message> messages;
};

// One message that is to leave its batch for a file of its own.
struct Move {
    QueueFilePtr from;
    const queue::Message* message = nullptr;  // recipients that are done are left behind
    queue::Directory to = queue::Directory::deferred;
    WallTime retry{};  // the new file's time; for deferred/

    std::string path() const { return queue::path_of(to, message->envelope.id); }
};

class Store {
  public:
    // At most `max_open` descriptors are kept (see descriptor()); a file that is closed is not
    // locked. Those in hand are closed last. save_finished: finished files go to saved/ instead
    // (dont_remove).
    Store(sys::Fs& fs, std::size_t max_open, bool save_finished = false)
        : fs_(fs), max_open_(max_open), save_finished_(save_finished) {}

    // Opens, locks and reads a file. verify: also checks the texts (files that a crash left
    // behind).
    //   Errc::not_found  gone, perhaps while it was being opened
    //   Errc::closed     not committed: it is being written, or its writer died. If that must be
    //                    long ago and nobody has it locked, it is put aside (removed when empty).
    //   Errc::temporary  locked by another process, or open here already
    //   Errc::corrupt, Errc::invalid: it has been put aside into corrupt/
    Result<LoadedFile> load(queue::Directory directory, const QueueId& name, bool verify,
                            WallTime now);
    bool is_loaded(const QueueId& name) const { return files_.contains(name.str()); }

    // incoming/NAME.done: removed when nobody has wanted it for minutes. After a power cut it may
    // hold a later message than its name says, whose own name was not on disk yet: then it gets
    // that name, and this is true.
    bool look_at_spare(const QueueId& name, WallTime now);

    // The read-only descriptor to give to agents; opens the file again if it was closed meanwhile
    // to keep within max_open. Valid until the next call.
    Result<int> descriptor(QueueFile& file);

    // Marks a recipient done; a failure is logged and costs at most a repeated delivery.
    void mark_done(QueueFile& file, const queue::Recipient& recipient);

    // One message of the file needs it no longer; with the last one the file goes.
    void finish(const QueueFilePtr& file);
    // Lets go of one message without finishing it: the file stays for a later scan.
    void abandon(const QueueFilePtr& file);

    // A file with one message goes (or stays) where it shall wait.
    Result<void> rest(const QueueFilePtr& file, queue::Directory to, WallTime retry);
    // A message leaves its batch in three steps: it is copied, the caller makes the copy durable
    // (in groups: loop::FileSync), and only then, by moved(), is the original done. A copy that
    // could not be made durable is taken back, and the message stays in its batch for a later scan.
    Result<Fd> copy_out(const Move& move);
    void moved(const Move& move);
    void take_back(const Move& move);

    // Whether the message has a file of its own already (a crash came before the last step of a
    // move). It counts only if it is whole, and is on disk when this says so; a copy that the crash
    // cut short is removed.
    bool has_own_file(const QueueId& id);

    sys::Fs& fs() { return fs_; }

  private:
    Result<Fd> open(const std::string& path, int flags);
    void put_aside(const std::string& path, const QueueId& name, const Error& why);
    void remove(const QueueFile& file);
    bool saved(const QueueFile& file);
    bool may_be_used_again(const QueueFile& file);
    void clear_leftover(const QueueFile& file, const Error& why, WallTime now);
    Result<void> check_own_file(queue::Directory directory, const QueueId& id);
    void remember_open(const QueueFilePtr& file);
    void forget(const QueueFilePtr& file);

    sys::Fs& fs_;
    std::size_t max_open_;
    bool save_finished_;
    std::unordered_map<std::string, QueueFilePtr> files_;
    std::deque<std::weak_ptr<QueueFile>> open_;  // oldest first
};

}  // namespace postern::qmgr
