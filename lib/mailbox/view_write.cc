// The half of FolderView that changes the folder: flags, expunge, copy.
#include <fcntl.h>

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/mailbox/message_name.h"
#include "lib/mailbox/view.h"

namespace postern::mailbox {
namespace {

template <class Bits>
Bits combined(Bits old_bits, StoreMode mode, Bits bits) {
    switch (mode) {
        case StoreMode::replace: return bits;
        case StoreMode::add: return static_cast<Bits>(old_bits | bits);
        case StoreMode::remove: return static_cast<Bits>(old_bits & ~bits);
    }
    return old_bits;
}

Error read_only_error(const std::string& path) {
    return {Errc::denied, path + ": opened read-only", 0};
}

}  // namespace

// Runs step for each message; those whose file has another name by now get a second chance after
// one look at the directories. Messages that are gone are passed over.
Result<void> FolderView::each_file(std::span<const std::uint32_t> seqs,
                                   const std::function<Result<void>(Entry&)>& step) {
    std::vector<std::uint32_t> todo(seqs.begin(), seqs.end());
    for (int attempt = 0; attempt < 4 && !todo.empty(); ++attempt) {
        if (attempt > 0) TRY(rescan(false));
        std::vector<std::uint32_t> lost;
        for (const std::uint32_t seq : todo) {
            if (at(seq).gone) continue;
            auto done = step(at(seq));
            if (done) continue;
            if (done.error().code != Errc::not_found) return done;
            lost.push_back(seq);
        }
        todo = std::move(lost);
    }
    return {};
}

Result<void> FolderView::store(std::span<const std::uint32_t> seqs, StoreMode mode,
                               const Flags& flags) {
    if (read_only()) return read_only_error(path_);
    TRY(store_keywords(seqs, mode, flags.keywords));
    Touched touched;
    TRY(each_file(seqs, [&](Entry& entry) { return store_in_name(entry, mode, flags, touched); }));
    return sync_touched(touched);
}

// Renames and removals survive a power cut once their directories are synced.
Result<void> FolderView::sync_touched(const Touched& touched) {
    if (touched.fresh) TRY(env_.fs->sync_directory(path_ + "/new"));
    if (touched.current) TRY(env_.fs->sync_directory(path_ + "/cur"));
    return {};
}

Result<void> FolderView::store_in_name(Entry& entry, StoreMode mode, const Flags& flags,
                                       Touched& touched) {
    const MessageName name = MessageName::parse(entry.name);
    const Flags old_flags = flags_of_info(name.info);
    const Flags wanted{combined(old_flags.system, mode, flags.system),
                       combined(old_flags.keywords, mode, flags.keywords & 1)};
    if (wanted != old_flags || entry.in_new) {
        std::string renamed = cat({name.base, info_of_flags(wanted, name.info)});
        TRY(env_.fs->rename(file_of(entry), cat({path_, "/cur/", renamed})));
        touched.current = true;
        touched.fresh = touched.fresh || entry.in_new;
        entry.name = std::move(renamed);
        entry.in_new = false;
    }
    entry.message.flags = flags_on_disk(entry.message.uid, entry.name);
    return {};
}

Result<void> FolderView::store_keywords(std::span<const std::uint32_t> seqs, StoreMode mode,
                                        KeywordBits bits) {
    const KeywordBits logged = bits & ~KeywordBits{1};
    const bool clears =
        mode == StoreMode::replace && std::any_of(seqs.begin(), seqs.end(), [&](std::uint32_t seq) {
            return keywords_.bits(at(seq).message.uid) != logged;
        });
    if (logged == 0 && !clears) return {};
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env_.fs, lock_path()));
    TRY(refresh_keywords());
    std::vector<std::pair<Uid, KeywordBits>> changes;
    for (const std::uint32_t seq : seqs) {
        const Uid uid = at(seq).message.uid;
        const KeywordBits wanted = combined(keywords_.bits(uid), mode, logged);
        if (wanted != keywords_.bits(uid) && !at(seq).gone) changes.emplace_back(uid, wanted);
    }
    return changes.empty() ? Result<void>() : keywords_.write(validity_, changes);
}

