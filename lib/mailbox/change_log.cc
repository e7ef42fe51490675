#include "lib/mailbox/change_log.h"

#include <fcntl.h>

#include <cstring>

#include "lib/base/crc32c.h"

namespace postern::mailbox {
namespace {

std::uint32_t frame_crc(std::uint64_t generation, std::uint64_t offset, std::uint64_t modseq,
                        std::string_view payload) {
    // Begun with its place, so that bytes of an older log are no transactions here.
    std::uint32_t crc = crc32c(bytes_of(generation));
    crc = crc32c(bytes_of(offset), crc);
    crc = crc32c(bytes_of(modseq), crc);
    return crc32c(payload, crc);
}

std::uint32_t header_crc(const LogHeader& header) {
    return crc32c(bytes_of(header).substr(0, offsetof(LogHeader, crc)));
}

bool is_good(const LogHeader& header) {
    return std::memcmp(header.magic, kLogMagic, sizeof kLogMagic) == 0 &&
           header.version == kLogVersion && header.header_size >= sizeof header &&
           header.header_size < 4096 && header.crc == header_crc(header) && header.validity != 0;
}

}  // namespace

void ChangeLog::resume(std::uint64_t generation, std::uint64_t offset) {
    file_.reset();
    generation_ = generation;
    offset_ = offset;
    size_ = 0;
}

// Opens the file at the path; false where there is none that can be read.
Result<bool> ChangeLog::open() {
    constexpr int kSafely = O_NOFOLLOW | O_NONBLOCK;  // a pipe would be waited for
    auto file = fs_->open(path_, O_RDWR | O_APPEND | kSafely);
    if (!file && file.error().code == Errc::denied) file = fs_->open(path_, O_RDONLY | kSafely);
    if (!file && file.error().code == Errc::not_found) return false;
    if (!file) return std::move(file).error();
    TRY_ASSIGN(const auto info, fs_->info(file->get()));
    if (info.kind != sys::FileInfo::Kind::regular) return false;
    size_ = info.size;
    TRY_ASSIGN(const std::string bytes, fs_->read_at(file->get(), 0, sizeof(LogHeader)));
    LogHeader header{};
    if (bytes.size() < sizeof header) return false;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (!is_good(header)) return false;
    file_ = *std::move(file);
    inode_ = info.inode;
    validity_ = header.validity;
    if (generation_ != header.generation) {
        generation_ = header.generation;
        offset_ = 0;  // "start again"
    }
    return true;
}

Result<ChangeLog::Followed> ChangeLog::follow(ChangeSink& sink) {
    if (file_) {
        auto info = fs_->info(path_);
        if (!info && info.error().code != Errc::not_found) return std::move(info).error();
        if (!info || info->inode != inode_)
            file_.reset();
        else
            size_ = info->size;
    }
    if (!file_) {
        TRY_ASSIGN(const bool good, open());
        if (!good) return Followed::missing;
        if (offset_ == 0) return Followed::replaced;
    }
    if (size_ < offset_) return Followed::replaced;
    return size_ == offset_ ? Followed::nothing : read_tail(sink);
}

Result<ChangeLog::Followed> ChangeLog::restart(ChangeSink& sink) {
    file_.reset();
    generation_ = 0;
    modseq_ = first_modseq_ = 0;
    TRY_ASSIGN(const bool good, open());
    if (!good) return Followed::missing;
    offset_ = sizeof(LogHeader);
    TRY(read_tail(sink));
    return Followed::news;
}

Result<ChangeLog::Followed> ChangeLog::read_tail(ChangeSink& sink) {
    TRY_ASSIGN(const std::string bytes,
               fs_->read_at(file_.get(), offset_, static_cast<std::size_t>(size_ - offset_)));
    const ReadFrames frames = read_frames(bytes, generation_, offset_, sink);
    offset_ += frames.size;
    if (frames.modseq != 0) modseq_ = frames.modseq;
    if (first_modseq_ == 0) first_modseq_ = frames.first_modseq;
    return frames.size > 0 ? Followed::news : Followed::nothing;
}

ReadFrames read_frames(std::string_view bytes, std::uint64_t generation, std::uint64_t offset,
                       ChangeSink& sink) {
    ReadFrames out;
    FrameHeader header{};
    while (bytes.size() - out.size >= sizeof header) {
        std::memcpy(&header, bytes.data() + out.size, sizeof header);
        const std::uint64_t end = out.size + sizeof header + header.size;
        if (header.size == 0 || header.size > kMaxFrame || end > bytes.size()) break;
        const auto payload = bytes.substr(out.size + sizeof header, header.size);
        if (header.crc != frame_crc(generation, offset + out.size, header.modseq, payload)) break;
        if (!read_changes(payload, header.modseq, sink)) break;
        out = {end, header.modseq, out.first_modseq != 0 ? out.first_modseq : header.modseq};
    }
    return out;
}

std::string ChangeLog::frame(const std::string& payload, std::uint64_t modseq,
                             std::uint64_t generation, std::uint64_t offset) const {
    const FrameHeader header{static_cast<std::uint32_t>(payload.size()),
                             frame_crc(generation, offset, modseq, payload), modseq};
    std::string out;
    out.reserve(sizeof header + payload.size());
    out += bytes_of(header);
    return out += payload;
}

Result<void> ChangeLog::append(const std::string& payload, std::uint64_t modseq, bool durable) {
    if (payload.size() > kMaxFrame) return Error{Errc::permanent, path_ + ": too large a change"};
    TRY(fs_->write(file_.get(), frame(payload, modseq, generation_, offset_)));
    if (durable) TRY(fs_->sync(file_.get()));
    offset_ += sizeof(FrameHeader) + payload.size();
    size_ = offset_;
    modseq_ = modseq;
    return {};
}

Result<void> ChangeLog::replace(std::uint32_t validity, std::uint64_t generation,
                                const std::string& payload, std::uint64_t modseq) {
    LogHeader header{};
    std::memcpy(header.magic, kLogMagic, sizeof kLogMagic);
    header.version = kLogVersion;
    header.header_size = sizeof header;
    header.validity = validity;
    header.generation = generation;
    header.crc = header_crc(header);
    const std::string temporary = path_ + ".new";
    {
        TRY_ASSIGN(const Fd file,
                   fs_->open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
        TRY(fs_->write(file.get(), bytes_of(header)));
        TRY(fs_->write(file.get(), frame(payload, modseq, generation, sizeof header)));
        TRY(fs_->sync(file.get()));
    }
    // Nobody's loss if it fails: clients are told more than they need then.
    (void)fs_->unlink(path_ + ".old").has_value();
    (void)fs_->link(path_, path_ + ".old").has_value();
    TRY(fs_->rename(temporary, path_));
    TRY(fs_->sync_directory(path_.substr(0, path_.find_last_of('/'))));
    resume(generation, sizeof header + sizeof(FrameHeader) + payload.size());
    modseq_ = modseq;
    validity_ = validity;
    TRY_ASSIGN(const bool good, open());
    if (!good) return Error{Errc::corrupt, path_ + ": not readable after it was written"};
    size_ = offset_;
    return {};
}

}  // namespace postern::mailbox
