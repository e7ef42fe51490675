#include "lib/mailbox/view.h"

#include <fcntl.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

constexpr int kScanAttempts = 4;
constexpr std::size_t kCompactAbove =
    512;  // dead lines in postern.uids, when they are also the most

// Order of arrival as far as names tell: the seconds in front, then "M<microseconds>", then the
// name.
struct ArrivalKey {
    std::uint64_t seconds = 0;
    std::uint64_t micros = 0;
    std::string_view name;
    auto operator<=>(const ArrivalKey&) const = default;
};

std::uint64_t leading_number(std::string_view text) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    return parse_number<std::uint64_t>(text.substr(0, static_cast<std::size_t>(end - text.begin())))
        .value_or(0);
}

ArrivalKey arrival_key(std::string_view base) {
    const auto marker = base.find(".M");
    return {leading_number(base),
            marker == std::string_view::npos ? 0 : leading_number(base.substr(marker + 2)), base};
}

}  // namespace

Result<std::unique_ptr<View>> FolderView::open(const Environment& env, const std::string& path,
                                               Access access) {
    auto view = std::make_unique<FolderView>(env, path, access);
    TRY(view->uids_.refresh());
    if (!view->uids_.usable()) {
        TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env.fs, view->lock_path()));
        TRY(view->uids_.ensure());
    }
    view->validity_ = view->uids_.validity();
    TRY(view->rescan(true));
    (void)view->report(Expunges::report);
    TRY(view->compact_if_worth());
    return std::unique_ptr<View>(std::move(view));
}

FolderView::Entry& FolderView::at(std::uint32_t seq) {
    POSTERN_CHECK(seq >= 1 && seq <= entries_.size());
    return entries_[seq - 1];
}

std::uint32_t FolderView::seq_at_or_after(Uid uid) const {
    const auto found =
        std::lower_bound(entries_.begin(), entries_.end(), uid,
                         [](const Entry& entry, Uid wanted) { return entry.message.uid < wanted; });
    return static_cast<std::uint32_t>(found - entries_.begin()) + 1;
}

std::uint32_t FolderView::seq_of(Uid uid) const {
    const std::uint32_t seq = seq_at_or_after(uid);
    return seq <= count() && at(seq).message.uid == uid ? seq : 0;
}

FolderView::Entry* FolderView::entry_of(Uid uid) {
    const std::uint32_t seq = seq_of(uid);
    return seq == 0 ? nullptr : &at(seq);
}

std::string FolderView::file_of(const Entry& entry) const {
    return cat({path_, entry.in_new ? "/new/" : "/cur/", entry.name});
}

std::uint32_t FolderView::recent() const {
    return static_cast<std::uint32_t>(std::count_if(
        entries_.begin(), entries_.end(), [](const Entry& e) { return e.message.recent; }));
}

std::uint32_t FolderView::first_unseen() const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [](const Entry& e) {
        return (e.message.flags.system & kSeen) == 0;
    });
    return found == entries_.end() ? 0 : static_cast<std::uint32_t>(found - entries_.begin()) + 1;
}

void FolderView::moved_to(const Mailbox& mailbox) {
    path_ = mailbox.path();
    uids_.move_to(path_);
    keywords_.move_to(path_);
}

Result<Changes> FolderView::sync(Expunges expunges) {
    TRY_ASSIGN(const bool look, stale());
    if (look) TRY(rescan(true));
    return report(expunges);
}

Result<bool> FolderView::stale() const {
    TRY_ASSIGN(const DirectoryState now, directory_state(*env_.fs, *env_.clock, path_));
    return seen_.young || !now.same_times(seen_) || uids_.stale() || keywords_.stale();
}

Result<void> FolderView::rescan(bool add_new) {
    ++generation_;
    NewFiles added;
    for (int attempt = 0; attempt < kScanAttempts; ++attempt) {
        TRY_ASSIGN(const bool stable, rescan_once(add_new, added));
        if (stable || !anything_missing(added)) break;
    }
    mark_gone();
    add(std::move(added));
    // Lines of UIDs whose files are gone already count too: UIDNEXT promises more than what is
    // here.
    if (add_new) next_uid_ = std::max(next_uid_, uids_.next_uid());
    return {};
}

