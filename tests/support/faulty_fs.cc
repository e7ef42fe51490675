#include "tests/support/faulty_fs.h"

#include <fcntl.h>

#include "lib/sys/error.h"

namespace postern::support {

bool FaultyFs::fails() {
    const int now = ++count_;
    if (now == fail_at_ || (now > fail_at_ && after_ == After::stays_broken)) {
        fired_ = true;
        return true;
    }
    return false;
}

Error FaultyFs::error(std::string_view doing) const { return sys::system_error(doing, errno_); }

Result<Fd> FaultyFs::open(const std::string& path, int flags, mode_t mode) {
    if ((flags & O_CREAT) != 0 && fails()) return error("open " + path);
    return RootedFs::open(path, flags, mode);
}
Result<void> FaultyFs::write(int fd, std::string_view bytes) {
    if (!fails()) return RootedFs::write(fd, bytes);
    (void)RootedFs::write(fd, bytes.substr(0, bytes.size() / 2));
    return error("write");
}
Result<void> FaultyFs::write_at(int fd, std::uint64_t offset, std::string_view bytes) {
    if (!fails()) return RootedFs::write_at(fd, offset, bytes);
    (void)RootedFs::write_at(fd, offset, bytes.substr(0, bytes.size() / 2));
    return error("write");
}
Result<void> FaultyFs::truncate(int fd, std::uint64_t size) {
    if (fails()) return error("truncate");
    return RootedFs::truncate(fd, size);
}
Result<void> FaultyFs::sync(int fd) {
    if (fails()) return error("fsync");
    return RootedFs::sync(fd);
}
Result<void> FaultyFs::sync_data(int fd) {
    if (fails()) return error("fdatasync");
    return RootedFs::sync_data(fd);
}
Result<void> FaultyFs::rename(const std::string& from, const std::string& to) {
    if (fails()) return error("rename " + from);
    return RootedFs::rename(from, to);
}
Result<void> FaultyFs::link(const std::string& from, const std::string& to) {
    if (fails()) return error("link " + from);
    return RootedFs::link(from, to);
}
Result<void> FaultyFs::unlink(const std::string& path) {
    if (fails()) return error("unlink " + path);
    return RootedFs::unlink(path);
}
Result<void> FaultyFs::make_directory(const std::string& path, mode_t mode) {
    if (fails()) return error("mkdir " + path);
    return RootedFs::make_directory(path, mode);
}
Result<void> FaultyFs::sync_filesystem(int fd) {
    if (fails()) return error("syncfs");
    return RootedFs::sync_filesystem(fd);
}

Result<void> FaultyFs::sync_directory(const std::string& path) {
    if (fails()) return error("fsync directory " + path);
    return RootedFs::sync_directory(path);
}

}  // namespace postern::support
