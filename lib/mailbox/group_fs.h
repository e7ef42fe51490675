// GroupFs: a file system whose new files and directories may be used by those whom the mode of a
// directory names, as Dovecot does it: a tree of folders that is rwxrws--- gets files that are
// rw-rw----. The rest of our code makes its files for their owner alone.
#pragma once

#include <optional>

#include "lib/sys/wrapped_fs.h"

namespace postern::mailbox {

class GroupFs final : public sys::WrappedFs {
  public:
    // `mode`: of the tree's directory.
    GroupFs(sys::Fs& base, mode_t mode) : WrappedFs(base), mode_(mode) {}
    // Would it do anything for a tree of this mode?
    static bool is_needed(mode_t mode) { return (mode & 077) != 0; }

    Result<Fd> open(const std::string& path, int flags, mode_t mode) override;
    Result<void> make_directory(const std::string& path, mode_t mode) override;

  private:
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
