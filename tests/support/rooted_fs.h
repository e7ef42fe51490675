// RootedFs: the real file system seen from a folder: relative paths begin there. So a test needs no
// chdir, and several instances stand side by side.
#pragma once

#include "lib/sys/fs.h"

namespace postern::support {

class RootedFs : public sys::Fs {
  public:
    explicit RootedFs(std::string root) : root_(std::move(root)) {}

    Result<Fd> open(const std::string& path, int flags, mode_t mode) override;
    Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t count) override;
    Result<void> write(int fd, std::string_view bytes) override;
    Result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) override;
    Result<void> truncate(int fd, std::uint64_t size) override;
    Result<void> start_sync(int fd) override;
    Result<void> sync(int fd) override;
    Result<void> sync_data(int fd) override;
    Result<void> sync_filesystem(int fd) override;
    Result<sys::FileInfo> info(int fd) override;
    Result<sys::FileInfo> info(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> link(const std::string& from, const std::string& to) override;
    Result<void> unlink(const std::string& path) override;
    Result<void> make_directory(const std::string& path, mode_t mode) override;
    Result<void> remove_directory(const std::string& path) override;
    Result<std::vector<sys::DirEntry>> list(const std::string& path) override;
    Result<void> sync_directory(const std::string& path) override;
    Result<void> set_times(const std::string& path, std::int64_t mtime_seconds) override;
    Result<void> set_mode(const std::string& path, mode_t mode) override;

    const std::string& root() const { return root_; }

  protected:
    std::string absolute(const std::string& path) const {
        return path.starts_with('/') ? path : root_ + "/" + path;
    }
    sys::Fs& real() const { return sys::RealFs::instance(); }

  private:
    std::string root_;
};

}  // namespace postern::support
