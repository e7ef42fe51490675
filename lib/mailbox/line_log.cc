#include "lib/mailbox/line_log.h"

#include <fcntl.h>

namespace postern::mailbox {

bool LineLog::stale() const {
    auto info = fs_->info(path_);
    if (!info) return static_cast<bool>(file_);
    return !file_ || info->inode != inode_ || info->size != known_size_;
}

Result<bool> LineLog::refresh(const Reader& reader) {
    auto info = fs_->info(path_);
    if (!info && info.error().code == Errc::not_found) {
        if (file_) reader.on_header("");
        file_.reset();
        return false;
    }
    if (!info) return std::move(info).error();
    if (!file_ || info->inode != inode_ || info->size < offset_) {
        // A pipe would be waited for.
        TRY_ASSIGN(file_, fs_->open(path_, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        TRY_ASSIGN(*info, fs_->info(file_.get()));
        inode_ = info->inode;
        offset_ = 0;
        header_seen_ = false;
    }
    if (info->kind != sys::FileInfo::Kind::regular || info->size > max_size_) {
        file_.reset();
        return Error{Errc::corrupt, path_ + ": not a regular file, or too large", 0};
    }
    TRY_ASSIGN(const std::string bytes,
               fs_->read_at(file_.get(), offset_, static_cast<std::size_t>(info->size - offset_)));
    known_size_ = offset_ + bytes.size();
    std::string_view rest = bytes;
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        (header_seen_ ? reader.on_line : reader.on_header)(rest.substr(0, end));
        header_seen_ = true;
        rest.remove_prefix(end + 1);
        offset_ += end + 1;
    }
    torn_ = !rest.empty();
    if (!header_seen_) reader.on_header("");
    return true;
}

Result<void> LineLog::append(std::string_view lines, bool durable) {
    TRY_ASSIGN(Fd file, fs_->open(path_, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK));
    TRY(fs_->write(file.get(), lines));
    if (durable) TRY(fs_->sync(file.get()));
    return {};
}

Result<void> LineLog::replace(std::string_view content) {
    const std::string temporary = path_ + ".new";
    constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;
    TRY_ASSIGN(Fd file, fs_->open(temporary, kFlags, 0600));
    TRY(fs_->write(file.get(), content));
    TRY(fs_->sync(file.get()));
    TRY(fs_->rename(temporary, path_));
    return fs_->sync_directory(path_.substr(0, path_.find_last_of('/')));
}

}  // namespace postern::mailbox
