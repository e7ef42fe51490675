#include "lib/sys/beneath_fs.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs_parts.h"

namespace postern::sys {
namespace {

Error refused(std::string_view doing) {
    if (errno == ELOOP)
        return {Errc::denied, cat({doing, ": symbolic links there are not followed"}), ELOOP};
    return system_error(doing);
}

Result<void> check_beneath(int status, std::string_view doing) {
    if (status != 0) return refused(doing);
    return {};
}

// A lease of another's would make a file that is opened without O_NONBLOCK wait.
Result<Fd> open_beneath(int root, const std::string& below, int flags, mode_t mode,
                        std::string_view doing) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    for (;;) {
        Fd fd(static_cast<int>(::syscall(SYS_openat2, root, below.c_str(), &how, sizeof how)));
        if (fd) return fd;
        if (errno == ENOTDIR && (flags & O_DIRECTORY) != 0)  // what a link as the last name gives
            return Error{Errc::corrupt,
                         cat({doing, ": no directory; symbolic links there are not followed"}),
                         ENOTDIR};
        if (errno != EINTR) return refused(doing);
    }
}

}  // namespace

Result<std::shared_ptr<Fs>> BeneathFs::open_root(const std::string& root, Fs& base) {
    Fd directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return system_error("open " + root);
    const auto works =
        open_beneath(directory.get(), ".", O_PATH | O_DIRECTORY, 0, "open " + root);
    if (!works && works.error().sys == ENOSYS)
        return Error{Errc::permanent, root + " may be others': not used without openat2 (Linux 5.6)",
                     ENOSYS};
    if (!works) return Error(works.error());
    return std::shared_ptr<Fs>(std::make_shared<BeneathFs>(base, root, std::move(directory)));
}

// A ".." that leads to another place of the same tree is none that we ever make.
Result<std::string> BeneathFs::below_root(const std::string& path) const {
    if (path == path_) return std::string(".");
    const bool inside = path.starts_with(path_) && path[path_.size()] == '/';
    if (!inside || path.find('\0') != std::string::npos || (path + "/").find("/../") != path.npos)
        return Error{Errc::denied, cat({path, " is not below ", path_}), EXDEV};
    return path.substr(path_.size() + 1);
}

Result<Fd> BeneathFs::reach(const std::string& path, int flags, mode_t mode) const {
    TRY_ASSIGN(const std::string below, below_root(path));
    return open_beneath(root_.get(), below, flags, mode, "open " + path);
}

Result<BeneathFs::Entry> BeneathFs::entry(const std::string& path) const {
    const auto slash = path.rfind('/');
    const std::string name = path.substr(slash + 1);
    if (path.size() <= path_.size() || name.empty() || name == "." || name == "..")
        return Error{Errc::denied, cat({path, " is no name below ", path_}), EXDEV};
    TRY(below_root(path));
    TRY_ASSIGN(Fd directory, reach(path.substr(0, slash), O_PATH | O_DIRECTORY));
    return Entry{std::move(directory), name};
}

Result<Fd> BeneathFs::open(const std::string& path, int flags, mode_t mode) {
    const bool any = (flags & (O_PATH | O_DIRECTORY)) != 0;
    TRY_ASSIGN(Fd file, reach(path, any ? flags : flags | O_NONBLOCK, mode));
    TRY_ASSIGN(const FileInfo found, base().info(file.get()));
    const bool good = found.kind == FileInfo::Kind::regular ||
                      (any && found.kind == FileInfo::Kind::directory);
    if (!good) return Error{Errc::denied, cat({"open ", path, ": no regular file"}), EINVAL};
    return file;
}

Result<std::string> BeneathFs::read_at(int fd, std::uint64_t offset, std::size_t count) {
    if (count > kMaxRead)
        return Error{Errc::corrupt,
                     cat({"a file of others is not read: ", std::to_string(count),
                          " bytes at once are too many"}),
                     EFBIG};
    return base().read_at(fd, offset, count);
}

Result<FileInfo> BeneathFs::info(const std::string& path) {
    TRY_ASSIGN(const Fd file, reach(path, O_PATH));
    return base().info(file.get());
}

Result<void> BeneathFs::rename(const std::string& from, const std::string& to) {
    TRY_ASSIGN(const Entry a, entry(from));
    TRY_ASSIGN(const Entry b, entry(to));
    return check_beneath(
        ::renameat(a.directory.get(), a.name.c_str(), b.directory.get(), b.name.c_str()),
        cat({"rename ", from, " to ", to}));
}

Result<void> BeneathFs::link(const std::string& from, const std::string& to) {
    TRY_ASSIGN(const Entry a, entry(from));
    TRY_ASSIGN(const Entry b, entry(to));
    return check_beneath(
        ::linkat(a.directory.get(), a.name.c_str(), b.directory.get(), b.name.c_str(), 0),
        cat({"link ", from, " to ", to}));
}

Result<void> BeneathFs::unlink(const std::string& path) {
    TRY_ASSIGN(const Entry at, entry(path));
    return check_beneath(::unlinkat(at.directory.get(), at.name.c_str(), 0), "unlink " + path);
}

Result<void> BeneathFs::make_directory(const std::string& path, mode_t mode) {
    TRY_ASSIGN(const Entry at, entry(path));
    return check_beneath(::mkdirat(at.directory.get(), at.name.c_str(), mode), "mkdir " + path);
}

Result<void> BeneathFs::remove_directory(const std::string& path) {
    TRY_ASSIGN(const Entry at, entry(path));
    return check_beneath(::unlinkat(at.directory.get(), at.name.c_str(), AT_REMOVEDIR),
                         "rmdir " + path);
}

Result<std::vector<DirEntry>> BeneathFs::list(const std::string& path) {
    TRY_ASSIGN(Fd fd, reach(path, O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd.get()), ::closedir);
    if (!directory) return system_error("open directory " + path);
    (void)fd.release();  // closed with the directory
    return entries_of(directory.get(), path);
}

Result<void> BeneathFs::sync_directory(const std::string& path) {
    TRY_ASSIGN(const Fd directory, reach(path, O_RDONLY | O_DIRECTORY));
    return base().sync(directory.get());
}

Result<void> BeneathFs::set_times(const std::string& path, std::int64_t mtime_seconds) {
    TRY_ASSIGN(const Entry at, entry(path));
    const timespec when{static_cast<time_t>(mtime_seconds), 0};
    const timespec times[2] = {when, when};
    return check_beneath(
        ::utimensat(at.directory.get(), at.name.c_str(), times, AT_SYMLINK_NOFOLLOW),
        "set times of " + path);
}

Result<void> BeneathFs::set_mode(const std::string& path, mode_t mode) {
    TRY_ASSIGN(const Fd file, open(path, O_RDONLY, 0));
    return check_beneath(::fchmod(file.get(), mode), "chmod " + path);
}

}  // namespace postern::sys
