#include "lib/mailbox/folder_index.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

// A row's name in a damaged snapshot: hidden, so that it is no message's, and reconcile() finds its
// file missing.
constexpr std::string_view kNoName = ".damaged";

// Whoever may write a snapshot could name files in other directories by it. Asked at each use, as
// most rows of a mapped one are never looked at.
bool leads_elsewhere(std::string_view name) {
    return name.empty() || name.front() == '.' || name.find('/') != std::string_view::npos;
}

bool before(const IndexRow& row, Uid uid) { return row.uid < uid; }

}  // namespace

void FolderIndex::move_to(const std::string& folder) {
    folder_ = folder;
    log_.move_to(folder);
    uids_.move_to(folder);
}

// --- Rows

// Rows are those of the mapped snapshot until the first of them changes.
void FolderIndex::own_rows() {
    if (owned_) return;
    own_rows_.reserve(mapped_rows_.size() + mapped_rows_.size() / 8 + 16);
    own_rows_.assign(mapped_rows_.begin(), mapped_rows_.end());
    owned_ = true;
}

IndexRow& FolderIndex::edit(std::size_t at) {
    own_rows();
    POSTERN_CHECK(at < own_rows_.size());
    return own_rows_[at];
}

void FolderIndex::unmark(std::size_t at, std::uint8_t bits) {
    if ((row(at).place & bits) != 0)
        edit(at).place = static_cast<std::uint8_t>(row(at).place & ~bits);
}

std::size_t FolderIndex::lower_bound(Uid uid) const {
    const auto all = rows();
    // What is asked most is what came after all that is known: no row is read for that, of a file
    // that may just have been mapped.
    if (all.empty() || uid >= logged_next_ || all.back().uid < uid) return all.size();
    return static_cast<std::size_t>(std::lower_bound(all.begin(), all.end(), uid, before) -
                                    all.begin());
}

std::string_view FolderIndex::name(const IndexRow& row) const {
    const bool mapped = row.name < mapped_names_.size();
    const std::string_view names = mapped ? mapped_names_ : std::string_view(own_names_);
    const std::uint64_t at = mapped ? row.name : row.name - mapped_names_.size();
    if (at > names.size() || row.name_size > names.size() - at) return kNoName;
    const auto name = names.substr(static_cast<std::size_t>(at), row.name_size);
    return leads_elsewhere(name) ? kNoName : name;
}

std::string FolderIndex::path(const IndexRow& row) const {
    return cat({folder_, (row.place & place::kNew) != 0 ? "/new/" : "/cur/", name(row)});
}

std::uint64_t FolderIndex::keep_name(std::string_view name) {
    const std::uint64_t at = mapped_names_.size() + own_names_.size();
    own_names_ += name;
    return at;
}

void FolderIndex::drop_gone() {
    own_rows();
    pending_from_ = 0;
    first_gone_ = 0;
    std::erase_if(own_rows_, [](const IndexRow& row) { return (row.place & place::kGone) != 0; });
}

// Nobody has been told of anything yet.
void FolderIndex::forget_marks() {
    if (!marks_) return;
    drop_gone();
    for (std::size_t at = 0; at < count(); ++at) unmark(at, place::kChanged);
    marks_ = false;
}

std::uint32_t FolderIndex::unseen() const {
    if (!owned_) return mapped_unseen_;
    return static_cast<std::uint32_t>(
        std::count_if(own_rows_.begin(), own_rows_.end(),
                      [](const IndexRow& row) { return (row.flags & kSeen) == 0; }));
}

std::uint32_t FolderIndex::first_unseen() const {
    if (!owned_) return mapped_first_unseen_;
    for (std::size_t at = 0; at < own_rows_.size(); ++at)
        if ((own_rows_[at].flags & kSeen) == 0) return static_cast<std::uint32_t>(at + 1);
    return 0;
}

KeywordBits FolderIndex::keyword(std::string_view name) const {
    for (std::size_t i = 0; i < keywords_.size(); ++i)
        if (iequals(keywords_[i], name)) return KeywordBits{1} << i;
    return 0;
}

void FolderIndex::use_cache(std::uint64_t id, std::uint64_t size, bool forget) {
    cache_id_ = id;
    cache_size_ = size;
    for (std::size_t at = 0; forget && at < count(); ++at)
        if (row(at).cache != 0) edit(at).cache = 0;
}

// --- Applying transactions

void FolderIndex::on_new(const NewMessage& m, std::uint64_t modseq) {
    if (count() > 0 && row(count() - 1).uid >= m.uid) return;  // UIDs ascend
    own_rows();
    IndexRow row{};
    row.uid = m.uid;
    row.flags = m.flags;
    row.place = m.place;
    row.name_size = static_cast<std::uint16_t>(m.name.size());
    row.keywords = m.keywords;
    row.modseq = modseq;
    row.wire_size = m.wire_size;
    row.date = m.date;
    row.name = keep_name(m.name);
    pending_from_ = std::min(pending_from_, count());
    own_rows_.push_back(row);
    logged_next_ = std::max(logged_next_, m.uid + 1);
    next_uid_ = std::max(next_uid_, logged_next_);
    modseq_ = std::max(modseq_, modseq);
}

