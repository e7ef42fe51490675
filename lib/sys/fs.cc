#include "lib/sys/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <iterator>
#include <memory>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/fs_parts.h"

namespace postern::sys {
namespace {

FileInfo::Kind kind_of_mode(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFREG: return FileInfo::Kind::regular;
        case S_IFDIR: return FileInfo::Kind::directory;
        case S_IFLNK: return FileInfo::Kind::symlink;
        case S_IFIFO: return FileInfo::Kind::fifo;
        case S_IFSOCK: return FileInfo::Kind::socket;
        default: return FileInfo::Kind::other;
    }
}

FileInfo::Kind kind_of_entry(unsigned char type) {
    return type == DT_UNKNOWN ? FileInfo::Kind::other
                              : kind_of_mode(static_cast<mode_t>(DTTOIF(type)));
}

std::int64_t nanoseconds(const timespec& t) {
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

Result<void> check(int status, std::string_view doing) {
    if (status != 0) return system_error(doing);
    return {};
}

// A disk is full, or a file damaged: whoever reads of it in the log wants to know which. The kernel
// tells the name of what is open; where /proc is not there, or of what has no name, the number must
// do.
std::string about(int fd) {
    char path[PATH_MAX];
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t n = ::readlink(link.c_str(), path, sizeof path);
    if (n > 0 && path[0] == '/') return {path, static_cast<std::size_t>(n)};
    return "descriptor " + std::to_string(fd);
}

// Takes errno before it looks for the name.
Error failed_on(std::string_view doing, int fd) {
    const int number = errno;
    return system_error(cat({doing, " ", about(fd)}), number);
}

Result<void> check(int status, std::string_view doing, int fd) {
    if (status != 0) return failed_on(doing, fd);
    return {};
}

// Which file systems take syncfs(2) as a promise: those on disks of this host's. With most of FUSE
// it ends in the kernel and the server never hears of it; SMB and 9P do not pass it on either.
// Whatever is not listed is taken to be like them.
bool syncs_as_a_whole(decltype(statfs::f_type) type) {
    constexpr std::uint32_t kTypes[] = {
        0xef53,                  // ext2 to ext4
        0x58465342, 0x9123683e,  // XFS, Btrfs
        0xf2f52010, 0x2fc12fc1,  // F2FS, ZFS
        0xca451a4e, 0x3153464a,  // bcachefs, JFS
        0x01021994,              // tmpfs
        0x794c7630,              // overlayfs, which asks the one below
    };
    return std::find(std::begin(kTypes), std::end(kTypes), static_cast<std::uint32_t>(type)) !=
           std::end(kTypes);
}

// Repeats until everything is written; put(bytes, done) is write or pwrite.
template <class Put>
Result<void> write_all(int fd, std::string_view bytes, Put put) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = put(bytes.substr(done), done);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0) return failed_on("write", fd);
        done += static_cast<std::size_t>(n);
    }
    return {};
}

}  // namespace

FileInfo to_info(const struct stat& st) {
    FileInfo info;
    info.kind = kind_of_mode(st.st_mode);
    info.mode = st.st_mode & 07777;
    info.uid = st.st_uid;
    info.gid = st.st_gid;
    info.links = st.st_nlink;
    info.size = static_cast<std::uint64_t>(st.st_size);
    info.inode = st.st_ino;
    info.device = st.st_dev;
    info.mtime_ns = nanoseconds(st.st_mtim);
    info.ctime_ns = nanoseconds(st.st_ctim);
    info.atime_ns = nanoseconds(st.st_atim);
    return info;
}

Result<std::vector<DirEntry>> entries_of(DIR* directory, const std::string& path) {
    std::vector<DirEntry> entries;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory);
        if (entry == nullptr) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            entries.push_back({std::string(name), kind_of_entry(entry->d_type), entry->d_ino});
    }
    if (errno != 0) return system_error("read directory " + path);
    return entries;
}

RealFs& RealFs::instance() {
    static RealFs fs;
    return fs;
}

