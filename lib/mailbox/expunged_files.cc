#include "lib/mailbox/expunged_files.h"

#include "lib/base/strings.h"
#include "lib/mailbox/folder_lock.h"

namespace postern::mailbox {

std::string ExpungedFiles::directory() const { return cat({index_.folder(), "/postern.expunged"}); }

// Others who may write in a shared folder could have put a link there.
bool ExpungedFiles::is_directory() const {
    const auto info = index_.fs().info(directory());
    return info && info->kind == sys::FileInfo::Kind::directory;
}

bool ExpungedFiles::make_room() {
    if (!is_directory() && !index_.fs().make_directory(directory(), 0700)) return false;
    there_ = true;
    return true;
}

Result<void> ExpungedFiles::take(const IndexRow& row, bool may_wait) {
    sys::Fs& fs = index_.fs();
    const std::string path = index_.path(row);
    if (may_wait) {
        const std::string_view name = index_.name(row);
        auto moved = fs.rename(path, cat({directory(), "/", name}));
        if (moved) names_.emplace_back(name);
        if (moved || moved.error().code == Errc::not_found) return moved;
    }
    return fs.unlink(path);
}

Result<void> ExpungedFiles::look() {
    if (looked_) return {};
    looked_ = true;
    if (!is_directory()) return {};
    there_ = true;
    TRY_ASSIGN(const auto entries, index_.fs().list(directory()));
    names_.clear();  // they are among the entries
    for (const auto& entry : entries) names_.push_back(entry.name);
    return {};
}

Result<bool> ExpungedFiles::remove_some(std::size_t limit) {
    TRY(look());
    for (std::size_t done = 0; done < limit && !names_.empty(); ++done) {
        const std::string path = cat({directory(), "/", names_.back()});
        names_.pop_back();
        auto removed = index_.fs().unlink(path);
        if (!removed && removed.error().code != Errc::not_found) return std::move(removed).error();
    }
    if (!names_.empty()) return true;
    if (there_) remove_directory();
    return false;
}

// Under the lock, as another session may just have made it and be about to move files there. Where
// that one is busy, or has files there, the directory stays.
void ExpungedFiles::remove_directory() {
    const auto lock = FolderLock::take(index_.fs(), index_.folder() + "/postern.lock", Millis{0});
    if (!lock) return;
    there_ = false;
    (void)index_.fs().remove_directory(directory()).has_value();
}

}  // namespace postern::mailbox
