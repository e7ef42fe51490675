#include "lib/mailbox/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "lib/sys/error.h"

namespace postern::mailbox {

Result<FolderLock> FolderLock::take(sys::Fs& fs, const std::string& path, Millis patience) {
    TRY_ASSIGN(Fd file, fs.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    const Deadline deadline = Deadline::in(patience);
    Millis pause{1};
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return sys::system_error("lock " + path);
        if (deadline.passed())
            return Error{Errc::timeout, "lock " + path + ": held by another process", 0};
        // Holders need a few milliseconds; nothing wakes a waiter of a lock with a deadline.
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, Millis{50});
    }
    return FolderLock(std::move(file));
}

}  // namespace postern::mailbox