Result<Fd> RealFs::open(const std::string& path, int flags, mode_t mode) {
    for (;;) {
        Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
        if (fd) return fd;
        if (errno != EINTR) return system_error("open " + path);
    }
}

Result<std::string> RealFs::read_at(int fd, std::uint64_t offset, std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t done = 0;
    while (done < count) {
        const ssize_t n =
            ::pread(fd, bytes.data() + done, count - done, static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed_on("read", fd);
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    bytes.resize(done);
    return bytes;
}

Result<void> RealFs::write(int fd, std::string_view bytes) {
    return write_all(fd, bytes, [fd](std::string_view rest, std::size_t) {
        return ::write(fd, rest.data(), rest.size());
    });
}

Result<void> RealFs::write_at(int fd, std::uint64_t offset, std::string_view bytes) {
    return write_all(fd, bytes, [fd, offset](std::string_view rest, std::size_t done) {
        return ::pwrite(fd, rest.data(), rest.size(), static_cast<off_t>(offset + done));
    });
}

Result<void> RealFs::truncate(int fd, std::uint64_t size) {
    return check(::ftruncate(fd, static_cast<off_t>(size)), "truncate", fd);
}

Result<void> RealFs::start_sync(int fd) {
    return check(::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE), "sync_file_range", fd);
}

Result<void> RealFs::sync(int fd) {
    for (;;) {  // a network file system may be interrupted
        if (::fsync(fd) == 0) return {};
        if (errno != EINTR) return failed_on("fsync", fd);
    }
}

Result<void> RealFs::sync_data(int fd) {
    for (;;) {
        if (::fdatasync(fd) == 0) return {};
        if (errno != EINTR) return failed_on("fdatasync", fd);
    }
}

Result<void> RealFs::sync_filesystem(int fd) {
    struct statfs about_it {};
    if (::fstatfs(fd, &about_it) != 0) return failed_on("syncfs", fd);
    if (!syncs_as_a_whole(about_it.f_type)) {
        errno = EOPNOTSUPP;
        return failed_on("syncfs", fd);
    }
    return check(::syncfs(fd), "syncfs", fd);
}

Result<FileInfo> RealFs::info(int fd) {
    struct stat st {};
    if (::fstat(fd, &st) != 0) return failed_on("stat", fd);
    return to_info(st);
}

Result<FileInfo> RealFs::info(const std::string& path) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) return system_error("stat " + path);
    return to_info(st);
}

Result<void> RealFs::rename(const std::string& from, const std::string& to) {
    return check(::rename(from.c_str(), to.c_str()), cat({"rename ", from, " to ", to}));
}

Result<void> RealFs::link(const std::string& from, const std::string& to) {
    return check(::link(from.c_str(), to.c_str()), cat({"link ", from, " to ", to}));
}

Result<void> RealFs::unlink(const std::string& path) {
    return check(::unlink(path.c_str()), "unlink " + path);
}

Result<void> RealFs::make_directory(const std::string& path, mode_t mode) {
    return check(::mkdir(path.c_str(), mode), "mkdir " + path);
}

Result<void> RealFs::remove_directory(const std::string& path) {
    return check(::rmdir(path.c_str()), "rmdir " + path);
}

Result<std::vector<DirEntry>> RealFs::list(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
    if (!dir) return system_error("open directory " + path);
    return entries_of(dir.get(), path);
}

Result<void> RealFs::sync_directory(const std::string& path) {
    TRY_ASSIGN(Fd fd, open(path, O_RDONLY | O_DIRECTORY, 0));
    return check(::fsync(fd.get()), "fsync directory " + path);
}

Result<void> RealFs::set_times(const std::string& path, std::int64_t mtime_seconds) {
    const timespec when{static_cast<time_t>(mtime_seconds), 0};
    const timespec times[2] = {when, when};
    return check(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW),
                 "set times of " + path);
}

Result<void> RealFs::set_mode(const std::string& path, mode_t mode) {
    return check(::chmod(path.c_str(), mode), "chmod " + path);
}

}  // namespace postern::sys
