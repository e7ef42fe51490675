// GroupFs: a file system whose new files and directories may be used by those whom the mode of a
// directory names, as Dovecot does it: a tree of folders that is rwxrws--- gets files that are
// rw-rw----. The rest of our code makes its files for their owner alone.
#pragma once

#include <optional>

#include "lib/sys/fs.h"

namespace postern::mailbox {

class GroupFs final : public sys::Fs {
  public:
    // `mode`: of the tree's directory.
    GroupFs(sys::Fs& base, mode_t mode) : base_(&base), mode_(mode) {}
    // Would it do anything for a tree of this mode?
    static bool is_needed(mode_t mode) { return (mode & 077) != 0; }

    Result<Fd> open(const std::string& path, int flags, mode_t mode) override;
    Result<void> make_directory(const std::string& path, mode_t mode) override;

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
    Result<sys::FileInfo> info(int fd) override { return base_->info(fd); }
    Result<sys::FileInfo> info(const std::string& path) override { return base_->info(path); }
    Result<void> rename(const std::string& from, const std::string& to) override {
        return base_->rename(from, to);
    }
    Result<void> link(const std::string& from, const std::string& to) override {
        return base_->link(from, to);
    }
    Result<void> unlink(const std::string& path) override { return base_->unlink(path); }
    Result<void> remove_directory(const std::string& path) override {
        return base_->remove_directory(path);
    }
    Result<std::vector<sys::DirEntry>> list(const std::string& path) override {
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

  private:
    sys::Fs* base_;
    mode_t mode_;
};

// The file system in which files of a directory are made: a GroupFs where the directory's
// set-group-id bit says that it is a group's too, and otherwise what there is. Nobody else's part
// of the mode is passed on.
class FolderFs {
  public:
    FolderFs(sys::Fs& base, const std::string& directory);
    FolderFs(const FolderFs&) = delete;
    FolderFs& operator=(const FolderFs&) = delete;
    // May the directory's owner use what is made here?
    bool is_for_owner() const { return is_for_owner_; }
    sys::Fs& operator*() const { return *fs_; }
    sys::Fs* operator->() const { return fs_; }

  private:
    std::optional<GroupFs> group_;
    sys::Fs* fs_;
    bool is_for_owner_ = false;
};

// The mode for GroupFs of a directory that its set-group-id bit says to be a group's too.
std::optional<mode_t> mode_for_group(const sys::FileInfo& directory);

}  // namespace postern::mailbox