Result<bool> FolderView::rescan_once(bool add_new, NewFiles& added) {
    const bool take_over = add_new && access_ == Access::read_write;
    TRY_ASSIGN(FolderScan scan, scan_folder(*env_.fs, *env_.clock, path_, take_over));
    seen_ = scan.state;
    TRY(uids_.refresh());
    if (uids_.usable() && uids_.validity() != validity_)
        return Error{Errc::corrupt, path_ + ": UIDVALIDITY changed", 0};
    const std::size_t missing = look_up_uids(scan.files);
    if (add_new && (missing > 0 || !uids_.usable())) TRY(assign_uids(scan.files));
    TRY(refresh_keywords());
    for (FoundFile& file : scan.files)
        if (file.uid != 0) note(file, add_new, added);
    return scan.stable;
}

// Fills in the UIDs that are still 0. How many stay without: names that have none, and names whose
// UID would appear among messages already numbered (a file that came back).
std::size_t FolderView::look_up_uids(std::vector<FoundFile>& files) const {
    std::size_t missing = 0;
    for (FoundFile& file : files) {
        if (file.uid == 0) file.uid = uids_.find(MessageName::parse(file.name).base);
        if (file.uid != 0 && file.uid <= highest_ && seq_of(file.uid) == 0) file.uid = 0;
        if (file.uid == 0) ++missing;
    }
    return missing;
}

Result<void> FolderView::assign_uids(std::vector<FoundFile>& files) {
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env_.fs, lock_path()));
    TRY(uids_.ensure());
    if (uids_.validity() != validity_)
        return Error{Errc::corrupt, path_ + ": UIDVALIDITY changed", 0};
    if (look_up_uids(files) == 0) return {};
    std::vector<std::string> bases;
    for (const FoundFile& file : files)
        if (file.uid == 0) bases.emplace_back(MessageName::parse(file.name).base);
    std::sort(bases.begin(), bases.end(), [](const std::string& a, const std::string& b) {
        return arrival_key(a) < arrival_key(b);
    });
    auto given = uids_.assign(bases);
    if (!given) return std::move(given).error();
    look_up_uids(files);
    return {};
}

void FolderView::note(FoundFile& file, bool add_new, NewFiles& added) {
    if (Entry* entry = entry_of(file.uid)) {
        entry->generation = generation_;
        if (entry->name != file.name) entry->name = file.name;
        entry->in_new = file.in_new;
        entry->gone = false;
        entry->message.recent = entry->message.recent || file.took_over;
        set_flags(*entry, flags_on_disk(file.uid, file.name));
    } else if (add_new && file.uid > highest_) {
        added.push_back(std::move(file));
    }
}

void FolderView::add(NewFiles added) {
    // Of several sightings of one file the last is the one to believe; it comes last among equals.
    std::stable_sort(added.begin(), added.end(),
                     [](const FoundFile& a, const FoundFile& b) { return a.uid < b.uid; });
    bool took_over = false;
    for (std::size_t i = 0; i < added.size(); ++i) {
        FoundFile& file = added[i];
        took_over = took_over || file.took_over;
        if (i + 1 < added.size() && added[i + 1].uid == file.uid) continue;
        Entry entry;
        entry.message = {file.uid, flags_on_disk(file.uid, file.name), took_over || file.in_new};
        entry.name = std::move(file.name);
        entry.in_new = file.in_new;
        entry.generation = generation_;
        highest_ = entry.message.uid;
        entries_.push_back(std::move(entry));
        ++unannounced_;
        took_over = false;
    }
}

void FolderView::mark_gone() {
    for (Entry& entry : entries_)
        if (entry.generation != generation_) entry.gone = true;
}

// Was something not seen that ought to be there: an entry, or a UID between those we are about to
// add?
bool FolderView::anything_missing(const NewFiles& added) const {
    for (const Entry& entry : entries_)
        if (!entry.gone && entry.generation != generation_) return true;
    std::vector<Uid> seen;
    for (const FoundFile& file : added) seen.push_back(file.uid);
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    return !seen.empty() && uids_.count_between(highest_ + 1, seen.back()) != seen.size();
}

void FolderView::set_flags(Entry& entry, const Flags& flags) {
    if (entry.message.flags == flags) return;
    entry.message.flags = flags;
    entry.flags_changed = true;
}

Flags FolderView::flags_on_disk(Uid uid, std::string_view name) const {
    Flags flags = flags_of_info(MessageName::parse(name).info);
    flags.keywords |= keywords_.bits(uid);
    return flags;
}

