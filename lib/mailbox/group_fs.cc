#include "lib/mailbox/group_fs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace postern::mailbox {

// By chmod, as the umask would take the bits away. A file that is somebody else's has them already.
Result<Fd> GroupFs::open(const std::string& path, int flags, mode_t mode) {
    TRY_ASSIGN(Fd file, base_->open(path, flags, mode));
    if ((flags & O_CREAT) == 0) return file;
    const mode_t wanted = mode | (mode_ & 066);
    TRY_ASSIGN(const auto info, base_->info(file.get()));
    if ((info.mode & wanted) != wanted && info.uid == ::geteuid())
        TRY(base_->set_mode(path, info.mode | wanted));
    return file;
}

// A new directory belongs to the group of one with the set-group-id bit, and has that bit too.
Result<void> GroupFs::make_directory(const std::string& path, mode_t mode) {
    TRY(base_->make_directory(path, mode));
    return base_->set_mode(path, mode | (mode_ & (S_ISGID | 077)));
}

}  // namespace postern::mailbox
