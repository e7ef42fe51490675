#include "lib/mailbox/group_fs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/strings.h"
#include "lib/sys/error.h"

namespace postern::mailbox {
namespace {

// By the descriptor: who else may write in the folder could put something of the user's behind the
// name meanwhile.
Result<void> add_mode(int fd, mode_t mode, const std::string& path) {
    if (::fchmod(fd, mode) != 0) return sys::system_error(cat({"chmod ", path}));
    return {};
}

}  // namespace

// By chmod, as the umask would take the bits away. A file that is somebody else's has them already.
Result<Fd> GroupFs::open(const std::string& path, int flags, mode_t mode) {
    TRY_ASSIGN(Fd file, base().open(path, flags, mode));
    if ((flags & O_CREAT) == 0) return file;
    const mode_t wanted = mode | (mode_ & 066);
    TRY_ASSIGN(const auto info, base().info(file.get()));
    if ((info.mode & wanted) != wanted && info.uid == ::geteuid())
        TRY(add_mode(file.get(), info.mode | wanted, path));
    return file;
}

// A new directory belongs to the group of one with the set-group-id bit, and has that bit too.
Result<void> GroupFs::make_directory(const std::string& path, mode_t mode) {
    TRY(base().make_directory(path, mode));
    TRY_ASSIGN(const Fd made, base().open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY_ASSIGN(const auto info, base().info(made.get()));
    if (info.uid != ::geteuid()) return Error{Errc::denied, path + " is somebody else's", 0};
    return add_mode(made.get(), mode | (mode_ & (S_ISGID | 077)), path);
}

std::optional<mode_t> mode_for_group(const sys::FileInfo& directory) {
    const bool is_directory = directory.kind == sys::FileInfo::Kind::directory;
    if (!is_directory || (directory.mode & S_ISGID) == 0) return std::nullopt;
    return directory.mode & ~static_cast<mode_t>(S_IRWXO);
}

FolderFs::FolderFs(sys::Fs& base, const std::string& directory) : fs_(&base) {
    const auto info = base.info(directory);
    const auto mode = info ? mode_for_group(*info) : std::nullopt;
    if (mode) fs_ = &group_.emplace(base, *mode);
    constexpr mode_t kGroupsUse = S_IRGRP | S_IWGRP;
    is_for_owner_ =
        info && (info->uid == ::geteuid() || (mode && (*mode & kGroupsUse) == kGroupsUse));
}

}  // namespace postern::mailbox
