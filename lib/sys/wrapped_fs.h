// WrappedFs: a file system that does as another one; what derives from it says what it does otherwise.
#pragma once

#include "lib/sys/fs.h"

namespace postern::sys {

class WrappedFs : public Fs {
  public:
    explicit WrappedFs(Fs& base) : base_(&base) {}

    Result<Fd> open(const std::string& path, int flags, mode_t mode) override {
        return base_->open(path, flags, mode);
    }
    Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t count) override {
        return base_->read_at(fd, offset, count);
    }
    Result<void> write(int fd, std::string_view bytes) override { return base_->write(fd, bytes); }
    Result<void> write_at(int fd, std::uint64_t offset, std::string_view bytes) override {
        return base_->write_at(fd, offset, bytes);
    }
    Result<void> truncate(int fd, std::uint64_t size) override { return base_->truncate(fd, size); }
    Result<void> start_sync(int fd) override { return base_->start_sync(fd); }
    Result<void> sync(int fd) override { return base_->sync(fd); }
    Result<void> sync_data(int fd) override { return base_->sync_data(fd); }
    Result<void> sync_filesystem(int fd) override { return base_->sync_filesystem(fd); }
    Result<FileInfo> info(int fd) override { return base_->info(fd); }
    Result<FileInfo> info(const std::string& path) override { return base_->info(path); }
    Result<void> rename(const std::string& from, const std::string& to) override {
        return base_->rename(from, to);
    }
    Result<void> link(const std::string& from, const std::string& to) override {
        return base_->link(from, to);
    }
    Result<void> unlink(const std::string& path) override { return base_->unlink(path); }
    Result<void> make_directory(const std::string& path, mode_t mode) override {
        return base_->make_directory(path, mode);
    }
    Result<void> remove_directory(const std::string& path) override {
        return base_->remove_directory(path);
    }
    Result<std::vector<DirEntry>> list(const std::string& path) override {
        return base_->list(path);
    }
    Result<void> sync_directory(const std::string& path) override {
        return base_->sync_directory(path);
    }
    Result<void> set_times(const std::string& path, std::int64_t mtime_seconds) override {
        return base_->set_times(path, mtime_seconds);
    }
    Result<void> set_mode(const std::string& path, mode_t mode) override {
        return base_->set_mode(path, mode);
    }

  protected:
    Fs& base() const { return *base_; }

  private:
    Fs* base_;
};

}  // namespace postern::sys
