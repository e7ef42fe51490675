#include "local/mbox_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "lib/base/strings.h"
#include "lib/sys/error.h"

namespace postern::local {
namespace {

using Kind = sys::FileInfo::Kind;

// Tries until it succeeds, fails for good, or the attempts are used up. `once` says whether it is
// done.
template <class Once>
Result<void> attempt(const MboxRules& rules, const std::string& path, Once once) {
    for (int i = 0; i < rules.lock_attempts; ++i) {
        if (i > 0) std::this_thread::sleep_for(rules.lock_delay);
        TRY_ASSIGN(const bool done, once());
        if (done) return {};
    }
    return Error{Errc::timeout, cat({path, ": unable to lock for exclusive access"})};
}

// path.lock, made exclusively. Where the folder is not ours to write the other locks must do.
class DotLock {
  public:
    DotLock(sys::Fs& fs, const std::string& path) : fs_(fs), name_(path + ".lock") {}
    ~DotLock() {
        if (held_) static_cast<void>(fs_.unlink(name_).has_value());
    }
    DotLock(const DotLock&) = delete;
    DotLock& operator=(const DotLock&) = delete;

    Result<void> take(const MboxRules& rules) {
        return attempt(rules, name_, [&]() -> Result<bool> {
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

  private:
    void remove_stale(const MboxRules& rules) {
        const auto info = fs_.info(name_);
        if (!info) return;
        const auto now = SystemClock::instance().now().time_since_epoch();
        if (now - std::chrono::duration_cast<Micros>(std::chrono::nanoseconds(info->mtime_ns)) >
            rules.stale_lock)
            static_cast<void>(fs_.unlink(name_).has_value());
    }
    sys::Fs& fs_;
    std::string name_;
    bool held_ = false;
};

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

// Opens what is there, or makes it: two steps, so that a link that somebody puts in between is not
// followed. The name of a new file is made durable too.
Result<Fd> open_mbox(sys::Fs& fs, const std::string& path) {
    constexpr int kFlags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    auto there = fs.open(path, kFlags, 0);
    if (there || there.error().sys != ENOENT) return there;
    TRY_ASSIGN(Fd made, fs.open(path, kFlags | O_CREAT | O_EXCL, 0600));
    TRY(fs.sync_directory(path.substr(0, path.rfind('/') + 1)));
    return made;
}

Result<void> check(const sys::FileInfo& info, const std::string& path, const MboxRules& rules) {
    if (info.kind == Kind::other) return {};  // a device
    if (info.kind != Kind::regular) return Error{Errc::invalid, path + ": not a regular file"};
    if (info.links != 1)
        return Error{Errc::invalid,
                     cat({path, ": file has ", std::to_string(info.links), " hard links"})};
    if (rules.must_be_ours && info.uid != geteuid())
        return Error{Errc::temporary, cat({"destination ", path, " is not owned by recipient"})};
    if (rules.refuse_executable && (info.mode & 0111) != 0)
        return Error{Errc::denied, path + ": file is executable"};
    return {};
}

// Collects small pieces.
class Appender {
  public:
    Appender(sys::Fs& fs, int fd, std::uint64_t size, std::uint64_t limit)
        : fs_(fs), fd_(fd), size_(size), limit_(limit) {}
    Result<void> write(std::string_view bytes) {
        size_ += bytes.size();
        if (limit_ != 0 && size_ > limit_)
            return Error{Errc::no_space, "mailbox size limit exceeded", EFBIG};
        buffer_ += bytes;
        return buffer_.size() < kBuffer ? Result<void>() : flush();
    }
    Result<void> flush() {
        if (buffer_.empty()) return {};
        const std::string bytes = std::move(buffer_);
        buffer_.clear();
        return fs_.write(fd_, bytes);
    }

  private:
    static constexpr std::size_t kBuffer = 64 * 1024;
    sys::Fs& fs_;
    int fd_;
    std::uint64_t size_, limit_;
    std::string buffer_;
};

Result<void> append(sys::Fs& fs, int fd, const sys::FileInfo& info, const MboxRules& rules,
                    const AppendText& text) {
    Appender out(fs, fd, info.size, info.kind == Kind::regular ? rules.size_limit : 0);
    TRY(text([&](std::string_view bytes) { return out.write(bytes); }));
    TRY(out.flush());
    return info.kind == Kind::regular ? fs.sync(fd) : Result<void>();
}

}  // namespace

Result<MboxRules> parse_locks(std::string_view names) {
    MboxRules rules;
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

Result<void> append_to_mbox(sys::Fs& fs, const std::string& path, const MboxRules& rules,
                            const AppendText& text) {
    DotLock dotlock(fs, path);
    if (rules.dotlock && !path.starts_with("/dev/")) TRY(dotlock.take(rules));
    TRY_ASSIGN(const Fd file, open_mbox(fs, path));
    TRY_ASSIGN(auto info, fs.info(file.get()));
    TRY(check(info, path, rules));
    if (info.kind == Kind::regular) {
        if (rules.fcntl) TRY(attempt(rules, path, [&] { return try_fcntl(file.get(), path); }));
        if (rules.flock) TRY(attempt(rules, path, [&] { return try_flock(file.get(), path); }));
        TRY_ASSIGN(info, fs.info(file.get()));  // its length, now that nobody else changes it
    }
    auto done = append(fs, file.get(), info, rules, text);
    if (done || info.kind != Kind::regular) return done;
    if (auto back = fs.truncate(file.get(), info.size); !back)
        return std::move(done).error().within(back.error().what);
    return done;
}

}  // namespace postern::local