void FolderIndex::on_flags(const FlagChange& change, UidRange uids, std::uint64_t modseq) {
    modseq_ = std::max(modseq_, modseq);
    for (std::size_t at = lower_bound(uids.first); at < count() && row(at).uid <= uids.last; ++at) {
        const auto flags = static_cast<std::uint8_t>((row(at).flags & ~change.remove) | change.add);
        const KeywordBits keywords =
            (row(at).keywords & ~change.remove_keywords) | change.add_keywords;
        if (flags == row(at).flags && keywords == row(at).keywords) continue;
        pending_from_ = std::min(pending_from_, at);
        IndexRow& row = edit(at);
        row.flags = flags & kAllSystemFlags;
        row.keywords = keywords;
        row.modseq = modseq;
        if (applying_own_) continue;
        row.place |= place::kChanged;
        marks_ = true;
    }
}

void FolderIndex::on_expunge(UidRange uids, std::uint64_t modseq) {
    modseq_ = std::max(modseq_, modseq);
    for (std::size_t at = lower_bound(uids.first); at < count() && row(at).uid <= uids.last; ++at) {
        mark(at, place::kGone);
        marks_ = true;
        if (first_gone_ == 0) first_gone_ = modseq;
    }
}

void FolderIndex::on_name(std::uint32_t uid, std::uint8_t where, std::string_view name) {
    const std::size_t at = lower_bound(uid);
    if (at == count() || row(at).uid != uid) return;
    IndexRow& row = edit(at);
    row.name = keep_name(name);
    row.name_size = static_cast<std::uint16_t>(name.size());
    row.place = static_cast<std::uint8_t>((row.place & ~place::kOnDisk) | where);
}

void FolderIndex::on_keyword(unsigned bit, std::string_view name) {
    if (bit == 0 || bit >= kMaxKeywords || !is_keyword(name)) return;
    while (keywords_.size() <= bit) keywords_.emplace_back();
    keywords_[bit] = name;
}

void FolderIndex::on_numbers(std::uint32_t next_uid, std::uint32_t first_recent) {
    logged_next_ = std::max(logged_next_, next_uid);
    next_uid_ = std::max(next_uid_, logged_next_);
    first_recent_ = std::max(first_recent_, first_recent);
}

// --- Transactions

FolderIndex::Transaction::Transaction(FolderIndex& index, FolderLock lock)
    : index_(&index), lock_(std::move(lock)), undisturbed_(false), modseq_(index.modseq_ + 1) {
    const auto behind = index.is_behind(false);
    undisturbed_ = behind && !*behind;
}

Result<FolderIndex::Transaction> FolderIndex::begin() {
    TRY_ASSIGN(FolderLock lock, FolderLock::take(*env_.fs, folder_ + "/postern.lock"));
    TRY(follow());
    TRY(check_uids());
    if (log_.torn())  // by a crash: nobody else writes now
        TRY(log_.replace(validity_, fresh_id(), checkpoint(), modseq_));
    return Transaction(*this, std::move(lock));
}

// The transaction's own changes of the directories are no reason for anybody to look at them, if
// nobody else had changed them before.
Result<void> FolderIndex::Transaction::commit(bool durable, bool own) {
    if (changes.empty()) return {};
    if (undisturbed_) {
        auto now = index_->look();
        if (now) {
            now->own = now->new_mtime != index_->seen_.new_mtime ||
                       now->cur_mtime != index_->seen_.cur_mtime || index_->seen_.own != 0;
            if (now->new_mtime != index_->seen_.new_mtime ||
                now->cur_mtime != index_->seen_.cur_mtime ||
                now->uids_size != index_->seen_.uids_size)
                changes.seen(*now);
        }
    }
    const std::uint64_t modseq = changes.concerns_messages() ? modseq_ : index_->modseq_;
    TRY(index_->log_.append(changes.payload(), modseq, durable));
    index_->applying_own_ = own;
    read_changes(changes.payload(), modseq, *index_);
    index_->applying_own_ = false;
    modseq_ = index_->modseq_ + 1;
    changes = {};
    return {};
}

KeywordBits FolderIndex::Transaction::define(std::string_view name) {
    if (const KeywordBits known = index_->keyword(name)) return known;
    auto& all = index_->keywords_;
    if (all.size() >= kMaxKeywords || !is_keyword(name)) return 0;
    const auto bit = static_cast<unsigned>(all.size());
    changes.keyword(bit, name);
    index_->on_keyword(bit, name);
    return KeywordBits{1} << bit;
}

