#include "lib/mailbox/mbox_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>
#include <utility>

#include "lib/base/strings.h"
#include "lib/sys/error.h"

namespace postern::mailbox {
namespace {

// Tries until it succeeds, fails for good, or the attempts are used up. `once` says whether it is
// done.
template <class Once>
Result<void> attempt_lock(const LockRules& rules, const std::string& path, Once once) {
    for (int i = 0; i < rules.lock_attempts; ++i) {
        if (i > 0) std::this_thread::sleep_for(rules.lock_delay);
        TRY_ASSIGN(const bool done, once());
        if (done) return {};
    }
    return Error{Errc::timeout, cat({path, ": unable to lock for exclusive access"})};
}

Result<bool> try_fcntl(int fd, const std::string& path) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(fd, F_SETLK, &whole) == 0) return true;
    if (errno == EAGAIN || errno == EACCES || errno == EINTR) return false;
    return sys::system_error("lock " + path);
}

Result<bool> try_flock(int fd, const std::string& path) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK || errno == EINTR) return false;
    return sys::system_error("lock " + path);
}

void unlock_fcntl(int fd) {
    struct flock whole {};
    whole.l_type = F_UNLCK;
    whole.l_whence = SEEK_SET;
    static_cast<void>(::fcntl(fd, F_SETLK, &whole));  // closing unlocks at the latest
}

// Both, or none.
Result<bool> try_kernel_locks(int fd, const std::string& path, const LockRules& rules) {
    if (rules.fcntl) {
        TRY_ASSIGN(const bool locked, try_fcntl(fd, path));
        if (!locked) return false;
    }
    if (!rules.flock) return true;
    auto locked = try_flock(fd, path);
    if ((!locked || !*locked) && rules.fcntl) unlock_fcntl(fd);
    return locked;
}

}  // namespace

Result<LockRules> parse_locks(std::string_view names) {
    LockRules rules;
    rules.flock = rules.fcntl = rules.dotlock = false;
    for (const auto name : split_words(names, ", \t\r\n")) {
        bool* which = name == "flock"     ? &rules.flock
                      : name == "fcntl"   ? &rules.fcntl
                      : name == "dotlock" ? &rules.dotlock
                                          : nullptr;
        if (which == nullptr)
            return Error{Errc::invalid,
                         cat({"mailbox lock \"", name, "\": not one of flock, fcntl, dotlock"})};
        *which = true;
    }
    return rules;
}

DotLock::~DotLock() { release(); }

void DotLock::release() {
    if (std::exchange(held_, false)) static_cast<void>(fs_.unlink(name_).has_value());
}

Result<void> DotLock::take(const LockRules& rules) {
    if (held_ || !rules.dotlock || name_.starts_with("/dev/")) return {};
    return attempt_lock(rules, name_, [&]() -> Result<bool> {
        auto made = fs_.open(name_, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (made) {
            held_ = true;
            return true;
        }
        if (made.error().code == Errc::denied) return true;
        if (made.error().sys != EEXIST) return std::move(made).error();
        remove_stale(rules);
        return false;
    });
}

void DotLock::remove_stale(const LockRules& rules) {
    const auto info = fs_.info(name_);
    if (!info) return;
    const auto now = SystemClock::instance().now().time_since_epoch();
    if (now - std::chrono::duration_cast<Micros>(std::chrono::nanoseconds(info->mtime_ns)) >
        rules.stale_lock)
        static_cast<void>(fs_.unlink(name_).has_value());
}

Result<void> DotLock::lock_open_file(int fd, const LockRules& rules) {
    const auto all_or_none = [&]() -> Result<bool> {
        TRY(take(rules));
        auto locked = try_kernel_locks(fd, path_, rules);
        if (!locked || !*locked) release();
        return locked;
    };
    TRY(attempt_lock(rules, path_, all_or_none));
    TRY_ASSIGN(const auto ours, fs_.info(fd));
    const auto named = fs_.info(path_);
    if (named && named->inode == ours.inode && named->device == ours.device) return {};
    return Error{Errc::timeout, cat({path_, ": replaced meanwhile by another program"})};
}

// Two steps, so that a link that somebody puts in between is not followed.
Result<Fd> open_mbox(sys::Fs& fs, const std::string& path) {
    constexpr int kFlags = O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    auto there = fs.open(path, kFlags | O_RDWR, 0);
    if (!there && there.error().sys == EACCES) there = fs.open(path, kFlags | O_WRONLY, 0);
    if (there || there.error().sys != ENOENT) return there;
    TRY_ASSIGN(Fd made, fs.open(path, kFlags | O_RDWR | O_CREAT | O_EXCL, 0600));
    TRY(fs.sync_directory(path.substr(0, path.rfind('/') + 1)));
    return made;
}

}  // namespace postern::mailbox
