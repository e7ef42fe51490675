#include "lib/mailbox/shared_view.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::mailbox {
Result<std::unique_ptr<View>> SharedView::open(const Environment& env, const std::string& path,
                                               Access access) {
    auto view = std::make_unique<SharedView>(env, path, access);
    TRY(view->begin());
    const PrivatePlace& place = *env.private_place;
    auto seen = std::make_unique<PrivateSeen>(
        *place.fs, place.file(view->uid_validity(), PrivatePlace::kSeen));
    TRY(seen->refresh());
    view->seen_ = std::move(seen);
    // Changes of \Seen that were made after begin() say a mod-sequence that the folder must have.
    TRY(view->index().follow());
    (void)view->FolderView::sync(Expunges::report, false).has_value();
    return std::unique_ptr<View>(std::move(view));
}

SystemFlags SharedView::shown_flags(const IndexRow& row) const {
    const bool seen = seen_ && seen_->is_seen(row.uid);
    return static_cast<SystemFlags>((row.flags & ~kSeen) | (seen ? kSeen : 0));
}

std::uint64_t SharedView::shown_modseq(const IndexRow& row) const {
    return seen_ ? seen_->modseq_of(row.uid, row.modseq) : row.modseq;
}

SystemFlags SharedView::stored_flags() const {
    return static_cast<SystemFlags>(kAllSystemFlags & ~kSeen);
}

std::uint32_t SharedView::unseen() const {
    std::uint32_t unseen = 0;
    for (std::uint32_t seq = 1; seq <= count(); ++seq)
        if ((shown_flags(row(seq)) & kSeen) == 0) ++unseen;
    return unseen;
}

std::uint32_t SharedView::first_unseen() const {
    for (std::uint32_t seq = 1; seq <= count(); ++seq)
        if ((shown_flags(row(seq)) & kSeen) == 0) return seq;
    return 0;
}

std::uint64_t SharedView::highest_modseq() const {
    return seen_ ? seen_->highest(index().modseq()) : index().modseq();
}

Result<std::optional<std::vector<Uid>>> SharedView::expunged_since(std::uint64_t modseq) {
    return FolderView::expunged_since(seen_->folder_part(modseq));
}

// The user's own file first: what it says of the folder's mod-sequences is true of the folder then.
Result<Changes> SharedView::sync(Expunges expunges, bool thorough) {
    TRY_ASSIGN(const auto news, seen_->refresh());
    TRY_ASSIGN(Changes changes, FolderView::sync(expunges, thorough));
    const std::uint32_t known = count() - changes.added;
    for (const UidRange& range : news)
        for (std::uint32_t seq = seq_at_or_after(range.first);
             seq <= known && row(seq).uid <= range.last; ++seq)
            changes.changed.push_back(seq);
    std::sort(changes.changed.begin(), changes.changed.end());
    changes.changed.erase(std::unique(changes.changed.begin(), changes.changed.end()),
                          changes.changed.end());
    return changes;
}

Result<void> SharedView::store_rest(std::span<const Uid> uids, StoreMode mode, const Flags& flags) {
    const bool given = (flags.system & kSeen) != 0;
    if (!given && mode != StoreMode::replace) return {};
    const bool seen = given && mode != StoreMode::remove;
    std::vector<Uid> changed;
    for (const Uid uid : uids)
        if (seen_->is_seen(uid) != seen) changed.push_back(uid);
    return seen_->change(index().modseq(), seen, changed);
}

void PrivatelySeen::note(Flags& flags) {
    if (!place_) return;
    seen_.push_back((flags.system & kSeen) != 0);
    flags.system = static_cast<SystemFlags>(flags.system & ~kSeen);
}

// A failure is no reason to refuse messages that are there already: who is refused sends them again.
void PrivatelySeen::keep(const Appended& appended, std::uint64_t folder_modseq) const {
    std::vector<Uid> uids;
    for (std::size_t i = 0; i < seen_.size() && i < appended.uids.size(); ++i)
        if (seen_[i]) uids.push_back(appended.uids[i]);
    if (uids.empty()) return;
    std::sort(uids.begin(), uids.end());
    PrivateSeen seen(*place_->fs, place_->file(appended.uid_validity, PrivatePlace::kSeen));
    const auto kept = seen.change(folder_modseq, true, uids);
    if (!kept) log::warning("", cat({kept.error().what, ": new messages stay unseen"}));
}

}  // namespace postern::mailbox