// Runs of messages whose UIDs follow each other become one change of the list.
Result<std::vector<Uid>> FolderIndex::give_uids(std::span<const Arrival> arrivals) {
    std::vector<Uid> all;
    std::vector<std::string_view> run;
    Uid first = next_uid_, next = next_uid_;
    const auto give = [&]() -> Result<void> {
        TRY_ASSIGN(const auto given, uids_.append_at(first, run));
        all.insert(all.end(), given.begin(), given.end());
        run.clear();
        return {};
    };
    for (const Arrival& a : arrivals) {
        if (a.uid > next) {
            TRY(give());
            first = next = a.uid;
        }
        run.push_back(MessageName::parse(a.name).base);
        ++next;
    }
    TRY(give());
    return all;
}

Result<Appended> FolderIndex::arrive(std::span<const Arrival> arrivals,
                                     const std::function<Result<void>()>& publish,
                                     const std::function<Result<void>()>& sync) {
    TRY_ASSIGN(Transaction transaction, begin());
    // UIDs in the log ascend: those that only the list knows, for messages that lie here, come
    // before ours, or would be too low for ever. It may have been adopted, or another server's may
    // have. And what lies in a folder whose log was lost came before ours.
    if (next_uid_ > logged_next_ || count() == 0) TRY(reconcile_in(transaction));
    // First the renames: whoever sees a UID must be able to find its file.
    TRY(publish());
    TRY_ASSIGN(std::vector<Uid> uids, give_uids(arrivals));
    TRY(sync());
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        const Arrival& a = arrivals[i];
        NewMessage m;
        m.uid = uids[i];
        m.flags = a.flags.system;
        m.place = place::kNew;
        m.keywords = a.flags.keywords & 1;
        for (const std::string& keyword : a.keywords) m.keywords |= transaction.define(keyword);
        m.wire_size = a.wire_size;
        m.date = a.date;
        m.name = a.name;
        transaction.changes.add(m);
    }
    // The UID list is durable; so are keywords once they are in the log.
    const bool durable = std::any_of(arrivals.begin(), arrivals.end(),
                                     [](const Arrival& a) { return !a.keywords.empty(); });
    TRY(transaction.commit(durable, false));
    in_use_ = true;  // somebody is told these UIDs: they are of no other UIDVALIDITY from now on
    return Appended{validity_, std::move(uids)};
}

Result<bool> FolderIndex::rename_some(std::size_t limit, bool with_new) {
    const auto outdated = [&](const IndexRow& row) {
        if ((row.place & place::kGone) != 0) return false;
        if ((row.place & place::kNew) != 0) return with_new && row.uid < first_recent_;
        return flags_of_info(MessageName::parse(name(row)).info) !=
               Flags{row.flags, row.keywords & 1};
    };
    while (pending_from_ < count() && !outdated(row(pending_from_))) ++pending_from_;
    if (pending_from_ >= count()) return false;
    TRY_ASSIGN(Transaction transaction, begin());
    std::size_t done = 0;
    bool from_new = false;
    std::vector<std::pair<std::string, std::string>> moves;
    const auto undo = [this](const auto& done_moves) {
        for (const auto& [from, to] : done_moves) (void)env_.fs->rename(to, from).has_value();
    };
    std::size_t at = pending_from_;
    for (; at < count() && done < limit; ++at) {
        const IndexRow& one = row(at);
        if (!outdated(one)) continue;
        const MessageName parts = MessageName::parse(name(one));
        const std::string renamed =
            cat({parts.base, info_of_flags(Flags{one.flags, one.keywords & 1}, parts.info)});
        // First the file, then the log: a name that the log tells and no file has would look like a
        // foreign program's change of flags.
        const auto moved = env_.fs->rename(path(one), cat({folder_, "/cur/", renamed}));
        if (!moved && moved.error().code != Errc::not_found) return moved.error();
        if (!moved) continue;  // reconcile() will see why
        moves.emplace_back(path(one), cat({folder_, "/cur/", renamed}));
        from_new = from_new || (one.place & place::kNew) != 0;
        transaction.changes.name(one.uid, 0, renamed);
        ++done;
    }
    // Synced before the log tells of it, for the same reason.
    Result<void> synced;
    if (done > 0) synced = env_.fs->sync_directory(folder_ + "/cur");
    if (synced && from_new) synced = env_.fs->sync_directory(folder_ + "/new");
    if (!synced) {
        undo(moves);
        return std::move(synced).error();
    }
    pending_from_ = at;
    if (auto logged = transaction.commit(false); !logged) {
        undo(moves);
        return std::move(logged).error();
    }
    return done == limit;
}

}  // namespace postern::mailbox
