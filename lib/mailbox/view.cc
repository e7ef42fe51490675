#include "lib/mailbox/view.h"

#include <fcntl.h>

#include <algorithm>
#include <thread>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/mailbox/compressed.h"
#include "lib/mailbox/expunge_history.h"
#include "lib/mailbox/mbox_inbox.h"
#include "lib/mailbox/message_name.h"
#include "lib/sys/file.h"

namespace postern::mailbox {
namespace {

constexpr int kAttempts = 4;
constexpr std::size_t kRenamesAtOnce = 200;
constexpr std::size_t kRemovalsAtOnce = 200;
// Between two lots of them: who waits for the lock shall find it free.
constexpr Millis kForOthers{2};
constexpr Millis kTidyAtEnd{5000};
constexpr std::size_t kManyLookedAt = 200;  // messages

}  // namespace

Result<std::unique_ptr<View>> FolderView::open(const Environment& env, const std::string& path,
                                               Access access) {
    auto view = std::make_unique<FolderView>(env, path, access);
    TRY(view->begin());
    return std::unique_ptr<View>(std::move(view));
}

Result<void> FolderView::begin() {
    TRY(index_.load(true));
    TRY(index_.unless_full(claim_recent()));
    (void)report(Expunges::report);
    return {};
}

// What waited for a quiet moment, or some of it: what is left waits for the end of the next
// session. A failure loses nothing: the log has it all.
FolderView::~FolderView() {
    flush_cache();
    const Deadline enough = Deadline::in(kTidyAtEnd);
    for (auto more = tidy(); more && *more && !enough.passed(); more = tidy())
        std::this_thread::sleep_for(kForOthers);
}

bool FolderView::begin_again(const Mailbox& mailbox, Access access) {
    // What is an mbox file, or shown in another way to each user, is opened by others than us.
    if (mailbox.path() != index_.folder() || env_.mbox || env_.private_place) return false;
    // Who only reads would leave there what we have expunged.
    if (access != access_ && expunged_.are_waiting()) return false;
    expunged_.look_again();
    flush_cache();
    access_ = access;
    if (!index_.begin_again()) return false;
    for (std::size_t at = 0; at < index_.count() && has_recent_; ++at)
        index_.unmark(at, place::kRecent);
    has_recent_ = false;
    announced_ = recent_ = 0;
    if (!index_.unless_full(claim_recent())) return false;
    (void)report(Expunges::report);
    return true;
}

const IndexRow& FolderView::row(std::uint32_t seq) const {
    POSTERN_CHECK(seq >= 1 && seq <= announced_);
    return index_.row(seq - 1);
}

Message FolderView::message(std::uint32_t seq) const {
    const IndexRow& one = row(seq);
    return {one.uid,
            {shown_flags(one), one.keywords},
            (one.place & place::kRecent) != 0,
            shown_modseq(one)};
}

std::uint32_t FolderView::first_unseen() const {
    const std::uint32_t first = index_.first_unseen();
    return first <= announced_ ? first : 0;
}

std::uint64_t FolderView::told_modseq() const {
    std::uint64_t told = highest_modseq();
    if (const std::uint64_t gone = index_.first_gone(); gone != 0) told = std::min(told, gone - 1);
    for (std::uint32_t seq = 1; index_.has_marks() && seq <= announced_; ++seq)
        if ((row(seq).place & place::kChanged) != 0) told = std::min(told, row(seq).modseq - 1);
    return told;
}

std::uint32_t FolderView::seq_at_or_after(Uid uid) const {
    return std::min(static_cast<std::uint32_t>(index_.lower_bound(uid)), announced_) + 1;
}

std::uint32_t FolderView::seq_of(Uid uid) const {
    const std::uint32_t seq = seq_at_or_after(uid);
    return seq <= announced_ && row(seq).uid == uid ? seq : 0;
}

Result<Changes> FolderView::sync(Expunges expunges, bool thorough) {
    if (env_.mbox) TRY(env_.mbox->pull(env_, index_.folder(), MboxInbox::Patience::none));
    TRY(index_.follow());
    TRY_ASSIGN(const bool behind, index_.is_behind(thorough));
    if (behind) TRY(index_.unless_full(index_.reconcile()));
    TRY(index_.unless_full(claim_recent()));
    return report(expunges);
}

// New messages are recent in the first session that selects the mailbox to write, and there only
// (RFC 3501 2.3.2).
Result<void> FolderView::claim_recent() {
    const auto is_recent = [&](std::size_t at) {
        const IndexRow& one = index_.row(at);
        return one.uid >= index_.first_recent() && (one.place & place::kNew) != 0 &&
               (one.place & (place::kRecent | place::kGone)) == 0;
    };
    const std::size_t first = index_.lower_bound(index_.first_recent());
    std::size_t looked_at = first;
    while (looked_at < index_.count() && !is_recent(looked_at)) ++looked_at;
    // When there were many, nobody need look at them again.
    const bool many = !read_only() && looked_at - first > kManyLookedAt;
    if (looked_at == index_.count() && !many) return {};
    std::optional<FolderIndex::Transaction> transaction;
    if (!read_only()) {
        TRY_ASSIGN(auto begun, index_.begin());
        transaction.emplace(std::move(begun));
    }
    const Uid from = index_.first_recent();
    for (std::size_t at = index_.lower_bound(from); at < index_.count(); ++at) {
        if (!is_recent(at)) continue;
        index_.mark(at, place::kRecent);
        has_recent_ = true;
    }
    if (!transaction) return {};
    transaction->changes.numbers(index_.next_uid(), index_.next_uid());
    return transaction->commit(false);
}

Changes FolderView::report(Expunges expunges) {
    Changes changes;
    const auto known_before = announced_;
    if (index_.has_marks() && expunges == Expunges::report) report_expunged(changes);
    for (std::uint32_t at = 0; index_.has_marks() && at < announced_; ++at) {
        const auto bits = index_.row(at).place;
        if ((bits & place::kChanged) != 0 && (bits & place::kGone) == 0)
            changes.changed.push_back(at + 1);
        index_.unmark(at, place::kChanged);
    }
    const auto all = static_cast<std::uint32_t>(index_.count());
    changes.added = all - announced_;
    announced_ = all;
    if (known_before != announced_ || !changes.expunged.empty()) count_recent();
    next_uid_ = std::max(next_uid_, index_.next_uid());
    changes.new_keywords = index_.keywords().size() > announced_keywords_;
    announced_keywords_ = index_.keywords().size();
    if (expunges == Expunges::report) index_.clear_marks();
    return changes;
}

void FolderView::count_recent() {
    recent_ = 0;
    for (std::uint32_t at = 0; at < announced_ && has_recent_; ++at)
        if ((index_.row(at).place & place::kRecent) != 0) ++recent_;
}

void FolderView::report_expunged(Changes& changes) {
    std::uint32_t position = 1;
    std::uint32_t left = 0;
    for (std::uint32_t at = 0; at < announced_; ++at) {
        if ((index_.row(at).place & place::kGone) != 0) {
            changes.expunged.push_back(position);
            changes.expunged_uids.push_back(index_.row(at).uid);
        } else {
            ++position;
            ++left;
        }
    }
    announced_ = left;
    index_.drop_gone();
}

Result<void> FolderView::with_file(std::uint32_t seq,
                                   const std::function<Result<void>(const std::string&)>& step) {
    for (int attempt = 0; attempt < kAttempts && !is_gone(seq); ++attempt) {
        auto done = step(index_.path(row(seq)));
        if (done || done.error().code != Errc::not_found) return done;
        // Renamed, or gone: by us, which the log tells, or by another program.
        if (attempt == 0)
            TRY(index_.follow());
        else
            TRY(index_.reconcile());
    }
    return Error{Errc::not_found,
                 cat({index_.folder(), ": message ", std::to_string(row(seq).uid), " is gone"}), 0};
}

Result<Fd> FolderView::open(std::uint32_t seq) {
    Fd file;
    TRY(with_file(seq, [&](const std::string& path) -> Result<void> {
        TRY_ASSIGN(file, env_.fs->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        return {};
    }));
    return file;
}

// Behind message `seq`, which was just read. A file that cannot be opened is for who reads it.
void FolderView::ask_for_next(std::uint32_t seq) {
    constexpr std::size_t kMostOfOne = 65536;
    const bool from_disk = sys::blocks_from_disk() != blocks_;
    const auto [first, last] = ahead_.after(seq, from_disk, count());
    for (std::uint32_t next = first; next <= last; ++next) {
        if (is_gone(next)) continue;
        const auto file =
            env_.fs->open(index_.path(row(next)), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (file) sys::expect_reading(file->get(), kMostOfOne);
    }
    if (from_disk) blocks_ = sys::blocks_from_disk();
}

Result<std::string> FolderView::read(std::uint32_t seq) {
    TRY_ASSIGN(const Fd file, open(seq));
    TRY_ASSIGN(const auto info, env_.fs->info(file.get()));
    // Who wants the text of a message for the first time wants its date next.
    if (row(seq).date == kUnknownDate) index_.learn_date(seq - 1, info.mtime_ns / 1'000'000'000);
    TRY_ASSIGN(std::string bytes,
               env_.fs->read_at(file.get(), 0, static_cast<std::size_t>(info.size)));
    ask_for_next(seq);
    if (!is_compressed(bytes)) return bytes;
    auto text = text_of_file(std::move(bytes), base_name(seq));
    if (!text) return std::move(text).error().within(index_.path(row(seq)));
    return text;
}

Result<std::uint64_t> FolderView::crlf_size(std::uint32_t seq) {
    if (row(seq).wire_size != kUnknownSize) return row(seq).wire_size;
    TRY_ASSIGN(const std::string text, read(seq));
    const std::uint64_t size = to_crlf(text).size();
    index_.learn_size(seq - 1, size);
    return size;
}

Result<std::int64_t> FolderView::internal_date(std::uint32_t seq) {
    if (row(seq).date != kUnknownDate) return row(seq).date;
    std::int64_t seconds = 0;
    TRY(with_file(seq, [&](const std::string& path) -> Result<void> {
        TRY_ASSIGN(const auto info, env_.fs->info(path));
        seconds = info.mtime_ns / 1'000'000'000;
        return {};
    }));
    index_.learn_date(seq - 1, seconds);
    return seconds;
}

Result<std::int64_t> FolderView::save_date(std::uint32_t seq) {
    TRY_ASSIGN(const std::int64_t date, internal_date(seq));
    return save_date_of(MessageName::parse(index_.name(row(seq))).base, date);
}

std::string FolderView::email_id(std::uint32_t seq) const {
    return email_id_of(MessageName::parse(index_.name(row(seq))).base);
}

std::string FolderView::base_name(std::uint32_t seq) const {
    return std::string(MessageName::parse(index_.name(row(seq))).base);
}

// A UIDVALIDITY is never given to two folders of a store, and a folder keeps it when it is renamed.
std::string FolderView::mailbox_id() const { return cat({"F", std::to_string(uid_validity())}); }

Result<std::optional<std::vector<Uid>>> FolderView::expunged_since(std::uint64_t modseq) {
    TRY_ASSIGN(auto found,
               read_expunged(*env_.fs, index_.folder(), uid_validity(), modseq, next_uid_));
    if (found) std::erase_if(*found, [this](Uid uid) { return seq_of(uid) != 0; });
    return found;
}

ViewState FolderView::state() const {
    ViewState state{uid_validity(), highest_modseq(), count(), next_uid(), {}, {}};
    state.keywords = static_cast<std::uint32_t>(keywords().size());
    for (std::uint32_t seq = 1; recent_ > 0 && seq <= count(); ++seq)
        if (message(seq).recent) state.recent.push_back(message(seq).uid);
    return state;
}

Result<std::optional<Changes>> FolderView::resume(const ViewState& old) {
    const std::optional<Changes> unknown;
    const std::uint32_t left = seq_at_or_after(old.next_uid) - 1;  // of those it knew
    if (old.uid_validity != uid_validity() || old.modseq > highest_modseq() || left > old.count)
        return unknown;
    Changes changes;
    if (left < old.count) {
        TRY_ASSIGN(const auto gone, expunged_since(old.modseq));
        if (!gone) return unknown;
        for (const Uid uid : *gone)
            if (uid < old.next_uid) changes.expunged_uids.push_back(uid);
        if (left + changes.expunged_uids.size() != old.count) return unknown;
    }
    // They ascend, so what is before one of them is left by the time it is announced.
    for (const Uid uid : changes.expunged_uids) changes.expunged.push_back(seq_at_or_after(uid));
    for (std::uint32_t seq = 1; seq <= left; ++seq)
        if (shown_modseq(row(seq)) > old.modseq) changes.changed.push_back(seq);
    for (const Uid uid : old.recent)
        if (const std::uint32_t seq = seq_of(uid); seq != 0) index_.mark(seq - 1, place::kRecent);
    has_recent_ = has_recent_ || !old.recent.empty();
    if (!old.recent.empty()) count_recent();
    changes.added = count() - left;
    changes.new_keywords = keywords().size() > old.keywords;
    return std::optional(std::move(changes));
}

std::optional<CachedMessage> FolderView::cached(std::uint32_t seq) {
    auto found = cache_.find(seq - 1);
    if (!found) return found;
    if (row(seq).wire_size == kUnknownSize) index_.learn_size(seq - 1, found->wire_size);
    if (row(seq).date == kUnknownDate && found->date != kUnknownDate)
        index_.learn_date(seq - 1, found->date);
    return found;
}

void FolderView::remember(std::uint32_t seq, const Summary& summary) {
    auto date = internal_date(seq);
    if (date) cache_.add(seq - 1, summary, *date);
}

Result<bool> FolderView::tidy() {
    // In another's folder, nothing is renamed by who may only read there.
    const bool may_rename = !read_only() || !env_.private_place;
    TRY_ASSIGN(const bool more,
               may_rename ? index_.rename_some(kRenamesAtOnce, !read_only()) : Result<bool>(false));
    if (more) return true;
    if (env_.mbox) TRY(env_.mbox->push(env_, index_.folder(), index_.modseq()));
    TRY(index_.save_if_worth());
    if (read_only()) return false;
    return expunged_.remove_some(kRemovalsAtOnce);
}

}  // namespace postern::mailbox
