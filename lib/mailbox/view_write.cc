// The half of FolderView that changes the folder: flags, expunge, copy.
#include <fcntl.h>

#include <algorithm>
#include <unordered_map>

#include "lib/base/strings.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/mailbox/mbox_inbox.h"
#include "lib/mailbox/message_name.h"
#include "lib/mailbox/shared_view.h"
#include "lib/mailbox/view.h"

namespace postern::mailbox {
namespace {

// From here on it pays to let the files wait: a directory for them is made and removed.
constexpr std::size_t kManyExpunged = 8;

template <class Bits>
Bits combined(Bits old_bits, StoreMode mode, Bits bits) {
    switch (mode) {
        case StoreMode::replace: return bits;
        case StoreMode::add: return static_cast<Bits>(old_bits | bits);
        case StoreMode::remove: return static_cast<Bits>(old_bits & ~bits);
    }
    return old_bits;
}

bool touches(const Flags& before, const Flags& now, const Flags& flags) {
    return ((before.system ^ now.system) & flags.system) != 0 ||
           ((before.keywords ^ now.keywords) & flags.keywords) != 0;
}

Error read_only_error(const std::string& path) {
    return {Errc::denied, path + ": opened read-only", 0};
}

}  // namespace

// What a conditional STORE's client may go by: the flags of its messages as this view showed them
// before others' changes were read.
class FolderView::KnownFlags {
  public:
    KnownFlags(const FolderView& view, std::span<const std::uint32_t> seqs, StoreMode mode,
               std::uint64_t unchanged_since) {
        if (mode == StoreMode::replace || unchanged_since == UINT64_MAX) return;
        for (const std::uint32_t seq : seqs) {
            const Message message = view.message(seq);
            if (message.modseq <= unchanged_since) flags_.emplace(message.uid, message.flags);
        }
    }
    // RFC 7162 3.1.12: those that are to change are as the client knows them.
    bool still_holds(const Message& now, const Flags& wanted) const {
        const auto before = flags_.find(now.uid);
        return before != flags_.end() && !touches(before->second, now.flags, wanted);
    }

