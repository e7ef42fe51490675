// FolderIndex and its files: loading, postern.index, replacing the log by a short one.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/base/crc32c.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/folder_index.h"
#include "lib/mailbox/message_name.h"
#include "lib/sys/beneath_fs.h"

namespace postern::mailbox {
namespace {

// A snapshot is written when reading the log's tail would cost more than this.
constexpr std::uint64_t kTailWorth = 16 * 1024;
constexpr std::size_t kRowsAtOnce = 256 * 1024;  // bytes
constexpr std::uint64_t kCacheWorth = 256 * 1024;
// A log is replaced by a short one when it is this long, and twice as long as that would be.
constexpr std::uint64_t kLongLog = 1024 * 1024;
constexpr std::uint64_t kRowInLog = 128;
constexpr std::uint64_t kManyDeadLines = 4096;      // bytes in postern.uids
constexpr std::int64_t kUnsettled = 1'000'000'000;  // ns

std::uint32_t header_crc(const IndexHeader& header) {
    return crc32c(bytes_of(header).substr(0, offsetof(IndexHeader, crc)));
}

bool is_good(const IndexHeader& h, std::uint64_t file_size) {
    if (std::memcmp(h.magic, kIndexMagic, sizeof kIndexMagic) != 0 || h.version != kIndexVersion ||
        h.crc != header_crc(h) || h.row_size != sizeof(IndexRow) || h.validity == 0)
        return false;
    if (h.header_size < sizeof h || h.header_size % alignof(IndexRow) != 0) return false;
    std::uint64_t left = file_size;
    if (left < h.header_size) return false;
    left -= h.header_size;
    if (h.count > left / sizeof(IndexRow)) return false;
    left -= h.count * sizeof(IndexRow);
    if (h.names_size > left) return false;
    return left - h.names_size == h.keywords_size;
}

}  // namespace

bool parse_snapshot(std::string_view bytes, SnapshotParts& out) {
    if (bytes.size() < sizeof out.header) return false;
    std::memcpy(&out.header, bytes.data(), sizeof out.header);
    const IndexHeader& h = out.header;
    if (!is_good(h, bytes.size())) return false;
    bytes.remove_prefix(h.header_size);
    const auto count = static_cast<std::size_t>(h.count);
    out.rows = {reinterpret_cast<const IndexRow*>(bytes.data()), count};
    bytes.remove_prefix(count * sizeof(IndexRow));
    out.names = bytes.substr(0, static_cast<std::size_t>(h.names_size));
    bytes.remove_prefix(out.names.size());
    for (const auto keyword : split(bytes, '\0')) out.keywords.emplace_back(keyword);
    out.keywords.resize(std::min(out.keywords.size(), kMaxKeywords));
    return !out.keywords.empty() && out.keywords.front() == kForwardedKeyword;
}

void FolderIndex::reset() {
    map_ = {};
    mapped_rows_ = {};
    mapped_names_ = {};
    owned_ = false;
    own_rows_.clear();
    own_names_.clear();
    keywords_.assign(1, std::string(kForwardedKeyword));
    validity_ = 0;
    next_uid_ = logged_next_ = first_recent_ = 1;
    modseq_ = 0;
    seen_ = {};
    mapped_unseen_ = mapped_first_unseen_ = 0;
    saved_offset_ = saved_cache_ = cache_id_ = cache_size_ = 0;
    pending_from_ = 0;
}

// A snapshot that cannot be used is as good as none.
bool FolderIndex::read_snapshot() {
    auto file = env_.fs->open(folder_ + "/postern.index", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return false;
    const auto info = env_.fs->info(file->get());
    if (!info || (env_.is_shared && info->size > sys::BeneathFs::kMaxRead)) return false;
    const auto size = static_cast<std::size_t>(info->size);
    // Whoever else may write there could cut off what is mapped.
    auto map = env_.is_shared ? sys::MappedFile::copy(file->get(), size)
                              : sys::MappedFile::map(file->get(), size);
    SnapshotParts parts;
    if (!map) return false;
    map->read_around(false);  // SELECT wants its head and end, whoever looks at messages all of it
    if (!parse_snapshot(map->bytes(), parts)) return false;
    map->read_around(true);
    map_ = *std::move(map);
    const IndexHeader& h = parts.header;
    mapped_rows_ = parts.rows;
    mapped_names_ = parts.names;
    keywords_ = std::move(parts.keywords);
    validity_ = h.validity;
    next_uid_ = logged_next_ = h.next_uid;
    first_recent_ = h.first_recent;
    modseq_ = h.modseq;
    seen_ = h.seen;
    mapped_unseen_ = h.unseen;
    mapped_first_unseen_ = h.first_unseen;
    saved_offset_ = h.log_offset;
    saved_cache_ = cache_size_ = h.cache_size;
    cache_id_ = h.cache_id;
    pending_from_ = h.pending != 0 ? 0 : mapped_rows_.size();
    log_.resume(h.log_generation, h.log_offset);
    return true;
}

Result<void> FolderIndex::load_files() {
    reset();
    read_snapshot();
    TRY_ASSIGN(auto followed, log_.follow(*this));
    const bool fits =
        followed == ChangeLog::Followed::nothing || followed == ChangeLog::Followed::news;
    if (!fits || log_.validity() != validity_) {
        reset();
        TRY_ASSIGN(followed, log_.restart(*this));
        // A log whose very first transaction cannot be read says nothing.
        const bool good = followed == ChangeLog::Followed::news && log_.modseq() != 0;
        validity_ = good ? log_.validity() : 0;
        log_missing_ = followed == ChangeLog::Followed::missing;
    }
    modseq_ = std::max(modseq_, log_.modseq());
    return {};
}

Result<void> FolderIndex::load(bool look) {
    in_use_ = false;
    TRY(load_files());
    if (validity_ == 0) {
        TRY_ASSIGN(Transaction transaction, begin());
        TRY(transaction.commit(false));
    }
    if (look) {
        TRY_ASSIGN(const bool behind, is_behind(true));
        if (behind || uids_.is_passed()) TRY(unless_full(reconcile()));
    }
    in_use_ = look;
    forget_marks();
    return {};
}

Result<void> FolderIndex::begin_again() {
    TRY(follow());
    if (log_missing_ || validity_ == 0) return Error{Errc::corrupt, folder_ + ": has no log", 0};
    TRY_ASSIGN(const bool behind, is_behind(true));
    if (behind || uids_.is_passed()) TRY(unless_full(reconcile()));
    forget_marks();
    return {};
}

Result<void> FolderIndex::unless_full(Result<void> written) {
    const bool can_wait =
        !written && (written.error().code == Errc::no_space || written.error().sys == EROFS);
    if (!can_wait) return written;
    if (!std::exchange(told_of_full_, true))
        log::warning("",
                     cat({folder_, ": ", written.error().what, "; mail can be read, not changed"}));
    return {};
}

Result<void> FolderIndex::follow() {
    TRY_ASSIGN(const auto followed, log_.follow(*this));
    log_missing_ = followed == ChangeLog::Followed::missing;
    if (followed == ChangeLog::Followed::replaced) return reload();
    modseq_ = std::max(modseq_, log_.modseq());
    return {};
}

// The log was replaced. The session keeps its rows; what became of each is told by the new files.
Result<void> FolderIndex::reload() {
    FolderIndex fresh(env_, folder_);
    TRY(fresh.load_files());
    if (!in_use_) {
        TRY(load_files());
        return {};
    }
    if (fresh.validity_ == 0) return {};  // nothing to learn; the next writer mends it
    if (fresh.validity_ != validity_)
        return Error{Errc::corrupt, folder_ + ": UIDVALIDITY changed", 0};
    merge(fresh);
    return {};
}

void FolderIndex::merge(FolderIndex& fresh) {
    std::vector<IndexRow> merged;
    std::string names;
    const auto keep = [&](IndexRow row, std::string_view name) {
        row.name = names.size();
        names += name;
        merged.push_back(row);
    };
    std::size_t at = 0;
    for (const IndexRow& old : rows()) {
        while (at < fresh.count() && fresh.row(at).uid < old.uid) ++at;
        const bool listed = at < fresh.count() && fresh.row(at).uid == old.uid;
        IndexRow row = listed ? fresh.row(at) : old;
        // Left out of the new log, or expunged since: after all that was known.
        if (!listed || (row.place & place::kGone) != 0) {
            row.place |= place::kGone;
            marks_ = true;
            if (first_gone_ == 0) first_gone_ = modseq_ + 1;
        }
        const std::string_view row_name = listed ? fresh.name(fresh.row(at)) : name(old);
        row.place = static_cast<std::uint8_t>(row.place | (old.place & ~place::kOnDisk));
        if (row.flags != old.flags || row.keywords != old.keywords) {
            row.place |= place::kChanged;
            marks_ = true;
        }
        keep(row, row_name);
        if (listed) ++at;
    }
    // What has come and gone meanwhile is news to nobody.
    for (; at < fresh.count(); ++at)
        if ((fresh.row(at).place & place::kGone) == 0)
            keep(fresh.row(at), fresh.name(fresh.row(at)));
    map_ = {};
    mapped_rows_ = {};
    mapped_names_ = {};
    own_rows_ = std::move(merged);
    own_names_ = std::move(names);
    owned_ = true;
    keywords_ = fresh.keywords_;
    next_uid_ = std::max(next_uid_, fresh.next_uid_);
    logged_next_ = std::max(logged_next_, fresh.logged_next_);
    first_recent_ = std::max(first_recent_, fresh.first_recent_);
    modseq_ = std::max(modseq_, fresh.modseq_);
    seen_ = fresh.seen_;
    saved_offset_ = fresh.saved_offset_;
    saved_cache_ = fresh.saved_cache_;
    use_cache(fresh.cache_id_, fresh.cache_size_, false);
    pending_from_ = 0;
    log_ = std::move(fresh.log_);  // with its file, as a transaction may be about to begin
}

// --- Looking at the folder from outside

Result<SeenState> FolderIndex::look() const {
    TRY_ASSIGN(const DirectoryState now, directory_state(*env_.fs, *env_.clock, folder_));
    SeenState seen{};
    seen.new_mtime = now.new_mtime;
    seen.cur_mtime = now.cur_mtime;
    seen.cur_inode = now.cur_inode;
    seen.young = now.young ? 1 : 0;
    seen.at = env_.clock->now().time_since_epoch().count() * 1000;
    if (const auto list = env_.fs->info(folder_ + "/postern.uids")) {
        seen.uids_inode = list->inode;
        seen.uids_size = list->size;
    }
    return seen;
}

Result<bool> FolderIndex::is_behind(bool thorough) const {
    TRY_ASSIGN(const SeenState now, look());
    if (now.new_mtime != seen_.new_mtime || now.cur_mtime != seen_.cur_mtime ||
        now.cur_inode != seen_.cur_inode || now.uids_inode != seen_.uids_inode ||
        now.uids_size != seen_.uids_size)
        return true;
    if (seen_.young == 0) return false;
    // A foreign program's change within the same tick as ours is found a little later.
    return thorough || seen_.own == 0 || now.at - seen_.at > kUnsettled;
}

// Under the lock: is the UID list the one we know? Makes it, and a log for it, where there is none.
Result<void> FolderIndex::check_uids() {
    const auto list = env_.fs->info(folder_ + "/postern.uids");
    if (validity_ != 0 && !log_missing_ && list && list->inode == seen_.uids_inode &&
        list->size == seen_.uids_size && !uids_.is_passed())
        return {};
    TRY(uids_.ensure());
    if (uids_.validity() != validity_) {
        if (in_use_) return Error{Errc::corrupt, folder_ + ": UIDVALIDITY changed", 0};
        reset();
        validity_ = uids_.validity();
        // Above what any earlier log of this folder can have reached.
        modseq_ = static_cast<std::uint64_t>(env_.clock->now().time_since_epoch().count());
        log_missing_ = true;
    }
    next_uid_ = std::max(next_uid_, uids_.next_uid());
    if (!log_missing_) return {};
    log_missing_ = false;
    return log_.replace(validity_, fresh_id(), checkpoint(), modseq_);
}

Result<std::vector<Uid>> FolderIndex::give_uids(std::span<const std::string_view> bases) {
    return uids_.append_at(next_uid_, bases);
}

std::uint64_t FolderIndex::fresh_id() const {
    std::uint64_t value = 0;
    const std::string bytes = env_.random->bytes(sizeof value);
    std::memcpy(&value, bytes.data(), sizeof value);
    return value | 1;
}

// --- Writing

// The whole state as one transaction: what a log begins with.
std::string FolderIndex::checkpoint() const {
    ChangeWriter out;
    for (unsigned bit = 1; bit < keywords_.size(); ++bit) out.keyword(bit, keywords_[bit]);
    out.numbers(logged_next_, first_recent_);
    out.seen(seen_);
    for (const IndexRow& row : rows()) {
        if ((row.place & place::kGone) != 0) continue;
        out.add({row.uid, row.flags, row.place, row.keywords, row.modseq, row.wire_size, row.date,
                 name(row)});
    }
    return out.payload();
}

IndexHeader FolderIndex::snapshot_header() const {
    IndexHeader h{};
    std::memcpy(h.magic, kIndexMagic, sizeof kIndexMagic);
    h.version = kIndexVersion;
    h.header_size = sizeof h;
    h.row_size = sizeof(IndexRow);
    h.validity = validity_;
    h.next_uid = logged_next_;
    h.first_recent = first_recent_;
    h.modseq = modseq_;
    h.log_generation = log_.generation();
    h.log_offset = log_.offset();
    h.cache_id = cache_id_;
    h.cache_size = cache_size_;
    h.seen = seen_;
    for (const IndexRow& row : rows()) {
        if ((row.place & place::kGone) != 0) continue;
        ++h.count;
        h.names_size += name(row).size();
        if ((row.flags & kSeen) != 0) continue;
        ++h.unseen;
        if (h.first_unseen == 0) h.first_unseen = static_cast<std::uint32_t>(h.count);
    }
    h.pending = pending_from_ < count() ? 1 : 0;
    return h;
}

// In pieces: a folder may have a million. Collects the names, which come behind them.
Result<void> FolderIndex::write_rows(int fd, std::string& names) const {
    std::string piece;
    for (IndexRow row : rows()) {
        if ((row.place & place::kGone) != 0) continue;
        const std::string_view own_name = name(row);
        row.place &= place::kOnDisk;
        row.name = names.size();
        names += own_name;
        piece += bytes_of(row);
        if (piece.size() < kRowsAtOnce) continue;
        TRY(env_.fs->write(fd, piece));
        piece.clear();
    }
    return piece.empty() ? Result<void>() : env_.fs->write(fd, piece);
}

Result<void> FolderIndex::write_snapshot() {
    const std::string path = folder_ + "/postern.index";
    TRY_ASSIGN(const Fd file,
               env_.fs->open(path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    IndexHeader h = snapshot_header();
    const std::string keywords = join(keywords_, std::string_view("\0", 1));
    h.keywords_size = keywords.size();
    h.crc = header_crc(h);
    TRY(env_.fs->write(file.get(), bytes_of(h)));
    std::string names;
    names.reserve(static_cast<std::size_t>(h.names_size) + keywords.size());
    TRY(write_rows(file.get(), names));
    names += keywords;
    TRY(env_.fs->write(file.get(), names));
    TRY(env_.fs->sync(file.get()));
    TRY(env_.fs->rename(path + ".new", path));
    saved_offset_ = log_.offset();
    saved_cache_ = cache_size_;
    return {};
}

Result<void> FolderIndex::save_if_worth() {
    const std::uint64_t tail = log_.offset() - std::min(saved_offset_, log_.offset());
    const std::uint64_t cached = cache_size_ - std::min(saved_cache_, cache_size_);
    if (tail < kTailWorth && cached < kCacheWorth) return {};
    auto lock = FolderLock::take(*env_.fs, folder_ + "/postern.lock", Millis{0});
    if (!lock) return {};  // whoever is busy here may do it
    TRY(follow());
    if (log_missing_ || validity_ == 0) return {};
    if (log_.torn() || log_.offset() > kLongLog + 2 * kRowInLog * count())
        TRY(log_.replace(validity_, fresh_id(), checkpoint(), modseq_));
    TRY(compact_uids());
    return write_snapshot();
}

// Once most of the UID list is about messages long gone, writes a short one.
Result<void> FolderIndex::compact_uids() {
    TRY_ASSIGN(SeenState now, look());
    if (now.uids_inode != seen_.uids_inode || now.uids_size != seen_.uids_size) return {};
    std::string lines;
    for (const IndexRow& row : rows())
        if ((row.place & place::kGone) == 0)
            lines += cat({std::to_string(row.uid), " ", MessageName::parse(name(row)).base, "\n"});
    if (seen_.uids_size < 2 * lines.size() + kManyDeadLines) return {};
    TRY(uids_.replace(validity_, next_uid_, lines));
    TRY_ASSIGN(now, look());
    seen_.uids_inode = now.uids_inode;
    seen_.uids_size = now.uids_size;
    ChangeWriter out;
    out.seen(seen_);
    return log_.append(out.payload(), modseq_, false);
}

}  // namespace postern::mailbox
