#include "lib/mailbox/message_cache.h"

#include <fcntl.h>

#include <bit>
#include <cstring>

#include "lib/base/crc32c.h"
#include "lib/base/strings.h"

namespace postern::mailbox {
namespace {

constexpr std::size_t kMostEntries = 4096;  // bytes: few are longer
constexpr std::size_t kBuffer = 512 * 1024;
// Entries of messages long gone make the file grow: beyond this it is written anew.
constexpr std::uint64_t kRoom = 8 * 1024 * 1024;
constexpr std::uint64_t kRoomPerMessage = 8 * 1024;

std::uint32_t header_crc(const CacheHeader& header) {
    return crc32c(bytes_of(header).substr(0, offsetof(CacheHeader, crc)));
}

constexpr std::size_t kBeforeChecked = offsetof(CacheEntry, uid);

}  // namespace

std::optional<ReadEntry> read_entry(std::string_view bytes) {
    CacheEntry e{};
    if (bytes.size() < sizeof e) return std::nullopt;
    std::memcpy(&e, bytes.data(), sizeof e);
    const std::uint64_t texts =
        std::uint64_t{e.envelope} + e.structure + e.header + std::uint64_t{e.omitted};
    if (e.size > bytes.size() || e.size < sizeof e || texts > e.size - sizeof e)
        return std::nullopt;
    bytes = bytes.substr(0, e.size);
    if (e.crc != crc32c(bytes.substr(kBeforeChecked))) return std::nullopt;
    ReadEntry out{e.uid, e.size, {}};
    out.message.wire_size = e.wire_size;
    out.message.date = e.date;
    bytes.remove_prefix(sizeof e);
    const auto take = [&bytes](std::uint32_t size) {
        const auto text = bytes.substr(0, size);
        bytes.remove_prefix(size);
        return text;
    };
    out.message.envelope = take(e.envelope);
    out.message.structure = take(e.structure);
    out.message.header = take(e.header);
    out.message.omitted = take(e.omitted);
    return out;
}

Result<CacheFile> CacheFile::open(const FolderIndex& index) {
    CacheFile out;
    out.fs_ = &index.fs();
    TRY_ASSIGN(Fd file, out.fs_->open(index.folder() + "/postern.cache",
                                      O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    TRY_ASSIGN(const auto info, out.fs_->info(file.get()));
    out.size_ = info.size;
    out.inode_ = info.inode;
    if (index.is_shared()) {
        out.file_ = std::move(file);
    } else {
        TRY_ASSIGN(out.map_,
                   sys::MappedFile::map(file.get(), static_cast<std::size_t>(info.size)));
    }
    return out;
}

std::string_view CacheFile::from(std::uint64_t offset) {
    if (offset >= size_) return {};
    if (!file_) return map_.bytes().substr(static_cast<std::size_t>(offset));
    piece_ = fs_->read_at(file_.get(), offset, kMostEntries).value_or("");
    CacheEntry e{};
    if (piece_.size() < sizeof e) return piece_;
    std::memcpy(&e, piece_.data(), sizeof e);
    if (e.size > piece_.size() && e.size <= sizeof e + kMaxSummary + 7)
        piece_ = fs_->read_at(file_.get(), offset, e.size).value_or("");
    return piece_;
}

// Opens the file with the first use; afterwards entries that others add are found by flush() only.
bool MessageCache::ready() {
    if (!opened_) {
        opened_ = true;
        if (!follow()) file_ = {};
    }
    return file_.size() > 0;
}

// Others may have added what we miss.
void MessageCache::look_again() {
    const auto info = index_.fs().info(index_.folder() + "/postern.cache");
    const bool same = info && info->inode == file_.inode() && info->size == file_.size();
    if (info && !same && !follow()) file_ = {};
}

std::optional<CachedMessage> MessageCache::find(std::size_t at) {
    if (!ready()) return std::nullopt;
    // The 1st, 2nd, 4th, 8th… time: who reads a whole folder for the first time finds nothing.
    if (index_.row(at).cache == 0 && std::has_single_bit(++misses_)) look_again();
    const IndexRow& row = index_.row(at);
    if (row.cache < sizeof(CacheHeader)) return std::nullopt;
    const auto entry = read_entry(file_.from(row.cache));
    if (!entry || entry->uid != row.uid) return std::nullopt;
    return entry->message;
}

void MessageCache::add(std::size_t at, const Summary& summary, std::int64_t date) {
    if (summary.size() > kMaxSummary) return;
    CacheEntry e{};
    const std::size_t size = (sizeof e + summary.size() + 7) / 8 * 8;
    e.size = static_cast<std::uint32_t>(size);
    e.uid = index_.row(at).uid;
    e.envelope = static_cast<std::uint32_t>(summary.envelope.size());
    e.structure = static_cast<std::uint32_t>(summary.structure.size());
    e.header = static_cast<std::uint32_t>(summary.header.size());
    e.omitted = static_cast<std::uint32_t>(summary.omitted.size());
    e.wire_size = summary.wire_size;
    e.date = date;
    const std::size_t begin = buffer_.size();
    buffer_ +=
        cat({bytes_of(e), summary.envelope, summary.structure, summary.header, summary.omitted});
    buffer_.resize(begin + size, '\0');
    e.crc = crc32c(std::string_view(buffer_).substr(begin + kBeforeChecked));
    std::memcpy(buffer_.data() + begin, &e, sizeof e);
    pending_.emplace_back(e.uid, begin);
    if (buffer_.size() >= kBuffer) (void)flush().has_value();  // tried again with the next
}

// Takes notice of what is in the file: entries behind those that the index knows.
Result<void> MessageCache::follow() {
    TRY_ASSIGN(file_, CacheFile::open(index_));
    const Error bad{Errc::corrupt, index_.folder() + "/postern.cache: damaged", 0};
    CacheHeader header{};
    const std::string_view head = file_.from(0);
    if (head.size() < sizeof header) return bad;
    std::memcpy(&header, head.data(), sizeof header);
    if (std::memcmp(header.magic, kCacheMagic, sizeof kCacheMagic) != 0 ||
        header.version != kCacheVersion || header.crc != header_crc(header) ||
        header.validity != index_.validity() || header.header_size != sizeof header)
        return bad;
    if (header.id != index_.cache_id()) index_.use_cache(header.id, sizeof header, true);
    std::uint64_t at = index_.cache_size();
    while (at < file_.size()) {
        const auto entry = read_entry(file_.from(at));
        if (!entry) return bad;
        const std::size_t row = index_.lower_bound(entry->uid);
        if (row == index_.count()) break;  // of a message that we do not know yet
        if (index_.row(row).uid == entry->uid) index_.learn_cache(row, at);
        at += entry->size;
        index_.use_cache(header.id, at, false);
    }
    return {};
}

Result<void> MessageCache::start_anew() {
    CacheHeader header{};
    std::memcpy(header.magic, kCacheMagic, sizeof kCacheMagic);
    header.version = kCacheVersion;
    header.header_size = sizeof header;
    header.validity = index_.validity();
    header.id = index_.fresh_id();
    header.crc = header_crc(header);
    sys::Fs& fs = index_.fs();
    const std::string path = index_.folder() + "/postern.cache";
    {
        TRY_ASSIGN(const Fd file,
                   fs.open(path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
        TRY(fs.write(file.get(), bytes_of(header)));
    }
    TRY(fs.rename(path + ".new", path));
    return follow();
}

Result<void> MessageCache::flush() {
    misses_ = 0;
    if (pending_.empty()) return {};
    std::string buffer = std::move(buffer_);
    const auto pending = std::move(pending_);
    buffer_.clear();
    pending_.clear();
    opened_ = true;
    TRY_ASSIGN(const FolderLock lock,
               FolderLock::take(index_.fs(), index_.folder() + "/postern.lock"));
    TRY(index_.follow());
    const bool usable =
        follow().has_value() && index_.cache_size() < kRoom + kRoomPerMessage * index_.count();
    if (!usable) TRY(start_anew());
    {
        TRY_ASSIGN(const Fd file, index_.fs().open(index_.folder() + "/postern.cache",
                                                   O_WRONLY | O_APPEND | O_NOFOLLOW));
        TRY(index_.fs().write(file.get(), buffer));
    }
    return follow();
}

}  // namespace postern::mailbox