  private:
    std::unordered_map<Uid, Flags> flags_;
};

Result<KeywordBits> FolderView::keyword_bits(std::span<const std::string> names) {
    KeywordBits bits = 0;
    bool all_known = true;
    for (const std::string& name : names) {
        const KeywordBits known = index_.keyword(name);
        all_known = all_known && (known != 0 || !is_keyword(name));
        bits |= known;
    }
    if (all_known || read_only()) return bits;
    // Which bit a name has is settled in the log, under the lock.
    TRY_ASSIGN(auto transaction, index_.begin());
    bits = 0;
    for (const std::string& name : names) bits |= transaction.define(name);
    TRY(transaction.commit(false));
    return bits;
}

Result<void> FolderView::store(std::span<const std::uint32_t> seqs, StoreMode mode,
                               const Flags& flags) {
    auto refused = store_unchanged(seqs, mode, flags, UINT64_MAX);
    return refused ? Result<void>() : Result<void>(std::move(refused).error());
}

// One transaction in the log, synced; the names of the files follow in tidy().
Result<std::vector<std::uint32_t>> FolderView::store_unchanged(std::span<const std::uint32_t> seqs,
                                                               StoreMode mode, const Flags& flags,
                                                               std::uint64_t unchanged_since) {
    if (read_only()) return read_only_error(index_.folder());
    const KnownFlags known(*this, seqs, mode, unchanged_since);
    TRY_ASSIGN(auto transaction, index_.begin_after_others());
    std::vector<std::uint32_t> refused;
    std::vector<Uid> uids;
    const auto mask = stored_flags();
    const auto wanted = static_cast<SystemFlags>(flags.system & mask);
    FlagChange change{0, 0, 0, 0};
    if (mode != StoreMode::remove) change = {wanted, 0, flags.keywords, 0};
    if (mode == StoreMode::remove) change = {0, wanted, 0, flags.keywords};
    if (mode == StoreMode::replace) {
        change.remove = static_cast<SystemFlags>(mask & ~wanted);
        change.remove_keywords = ~flags.keywords;
    }
    std::vector<Uid> accepted;
    for (const std::uint32_t seq : seqs) {
        const IndexRow& one = row(seq);
        if (is_gone(seq)) continue;
        if (shown_modseq(one) > unchanged_since && !known.still_holds(message(seq), flags)) {
            refused.push_back(seq);
            continue;
        }
        accepted.push_back(one.uid);
        const auto system = static_cast<SystemFlags>((one.flags | change.add) & ~change.remove);
        const auto keywords = combined(one.keywords, mode, flags.keywords);
        if (system != one.flags || keywords != one.keywords) uids.push_back(one.uid);
    }
    if (!uids.empty()) {
        std::sort(uids.begin(), uids.end());
        transaction.changes.flags(change, to_ranges(uids));
        TRY(transaction.commit(true));
    }
    std::sort(accepted.begin(), accepted.end());
    TRY(store_rest(accepted, mode, flags));
    return refused;
}

Result<void> FolderView::expunge(std::span<const std::uint32_t> seqs) {
    if (read_only()) return read_only_error(index_.folder());
    std::vector<std::uint32_t> left(seqs.begin(), seqs.end());
    for (int attempt = 0; attempt < 4 && !left.empty(); ++attempt) {
        if (attempt > 0) TRY(index_.reconcile());
        TRY_ASSIGN(left, take_away(left));
    }
    return {};
}

// First the files, synced, then the log: what the log has expunged must not come back after a
// crash.
Result<std::vector<std::uint32_t>> FolderView::take_away(std::span<const std::uint32_t> seqs) {
    TRY_ASSIGN(auto transaction, index_.begin());
    const bool may_wait = seqs.size() >= kManyExpunged && expunged_.make_room();
    std::vector<std::uint32_t> elsewhere;
    std::vector<Uid> uids;
    bool fresh = false, current = false;
    std::int64_t bytes = 0;
    Result<void> failure;
    for (const std::uint32_t seq : seqs) {
        if (is_gone(seq)) continue;
        const IndexRow& one = row(seq);
        const auto size =
            env_.quota ? message_size(*env_.fs, index_.path(one)) : Result<std::uint64_t>(0U);
        auto taken = expunged_.take(one, may_wait);
        if (!taken && taken.error().code == Errc::not_found) {
            elsewhere.push_back(seq);
            continue;
        }
        if (!taken) {
            failure = std::move(taken);
            break;
        }
        ((one.place & place::kNew) != 0 ? fresh : current) = true;
        uids.push_back(one.uid);
        if (size) bytes += static_cast<std::int64_t>(*size);
    }
    if (env_.quota && !uids.empty())
        env_.quota->add(-bytes, -static_cast<std::int64_t>(uids.size()));
    if (fresh) TRY(env_.fs->sync_directory(index_.folder() + "/new"));
    if (current) TRY(env_.fs->sync_directory(index_.folder() + "/cur"));
    std::sort(uids.begin(), uids.end());
    if (!uids.empty()) transaction.changes.expunge(to_ranges(uids));
    TRY(transaction.commit(false));
    TRY(failure);
    return elsewhere;
}

namespace {

// Links one message file to a path under the target's tmp/, or copies it, where that cannot be or
// would give others a name of the same file.
Result<void> duplicate(sys::Fs& from_fs, const std::string& from, sys::Fs& fs,
                       const std::string& to, bool may_link) {
    auto linked = may_link ? fs.link(from, to) : Error{Errc::denied, "another store's", 0};
    if (linked || linked.error().code == Errc::not_found) return linked;
    TRY_ASSIGN(const Fd source, from_fs.open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    TRY_ASSIGN(const auto info, from_fs.info(source.get()));
    TRY_ASSIGN(const Fd target, fs.open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    constexpr std::size_t kChunk = 256 * 1024;
    for (std::uint64_t done = 0; done < info.size; done += kChunk) {
        TRY_ASSIGN(const std::string bytes, from_fs.read_at(source.get(), done, kChunk));
        TRY(fs.write(target.get(), bytes));
    }
    TRY(fs.set_times(to, info.mtime_ns / 1'000'000'000));
    return fs.sync(target.get());
}

// Do both folders count for one quota?
bool is_same(const Quota* one, const Quota* other) {
    return one != nullptr && other != nullptr && one->root() == other->root();
}

// The files of one COPY on their way into the target folder.
struct CopyPlan {
    std::string folder;
    std::vector<FolderIndex::Arrival> arrivals;

    std::string temporary(std::size_t i) const {
        return cat({folder, "/tmp/", MessageName::parse(arrivals[i].name).base});
    }
    std::string final_path(std::size_t i) const { return cat({folder, "/new/", arrivals[i].name}); }

    // Best effort, wherever the files are by now.
    void undo(sys::Fs& fs) const {
        for (std::size_t i = 0; i < arrivals.size(); ++i) {
            (void)fs.unlink(temporary(i)).has_value();
            (void)fs.unlink(final_path(i)).has_value();
        }
    }

    Result<void> publish(sys::Fs& fs) const {
        for (std::size_t i = 0; i < arrivals.size(); ++i)
            TRY(fs.rename(temporary(i), final_path(i)));
        return {};
    }
};

std::string sizes_in_name(std::string_view base) {
    const auto s = size_in_name(base, 'S');
    const auto w = size_in_name(base, 'W');
    return cat({s ? ",S=" + std::to_string(*s) : "", w ? ",W=" + std::to_string(*w) : ""});
}

}  // namespace

// What is known of messages is known of their copies.
void FolderView::copy_cached(std::span<const std::uint32_t> seqs, std::span<const Uid> uids,
                             FolderIndex& target) {
    MessageCache copies(target);
    for (std::size_t i = 0; i < seqs.size(); ++i) {
        const auto known = cache_.find(seqs[i] - 1);
        const std::size_t at = target.lower_bound(uids[i]);
        if (!known || at == target.count() || target.row(at).uid != uids[i]) continue;
        copies.add(at,
                   {known->wire_size, std::string(known->envelope), std::string(known->structure),
                    std::string(known->header), std::string(known->omitted)},
                   known->date);
    }
    (void)copies.flush().has_value();  // it is a cache
}

Result<Appended> FolderView::copy(std::span<const std::uint32_t> seqs, const Mailbox& to,
                                  const CopyTerms& terms) {
    CopyPlan plan{to.path(), {}};
    PrivatelySeen seen(to.environment());
    sys::Fs& fs = *to.environment().fs;
    const bool ours = to.environment().root == env_.root;
    // What others may write in gets no second name where they may not, nor the other way round. In
    // trees each folder has a list of its own.
    const bool may_link = ours && !to.environment().private_place &&
                          to.environment().is_shared == env_.is_shared;
    const Quota* quota = to.environment().quota.get();
    const bool fills = quota != nullptr && !(terms.moving && is_same(quota, env_.quota.get()));
    std::uint64_t bytes = 0;
    TRY(index_.follow());
    for (const std::uint32_t seq : seqs) {
        const IndexRow one = row(seq);
        FolderIndex::Arrival arrival;
        arrival.flags.system = static_cast<SystemFlags>(shown_flags(one) & terms.flags);
        const KeywordBits kept = terms.keywords ? one.keywords : 0;
        arrival.flags.keywords = kept & 1;
        seen.note(arrival.flags);
        const std::string info = info_of_flags(arrival.flags, "");
        arrival.name = cat({unique_stem(*env_.clock, *env_.random, env_.host),
                            sizes_in_name(MessageName::parse(index_.name(one)).base),
                            ",I=", email_id(seq), info});
        for (std::size_t i = 1; i < keywords().size(); ++i)
            if ((kept >> i & 1) != 0) arrival.keywords.push_back(keywords()[i]);
        arrival.wire_size = one.wire_size;
        arrival.date = one.date;
        plan.arrivals.push_back(std::move(arrival));
        auto linked = with_file(seq, [&](const std::string& path) -> Result<void> {
            if (quota != nullptr) {
                TRY_ASSIGN(const std::uint64_t size, message_size(*env_.fs, path));
                bytes += size;
            }
            return duplicate(*env_.fs, path, fs, plan.temporary(plan.arrivals.size() - 1), may_link);
        });
        if (!linked) {
            plan.undo(fs);
            return std::move(linked).error();
        }
    }
    std::optional<FolderLock> turn;
    if (fills) {
        auto room = quota->take_turn(bytes, plan.arrivals.size());
        if (!room) {
            plan.undo(fs);
            return std::move(room).error();
        }
        turn = *std::move(room);
    }
    if (const auto& mbox = to.environment().mbox)
        (void)mbox->pull(to.environment(), to.path(), MboxInbox::Patience::some).has_value();
    FolderIndex target(to.environment(), to.path());
    auto loaded = target.load(false);
    auto copied = loaded ? target.arrive(
                               plan.arrivals, [&] { return plan.publish(fs); },
                               [&] { return fs.sync_directory(plan.folder + "/new"); })
                         : Result<Appended>(std::move(loaded).error());
    if (!copied) plan.undo(fs);
    if (copied && quota != nullptr)
        quota->add(static_cast<std::int64_t>(bytes), static_cast<std::int64_t>(seqs.size()));
    if (copied) seen.keep(*copied, target.modseq());
    // What others' caches say is theirs to say, and not of messages of ours.
    if (copied && ours) copy_cached(seqs, copied->uids, target);
    const auto& mbox = to.environment().mbox;
    if (copied && mbox) TRY(mbox->push(to.environment(), to.path(), target.modseq()));
    return copied;
}

}  // namespace postern::mailbox