Result<void> FolderView::expunge(std::span<const std::uint32_t> seqs) {
    if (read_only()) return read_only_error(path_);
    Touched touched;
    const auto done = each_file(seqs, [&](Entry& entry) -> Result<void> {
        TRY(env_.fs->unlink(file_of(entry)));
        (entry.in_new ? touched.fresh : touched.current) = true;
        entry.gone = true;
        return {};
    });
    TRY(sync_touched(touched));
    return done;
}

namespace {

// Links (or copies, where that cannot be) one message file to a path under the target's tmp/.
Result<void> duplicate(sys::Fs& fs, const std::string& from, const std::string& to) {
    auto linked = fs.link(from, to);
    if (linked || linked.error().code == Errc::not_found) return linked;
    TRY_ASSIGN(const Fd source, fs.open(from, O_RDONLY | O_NOFOLLOW));
    TRY_ASSIGN(const auto info, fs.info(source.get()));
    TRY_ASSIGN(const Fd target, fs.open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    constexpr std::size_t kChunk = 256 * 1024;
    for (std::uint64_t done = 0; done < info.size; done += kChunk) {
        TRY_ASSIGN(const std::string bytes, fs.read_at(source.get(), done, kChunk));
        TRY(fs.write(target.get(), bytes));
    }
    TRY(fs.set_times(to, info.mtime_ns / 1'000'000'000));
    return fs.sync(target.get());
}

// The files of one COPY on their way into the target folder.
struct CopyPlan {
    std::string folder;
    std::vector<std::string> bases;
    std::vector<std::string> infos;
    std::vector<std::vector<std::string>> keywords;

    std::string temporary(std::size_t i) const { return cat({folder, "/tmp/", bases[i]}); }
    std::string final_path(std::size_t i) const {
        return cat({folder, "/new/", bases[i], infos[i]});
    }

    // Best effort, wherever the files are by now.
    void undo(sys::Fs& fs) const {
        for (std::size_t i = 0; i < bases.size(); ++i) {
            (void)fs.unlink(temporary(i)).has_value();
            if (i < infos.size()) (void)fs.unlink(final_path(i)).has_value();
        }
    }

    Result<void> publish(sys::Fs& fs) const {
        for (std::size_t i = 0; i < bases.size(); ++i) TRY(fs.rename(temporary(i), final_path(i)));
        return fs.sync_directory(folder + "/new");
    }
};

std::string sizes_in_name(std::string_view base) {
    const auto s = size_in_name(base, 'S');
    const auto w = size_in_name(base, 'W');
    return cat({s ? ",S=" + std::to_string(*s) : "", w ? ",W=" + std::to_string(*w) : ""});
}

}  // namespace

Result<Appended> FolderView::copy(std::span<const std::uint32_t> seqs, const Mailbox& to) {
    CopyPlan plan{to.path(), {}, {}, {}};
    TRY(refresh_keywords());
    for (const std::uint32_t seq : seqs) {
        plan.bases.push_back(unique_stem(*env_.clock, *env_.random, env_.host) +
                             sizes_in_name(MessageName::parse(at(seq).name).base));
        auto linked = with_file(seq, [&](const std::string& path) {
            return duplicate(*env_.fs, path, plan.temporary(plan.bases.size() - 1));
        });
        if (!linked) {
            plan.undo(*env_.fs);
            return std::move(linked).error();
        }
        const MessageName name = MessageName::parse(at(seq).name);
        plan.infos.push_back(info_of_flags(flags_of_info(name.info), ""));
        std::vector<std::string> names;
        for (std::size_t i = 1; i < keywords().size(); ++i)
            if ((keywords_.bits(at(seq).message.uid) >> i & 1) != 0) names.push_back(keywords()[i]);
        plan.keywords.push_back(std::move(names));
    }
    auto copied = publish_with_uids(to.environment(), to.path(), plan.bases, plan.keywords,
                                    [&] { return plan.publish(*env_.fs); });
    if (!copied) plan.undo(*env_.fs);
    return copied;
}

}  // namespace postern::mailbox
