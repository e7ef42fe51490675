// Fs: the file system seam. Everything durable (queue files, Maildirs, uid lists) goes through it, so
// that tests can fail the n-th call (FaultyFs) or cut the power after any (CrashFs), see tests/support.
// Reading untouched by durability (configuration, tables) may use lib/sys/file.h instead.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::sys {

// What stat(2) tells, reduced to what mail software asks for.
struct FileInfo {
    enum class Kind : unsigned char { regular, directory, symlink, fifo, socket, other };
    Kind kind = Kind::other;
    mode_t mode = 0;  // permission bits only
    uid_t uid = 0;
    gid_t gid = 0;
    nlink_t links = 0;
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    std::uint64_t device = 0;
    std::int64_t mtime_ns = 0;  // since the epoch
    std::int64_t ctime_ns = 0;
    std::int64_t atime_ns = 0;
};

struct DirEntry {
    std::string name;         // never "." or ".."
    FileInfo::Kind kind = FileInfo::Kind::other;
    std::uint64_t inode = 0;
};

// Paths are relative to the current directory or absolute. Errors name the call's object:
// "rename tmp/1 to new/1: No space left on device". Descriptors are close-on-exec.
class Fs {
  public:
    virtual ~Fs() = default;

    virtual Result<Fd> open(const std::string& path, int flags, mode_t mode = 0600) = 0;
    virtual Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t count) = 0;  // shorter at end of file
    virtual Result<void> write(int fd, std::string_view bytes) = 0;                            // all or an error
    virtual Result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) = 0;
    virtual Result<void> truncate(int fd, std::uint64_t size) = 0;
    virtual Result<void> start_sync(int fd) = 0;  // begins writing dirty pages, does not wait (sync_file_range)
    virtual Result<void> sync(int fd) = 0;        // fsync(2): contents and size survive a power cut
    // fdatasync(2): the same, but not times, modes and new names, so that bytes written over old ones cost
    // the disk one write and the journal nothing.
    virtual Result<void> sync_data(int fd) = 0;
    // syncfs(2): all written so far on its file system survives a power cut. EOPNOTSUPP: no such promise.
    virtual Result<void> sync_filesystem(int fd) = 0;
    virtual Result<FileInfo> info(int fd) = 0;

    virtual Result<FileInfo> info(const std::string& path) = 0;  // does not follow a symbolic link
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    virtual Result<void> link(const std::string& from, const std::string& to) = 0;
    virtual Result<void> unlink(const std::string& path) = 0;
    virtual Result<void> make_directory(const std::string& path, mode_t mode) = 0;
    virtual Result<void> remove_directory(const std::string& path) = 0;
    virtual Result<std::vector<DirEntry>> list(const std::string& path) = 0;
    virtual Result<void> sync_directory(const std::string& path) = 0;
    virtual Result<void> set_times(const std::string& path, std::int64_t mtime_seconds) = 0;  // mtime and atime
    virtual Result<void> set_mode(const std::string& path, mode_t mode) = 0;
};

// The kernel's.
class RealFs final : public Fs {
  public:
    static RealFs& instance();

    Result<Fd> open(const std::string& path, int flags, mode_t mode) override;
    Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t count) override;
    Result<void> write(int fd, std::string_view bytes) override;
    Result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) override;
    Result<void> truncate(int fd, std::uint64_t size) override;
    Result<void> start_sync(int fd) override;
    Result<void> sync(int fd) override;
    Result<void> sync_data(int fd) override;
    Result<void> sync_filesystem(int fd) override;
    Result<FileInfo> info(int fd) override;
    Result<FileInfo> info(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> link(const std::string& from, const std::string& to) override;
    Result<void> unlink(const std::string& path) override;
    Result<void> make_directory(const std::string& path, mode_t mode) override;
    Result<void> remove_directory(const std::string& path) override;
    Result<std::vector<DirEntry>> list(const std::string& path) override;
    Result<void> sync_directory(const std::string& path) override;
    Result<void> set_times(const std::string& path, std::int64_t mtime_seconds) override;
    Result<void> set_mode(const std::string& path, mode_t mode) override;
};

}  // namespace postern::sys
