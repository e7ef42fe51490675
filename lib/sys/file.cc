#include "lib/sys/file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"
#include "lib/sys/unix_socket.h"

namespace postern::sys {
namespace {

constexpr std::size_t kReadChunk = 64 * 1024;

Result<void> change_flag(int fd, int get, int set, int flag, bool on) {
    const int flags = ::fcntl(fd, get);
    if (flags < 0 || ::fcntl(fd, set, on ? flags | flag : flags & ~flag) != 0)
        return system_error("descriptor flags");
    return {};
}

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// The file that a symbolic link leads to: the link shall go on leading to it.
Result<std::string> behind_links(RealFs& fs, const std::string& path) {
    const auto info = fs.info(path);
    if (!info || info->kind != FileInfo::Kind::symlink) return path;
    const std::unique_ptr<char, void (*)(void*)> target(::realpath(path.c_str(), nullptr),
                                                        std::free);
    if (!target) return system_error("replace " + path);
    return std::string(target.get());
}

// Writes the new contents under a temporary name, with the old file's mode and owner.
Result<void> write_beside(RealFs& fs, const std::string& path, const std::string& temporary,
                          std::string_view contents, mode_t mode) {
    const auto old = fs.info(path);
    if (old) mode = old->mode;
    // The name is ours: what has it was left by a process that died, and had our number.
    static_cast<void>(fs.unlink(temporary).has_value());
    TRY_ASSIGN(const Fd fd, fs.open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
    TRY(fs.write(fd.get(), contents));
    if (old && ::geteuid() == 0 && ::fchown(fd.get(), old->uid, old->gid) != 0)
        return system_error("chown " + temporary);
    if (::fchmod(fd.get(), mode) != 0) return system_error("chmod " + temporary);
    TRY(fs.sync(fd.get()));
    return fs.rename(temporary, path);
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
    auto& fs = RealFs::instance();
    TRY_ASSIGN(const Fd fd, fs.open(path, O_RDONLY | O_NONBLOCK, 0));
    TRY_ASSIGN(const FileInfo info, fs.info(fd.get()));
    if (info.kind != FileInfo::Kind::regular)
        return Error{Errc::invalid, "read " + path + ": not a regular file"};
    // Room for what is there and one byte more, which tells whether it grew meanwhile; the limit
    // may be generous.
    std::size_t room = static_cast<std::size_t>(std::min<std::uint64_t>(info.size, max_bytes)) + 1;
    std::string bytes;
    for (bool more = true; more && bytes.size() <= max_bytes; room = kReadChunk) {
        TRY_ASSIGN(const std::string piece, fs.read_at(fd.get(), bytes.size(), room));
        more = piece.size() == room;
        bytes += piece;
    }
    if (bytes.size() > max_bytes)
        return Error{Errc::invalid,
                     "read " + path + ": longer than " + std::to_string(max_bytes) + " bytes"};
    return bytes;
}

Result<void> replace_file(const std::string& name, std::string_view contents, mode_t mode) {
    auto& fs = RealFs::instance();
    TRY_ASSIGN(const std::string path, behind_links(fs, name));
    const std::string temporary = cat({path, ".tmp.", std::to_string(::getpid())});
    auto written = write_beside(fs, path, temporary, contents, mode);
    if (!written) {
        static_cast<void>(
            fs.unlink(temporary).has_value());  // the first error is the one to report
        return std::move(written).error().within("replace " + path);
    }
    return fs.sync_directory(directory_of(path));
}

Result<Fd> lock_file(const std::string& path, const Deadline& deadline, mode_t mode) {
    constexpr int kRetryMillis = 20;
    TRY_ASSIGN(Fd fd, RealFs::instance().open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode));
    for (;;) {
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
        if (errno != EWOULDBLOCK && errno != EINTR) return system_error("lock " + path);
        if (deadline.passed())
            return Error{Errc::timeout, "lock " + path + ": held by another process"};
        ::poll(nullptr, 0, kRetryMillis);
    }
}

Result<bool> try_lock(int fd, LockKind kind) {
    if (::flock(fd, (kind == LockKind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    return system_error("lock file");
}

void unlock(int fd) { (void)::flock(fd, LOCK_UN); }

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return system_error("make pipe");
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<void> write_all(int fd, std::string_view bytes, const Deadline& deadline) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            TRY(wait_ready(fd, Ready::write, deadline));
        } else if (errno != EINTR) {
            return system_error("write");
        }
    }
    return {};
}

Result<void> set_nonblocking(int fd, bool on) {
    return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

Result<void> set_close_on_exec(int fd, bool on) {
    return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

void expect_reading(int fd, std::size_t size) {
    // Not every file system can; nothing is lost then.
    (void)::posix_fadvise(fd, 0, static_cast<off_t>(size), POSIX_FADV_WILLNEED);
}

std::uint64_t blocks_from_disk() {
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return static_cast<std::uint64_t>(usage.ru_inblock);
}

Result<std::size_t> raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return system_error("descriptor limit");
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return system_error("raise descriptor limit");
    return static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace postern::sys