Result<void> FolderView::refresh_keywords() {
    std::vector<Uid> changed;
    TRY(keywords_.refresh(validity_, [&changed](Uid uid) { changed.push_back(uid); }));
    const bool all = std::find(changed.begin(), changed.end(), 0U) != changed.end();
    if (all) {
        for (Entry& entry : entries_)
            set_flags(entry, flags_on_disk(entry.message.uid, entry.name));
    } else {
        for (const Uid uid : changed)
            if (Entry* entry = entry_of(uid)) set_flags(*entry, flags_on_disk(uid, entry->name));
    }
    return {};
}

Changes FolderView::report(Expunges expunges) {
    Changes changes;
    if (expunges == Expunges::report) {
        std::uint32_t position = 1;
        for (const Entry& entry : entries_) {
            if (entry.gone)
                changes.expunged.push_back(position);
            else
                ++position;
        }
        const auto fresh_from = entries_.end() - unannounced_;
        unannounced_ -= static_cast<std::uint32_t>(
            std::count_if(fresh_from, entries_.end(), [](const Entry& e) { return e.gone; }));
        std::erase_if(entries_, [](const Entry& entry) { return entry.gone; });
    }
    const std::size_t announced = entries_.size() - unannounced_;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].flags_changed && !entries_[i].gone && i < announced)
            changes.changed.push_back(static_cast<std::uint32_t>(i + 1));
        entries_[i].flags_changed = false;
    }
    changes.added = unannounced_;
    changes.new_keywords = keywords_.names().size() > announced_keywords_;
    unannounced_ = 0;
    announced_keywords_ = keywords_.names().size();
    return changes;
}

// Once most lines of the UID list are of messages long gone, writes a short one.
Result<void> FolderView::compact_if_worth() {
    const std::size_t dead = uids_.size() - std::min<std::size_t>(uids_.size(), entries_.size());
    if (dead <= kCompactAbove || dead <= entries_.size() || access_ == Access::read_only) return {};
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env_.fs, lock_path()));
    // With the lock held nobody adds lines; the files that exist now are the ones to keep.
    TRY(rescan(false));
    TRY(uids_.ensure());
    return uids_.compact([this](std::string_view base) {
        const Uid uid = uids_.find(base);
        if (uid > highest_) return true;  // came after our look
        const std::uint32_t seq = seq_of(uid);
        return seq != 0 && !at(seq).gone;
    });
}

Result<void> FolderView::with_file(std::uint32_t seq,
                                   const std::function<Result<void>(const std::string&)>& step) {
    for (int attempt = 0; attempt < kScanAttempts && !at(seq).gone; ++attempt) {
        auto done = step(file_of(at(seq)));
        if (done || done.error().code != Errc::not_found) return done;
        TRY(rescan(false));  // renamed by another program, or gone
    }
    return Error{Errc::not_found,
                 cat({path_, ": message ", std::to_string(at(seq).message.uid), " is gone"}), 0};
}

Result<Fd> FolderView::open(std::uint32_t seq) {
    Fd file;
    TRY(with_file(seq, [&](const std::string& path) -> Result<void> {
        TRY_ASSIGN(file, env_.fs->open(path, O_RDONLY | O_NOFOLLOW));
        return {};
    }));
    return file;
}

Result<std::string> FolderView::read(std::uint32_t seq) {
    TRY_ASSIGN(const Fd file, open(seq));
    TRY_ASSIGN(const auto info, env_.fs->info(file.get()));
    return env_.fs->read_at(file.get(), 0, static_cast<std::size_t>(info.size));
}

Result<std::uint64_t> FolderView::crlf_size(std::uint32_t seq) {
    Entry& entry = at(seq);
    if (const auto named = size_in_name(MessageName::parse(entry.name).base, 'W')) return *named;
    if (entry.crlf_size == 0) {
        TRY_ASSIGN(const std::string text, read(seq));
        at(seq).crlf_size = to_crlf(text).size();
    }
    return at(seq).crlf_size;
}

Result<std::int64_t> FolderView::internal_date(std::uint32_t seq) {
    std::int64_t seconds = 0;
    TRY(with_file(seq, [&](const std::string& path) -> Result<void> {
        TRY_ASSIGN(const auto info, env_.fs->info(path));
        seconds = info.mtime_ns / 1'000'000'000;
        return {};
    }));
    return seconds;
}

KeywordBits FolderView::keyword_bits(std::span<const std::string> names) {
    KeywordBits bits = 0;
    for (const std::string& name : names) bits |= keywords_.intern(name);
    return bits;
}

}  // namespace postern::mailbox
