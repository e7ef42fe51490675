// The locks on mailbox files that all mail programs of a host respect: flock, fcntl, and a file
// beside it ("dotlock"). For local's deliveries and for postlock. What may go wrong: somebody else
// has the lock for longer than we ask (Errc::timeout), or the folder is not ours.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

struct LockRules {
    bool flock = false, fcntl = true, dotlock = true;  // mailbox_delivery_lock
    int lock_attempts = 20;
    Millis lock_delay{1000};
    Seconds stale_lock{500};  // a dotlock file older than that belongs to nobody
};
// "fcntl, dotlock" -> which; Errc::invalid names an unknown kind of lock.
Result<LockRules> parse_locks(std::string_view names);

// path.lock, made exclusively, as long as this lives. Where the folder is not ours to write the
// other locks must do.
class DotLock {
  public:
    DotLock(sys::Fs& fs, std::string path)
        : fs_(fs), path_(std::move(path)), name_(path_ + ".lock") {}
    ~DotLock();
    DotLock(const DotLock&) = delete;
    DotLock& operator=(const DotLock&) = delete;

    // Does nothing where we have it, where the rules do not want it, or for what is below /dev.
    Result<void> take(const LockRules& rules);
    // fcntl and flock on the open file, as the rules want; held until it is closed. Other programs
    // take these locks first: while they are busy the dotlock is given back, or each would wait for
    // the other. Errc::timeout, too, when the file was replaced meanwhile.
    Result<void> lock_open_file(int fd, const LockRules& rules);

  private:
    void release();
    void remove_stale(const LockRules& rules);

    sys::Fs& fs_;
    std::string path_, name_;
    bool held_ = false;
};

// Opens what is there for appending, or makes it (0600); never through a link, and never waits. It
// can be read too, where we may. The name of a new file is made durable too.
Result<Fd> open_mbox(sys::Fs& fs, const std::string& path);

}  // namespace postern::mailbox
