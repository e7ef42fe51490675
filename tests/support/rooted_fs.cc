#include "tests/support/rooted_fs.h"

namespace postern::support {

Result<Fd> RootedFs::open(const std::string& path, int flags, mode_t mode) {
    return real().open(absolute(path), flags, mode);
}
Result<std::string> RootedFs::read_at(int fd, std::uint64_t offset, std::size_t count) {
    return real().read_at(fd, offset, count);
}
Result<void> RootedFs::write(int fd, std::string_view bytes) { return real().write(fd, bytes); }
Result<void> RootedFs::write_at(int fd, std::uint64_t offset, std::string_view bytes) {
    return real().write_at(fd, offset, bytes);
}
Result<void> RootedFs::truncate(int fd, std::uint64_t size) { return real().truncate(fd, size); }
// Tests do not need the disk, only the order of calls.
Result<void> RootedFs::start_sync(int) { return {}; }

Result<void> RootedFs::sync_filesystem(int) {
    return {};
}  // durability is the derived fakes' affair
Result<void> RootedFs::sync(int) { return {}; }
Result<void> RootedFs::sync_data(int) { return {}; }
Result<sys::FileInfo> RootedFs::info(int fd) { return real().info(fd); }
Result<sys::FileInfo> RootedFs::info(const std::string& path) {
    return real().info(absolute(path));
}
Result<void> RootedFs::rename(const std::string& from, const std::string& to) {
    return real().rename(absolute(from), absolute(to));
}
Result<void> RootedFs::link(const std::string& from, const std::string& to) {
    return real().link(absolute(from), absolute(to));
}
Result<void> RootedFs::unlink(const std::string& path) { return real().unlink(absolute(path)); }
Result<void> RootedFs::make_directory(const std::string& path, mode_t mode) {
    return real().make_directory(absolute(path), mode);
}
Result<void> RootedFs::remove_directory(const std::string& path) {
    return real().remove_directory(absolute(path));
}
Result<std::vector<sys::DirEntry>> RootedFs::list(const std::string& path) {
    return real().list(absolute(path));
}
Result<void> RootedFs::sync_directory(const std::string&) { return {}; }
Result<void> RootedFs::set_times(const std::string& path, std::int64_t mtime_seconds) {
    return real().set_times(absolute(path), mtime_seconds);
}
Result<void> RootedFs::set_mode(const std::string& path, mode_t mode) {
    return real().set_mode(absolute(path), mode);
}

}  // namespace postern::support
