#include "lib/mailbox/mbox_inbox.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <span>
#include <unordered_map>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/appender.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/line_log.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kRecordMagic = "postern-mbox";
constexpr std::size_t kAddedAtOnce = 200;
constexpr Uid kLargestAdopted = 0x7fffffff;
constexpr std::uint64_t kBytesAtOnce = 32U << 20;
// A change in the same tick of the kernel's clock as the one before it could not be seen.
constexpr std::int64_t kTickNs = 50'000'000;
constexpr int kOpenFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

std::vector<std::string> names_of(const FolderIndex& index, KeywordBits bits) {
    std::vector<std::string> names;
    const auto& all = index.keywords();
    for (std::size_t i = 0; i < all.size(); ++i)
        if ((bits >> i & 1) != 0 && !all[i].empty()) names.push_back(all[i]);
    return names;
}

bool has_name(const std::vector<std::string>& names, const std::string& name) {
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& other) { return iequals(name, other); });
}

std::vector<std::string> without(const std::vector<std::string>& names,
                                 const std::vector<std::string>& others) {
    std::vector<std::string> left;
    for (const auto& name : names)
        if (!has_name(others, name)) left.push_back(name);
    return left;
}

std::string folder_of_file(const std::string& path) { return path.substr(0, path.rfind('/')); }

Uid last_uid(const FolderIndex& index) { return index.next_uid() - 1; }

// Whoever may make files in the spool could make the user's, readable by all and in wait for mail.
Result<void> check_ours(sys::Fs& fs, int fd) {
    TRY_ASSIGN(const auto info, fs.info(fd));
    if (info.kind != sys::FileInfo::Kind::regular)
        return Error{Errc::denied, "it is not a regular file", 0};
    if (info.links > 1) return Error{Errc::denied, "it has more than one name", 0};
    if (info.uid != ::geteuid()) return Error{Errc::denied, "it belongs to somebody else", 0};
    return {};
}

}  // namespace

// One making-equal.
struct MboxInbox::Work {
    Work(const Environment& outer, const std::string& where)
        : env(outer), folder(where), index(inner(outer), where) {}
    static Environment inner(Environment env) {
        env.mbox = nullptr;
        env.quota = nullptr;
        return env;
    }

    const Environment& env;
    const std::string& folder;
    FolderIndex index;
    bool write = false;
    bool doubtful = false;  // what is missing in the file may be missing by accident
    DotLock* lock = nullptr;
    Fd file;                   // none: there is no such file
    std::uint64_t device = 0;  // of the folder that the file is in
    std::vector<MboxEntry> entries;
    std::vector<Uid> uids;       // of the entries; 0: new to us
    std::map<Uid, Known> known;  // as the record has it, and what it does not know, without flags
    std::vector<Uid> unrecorded;
    bool adopting = false;    // the first time, with UIDs of another server
    bool all_written = true;  // the file says all that it should
};

Result<MboxInbox::Stamp> MboxInbox::look(sys::Fs& fs) const {
    const auto info = fs.info(file_);
    if (info) return Stamp{info->inode, info->size, info->mtime_ns, info->ctime_ns};
    if (info.error().code != Errc::not_found) return Error(info.error());
    return Stamp{};
}

Result<void> MboxInbox::pull(const Environment& env, const std::string& folder, Patience patience) {
    TRY_ASSIGN(const Stamp now, look(*env.fs));
    if (record_.validity != 0 && now == record_.stamp) return {};
    auto done = sync(env, folder, std::nullopt, patience);
    if (done) {
        told_ = false;
        return done;
    }
    if (!told_) log::warning("", cat({"mailbox ", file_, ": ", done.error().what}));
    told_ = true;
    return {};
}

Result<void> MboxInbox::push(const Environment& env, const std::string& folder,
                             std::uint64_t modseq) {
    if (record_.pushed == modseq && record_.validity != 0) return {};
    auto done = sync(env, folder, modseq, Patience::none);
    if (!done && done.error().code != Errc::timeout && !told_) {
        log::warning("", cat({"mailbox ", file_, ": ", done.error().what}));
        told_ = true;
    }
    return {};
}

// One of our sessions at a time, then the locks that others know too. `write_at`: the Maildir's
// mod-sequence, which the file shall show.
Result<void> MboxInbox::sync(const Environment& env, const std::string& folder,
                             std::optional<std::uint64_t> write_at, Patience patience) {
    LockRules rules = rules_;
    rules.lock_delay = Millis{100};
    rules.lock_attempts = patience == Patience::some ? 50 : 3;
    TRY_ASSIGN(const FolderLock ours, FolderLock::take(*env.fs, folder + "/postern.mbox.lock",
                                                       rules.lock_delay * rules.lock_attempts));
    TRY(load(*env.fs, folder));
    Work work(env, folder);
    work.write = write_at.has_value();
    DotLock dotlock(*env.fs, file_);
    TRY_ASSIGN(const auto above, env.fs->info(folder_of_file(file_)));
    work.device = above.device;
    TRY(dotlock.take(rules));
    work.lock = &dotlock;
    auto opened = env.fs->open(file_, kOpenFlags, 0);
    if (!opened && opened.error().code != Errc::not_found) return std::move(opened).error();
    if (opened) {
        work.file = std::move(*opened);
        TRY(check_ours(*env.fs, work.file.get()));
        TRY(dotlock.lock_open_file(work.file.get(), rules));
    } else {
        TRY(check_mounted(work));
    }
    TRY_ASSIGN(const Stamp now, look(*env.fs));
    // Another session may have done it.
    const bool is_seen = record_.validity != 0 && now == record_.stamp;
    if (is_seen && (!write_at || record_.pushed == *write_at)) return {};
    return sync_locked(work);
}

// A folder that is not mounted is no empty mailbox. Device numbers change with a reboot too, so
// that they are asked for only where the file is missing.
Result<void> MboxInbox::check_mounted(const Work& work) const {
    if (record_.messages.empty() || record_.device == 0 || record_.device == work.device) return {};
    return Error{Errc::temporary,
                 "it is missing, and its folder is on another file system than it was: is that not "
                 "mounted? All messages are kept until there is such a file",
                 0};
}

Result<void> MboxInbox::sync_locked(Work& work) {
    TRY(mend(work));
    TRY(read_file(work));
    TRY(adopt_numbers(work));
    TRY(work.index.load(true));
    if (record_.validity == work.index.validity()) work.known = record_.messages;
    TRY(read_unknown(work));
    match(work);
    TRY(expunge_gone(work));
    TRY(take_flags(work));
    TRY(add_new(work));
    TRY(write_file(work));
    return save(work);
}

// After a power cut in the middle of a push.
Result<void> MboxInbox::mend(Work& work) {
    if (!work.file) return {};
    TRY_ASSIGN(const auto how,
               recover_mbox(*work.env.fs, work.file.get(), work.folder + "/postern.mbox.journal"));
    if (how == MboxRecovery::done)
        log::info("", cat({"mailbox ", file_, ": an interrupted change was carried out"}));
    if (how != MboxRecovery::given_up) return {};
    log::warning("",
                 cat({"mailbox ", file_,
                      ": was rewritten by another program after an interrupted change; messages "
                      "that are missing in it are added again"}));
    work.doubtful = true;
    return {};
}

Result<void> MboxInbox::read_file(Work& work) {
    if (!work.file) return {};
    TRY_ASSIGN(work.entries, read_mbox(*work.env.fs, work.file.get()));
    return {};
}

// The first time: UIDVALIDITY and UIDs as the file has them from another IMAP server.
Result<void> MboxInbox::adopt_numbers(Work& work) {
    const auto numbers =
        work.entries.empty() ? std::nullopt : numbers_of_base(work.entries.front().fields.base);
    if (!numbers) return {};
    const Mailbox box(Work::inner(work.env), work.folder);
    // Not those that a stranger's message may say, behind which there would be no others.
    if (numbers->last_uid > kLargestAdopted) return {};
    TRY_ASSIGN(work.adopting, box.begin_numbers(numbers->validity));
    return {};
}

// Messages of the Maildir that the record does not know: appended by sessions, or all, when it is
// lost. Their files tell what they are.
Result<void> MboxInbox::read_unknown(Work& work) {
    for (std::size_t at = 0; at < work.index.count(); ++at) {
        const IndexRow& row = work.index.row(at);
        if ((row.place & place::kGone) != 0 || work.known.contains(row.uid)) continue;
        const auto text = read_small_file(*work.env.fs, work.index.path(row), kLargestMboxMessage);
        if (!text && text.error().code == Errc::not_found) continue;
        if (!text) return Error(text.error());
        work.known[row.uid] = {mbox_hash(*text), row.flags, names_of(work.index, row.keywords)};
        work.unrecorded.push_back(row.uid);
    }
    return {};
}

// Which message of the file is which of ours: the same text, and among those with the same text the
// same X-UID, else the next one.
void MboxInbox::match(Work& work) {
    std::unordered_map<std::string_view, std::vector<Uid>> by_hash;
    for (const auto& [uid, known] : work.known) by_hash[known.hash].push_back(uid);
    work.uids.assign(work.entries.size(), 0);
    const auto take = [&](std::size_t i, bool same_uid) {
        const MboxEntry& entry = work.entries[i];
        const auto found = by_hash.find(entry.hash);
        if (entry.internal || work.uids[i] != 0 || found == by_hash.end()) return;
        auto& uids = found->second;
        const auto at =
            same_uid ? std::find(uids.begin(), uids.end(), entry.fields.uid) : uids.begin();
        if (at == uids.end()) return;
        work.uids[i] = *at;
        uids.erase(at);
    };
    for (const bool same_uid : {true, false})
        for (std::size_t i = 0; i < work.entries.size(); ++i) take(i, same_uid);
}

// What another program took out of the file.
Result<void> MboxInbox::expunge_gone(Work& work) {
    std::map<Uid, Known> left;
    for (const Uid uid : work.uids)
        if (const auto at = work.known.find(uid); at != work.known.end()) left.insert(*at);
    for (const Uid uid : work.unrecorded) left.insert({uid, work.known.at(uid)});
    std::vector<std::uint32_t> gone;
    TRY_ASSIGN(auto transaction, work.index.begin_after_others());
    for (const auto& [uid, known] : work.known) {
        if (left.contains(uid)) continue;
        const std::size_t at = work.index.lower_bound(uid);
        const bool here = at < work.index.count() && work.index.row(at).uid == uid &&
                          (work.index.row(at).place & place::kGone) == 0;
        if (!here) continue;
        if (work.doubtful) {
            work.unrecorded.push_back(uid);
            left.insert({uid, known});
            continue;
        }
        auto removed = work.env.fs->unlink(work.index.path(work.index.row(at)));
        if (!removed && removed.error().code != Errc::not_found) return removed;
        gone.push_back(uid);
    }
    work.known = std::move(left);
    if (gone.empty()) return {};
    if (work.env.quota) work.env.quota->forget();
    for (const char* part : {"/new", "/cur"}) TRY(work.env.fs->sync_directory(work.folder + part));
    transaction.changes.expunge(to_ranges(gone));
    return transaction.commit(false, false);
}

// Flags that another program set or took away since we last looked; those that sessions changed
// stay.
Result<void> MboxInbox::take_flags(Work& work) {
    TRY_ASSIGN(auto transaction, work.index.begin());
    for (std::size_t i = 0; i < work.entries.size(); ++i) {
        const auto at = work.known.find(work.uids[i]);
        if (at == work.known.end()) continue;
        const auto& [uid, known] = *at;
        const bool recorded = record_.messages.contains(uid);
        const MboxFields& now = work.entries[i].fields;
        FlagChange change;
        change.add = static_cast<std::uint8_t>(now.flags & ~known.flags);
        if (recorded) change.remove = static_cast<std::uint8_t>(known.flags & ~now.flags);
        for (const auto& name : without(now.keywords, known.keywords))
            change.add_keywords |= transaction.define(name);
        if (recorded)
            for (const auto& name : without(known.keywords, now.keywords))
                change.remove_keywords |= work.index.keyword(name);
        if ((change.add | change.remove) == 0 &&
            (change.add_keywords | change.remove_keywords) == 0)
            continue;
        const UidRange one{uid, uid};
        transaction.changes.flags(change, std::span(&one, 1));
    }
    return transaction.commit(true, false);
}

// The last UID that another server gave, when its UIDs are taken over; 0: they are not. Later on an
// X-UID in a new message is what its sender wrote.
Uid MboxInbox::adopted_last(const Work& work) const {
    if (work.entries.empty()) return 0;
    const auto base = numbers_of_base(work.entries.front().fields.base);
    if (!base) return 0;
    const bool unfinished = record_.validity == 0 && base->validity == work.index.validity() &&
                            base->last_uid <= kLargestAdopted;
    return work.adopting || unfinished ? base->last_uid : 0;
}

// Messages that are in the file only, in its order.
Result<void> MboxInbox::add_new(Work& work) {
    const Uid last = adopted_last(work);
    std::vector<std::size_t> fresh;
    for (std::size_t i = 0; i < work.entries.size(); ++i)
        if (work.uids[i] == 0 && !work.entries[i].internal) fresh.push_back(i);
    for (std::span<const std::size_t> left = fresh; !left.empty();) {
        TRY_ASSIGN(const std::size_t added, add_some(work, left, last));
        left = left.subspan(added);
    }
    if (last != 0) {
        TRY_ASSIGN(auto transaction, work.index.begin());
        transaction.changes.numbers(last + 1, 0);
        TRY(transaction.commit(true, false));
    }
    return work.index.follow();
}

// The first of these entries, as many as one commit may have.
Result<std::size_t> MboxInbox::add_some(Work& work, std::span<const std::size_t> fresh, Uid last) {
    Appender appender(Mailbox(Work::inner(work.env), work.folder));
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    for (; count < fresh.size() && count < kAddedAtOnce && bytes < kBytesAtOnce; ++count) {
        TRY_ASSIGN(const MboxMessage message,
                   read_mbox_message(*work.env.fs, work.file.get(), work.entries[fresh[count]]));
        AppendMessage one;
        one.content = [&](MessageWriter& out) { return out.write(message.text); };
        one.flags = message.flags;
        // New mail may say of itself what it likes, but not that it may go.
        if (last == 0) one.flags = static_cast<SystemFlags>(one.flags & ~kDeleted);
        one.keywords = message.keywords;
        one.date = message.date;
        if (last != 0) one.uid = message.uid != 0 && message.uid <= last ? message.uid : last + 1;
        TRY(appender.add(one));
        bytes += message.text.size();
    }
    TRY_ASSIGN(const Appended appended, appender.commit());
    if (work.env.quota)
        work.env.quota->add(static_cast<std::int64_t>(bytes), static_cast<std::int64_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
        const MboxEntry& entry = work.entries[fresh[i]];
        work.uids[fresh[i]] = appended.uids[i];
        work.known[appended.uids[i]] = {entry.hash, entry.fields.flags, entry.fields.keywords};
    }
    return count;
}

// --- The other way: what the file should say and does not.

// How the file shall be.
struct MboxInbox::Plan {
    std::vector<MboxEdit> edits;      // by entry
    std::vector<MboxFields> wanted;   // by entry
    std::map<Uid, IndexRow> missing;  // in the file
    std::string base;
    bool base_in_addition = false;  // there is no message left that could have it
    bool changes = false;
};

MboxInbox::Plan MboxInbox::plan_file(const Work& work) const {
    Plan plan;
    for (std::size_t at = 0; at < work.index.count(); ++at)
        if ((work.index.row(at).place & place::kGone) == 0)
            plan.missing[work.index.row(at).uid] = work.index.row(at);
    std::vector<std::string> keywords;
    for (const auto& name : work.index.keywords())
        if (!name.empty() && name != kForwardedKeyword) keywords.push_back(name);
    plan.base = format_base({work.index.validity(), last_uid(work.index)}, keywords);
    plan.edits.resize(work.entries.size());
    plan.wanted.resize(work.entries.size());
    bool first = true;
    for (std::size_t i = 0; i < work.entries.size(); ++i) {
        const MboxEntry& entry = work.entries[i];
        const auto row = plan.missing.find(work.uids[i]);
        plan.edits[i].remove = !entry.internal && row == plan.missing.end();
        plan.changes = plan.changes || plan.edits[i].remove;
        if (plan.edits[i].remove) continue;
        if (!entry.internal) {
            plan.wanted[i] = {row->second.flags, names_of(work.index, row->second.keywords),
                              row->first, ""};
            plan.missing.erase(row);
        }
        if (first) plan.wanted[i].base = plan.base;
        first = false;
        plan.changes = plan.changes || !says(entry, plan.wanted[i]);
    }
    plan.changes = plan.changes || !plan.missing.empty();
    plan.base_in_addition = first;
    return plan;
}

// Without `write` it is found out only whether there is something to do.
Result<void> MboxInbox::write_file(Work& work) {
    Plan plan = plan_file(work);
    work.all_written = !plan.changes || work.write;
    // The record says what the file says.
    for (std::size_t i = 0; i < work.entries.size(); ++i)
        if (const auto at = work.known.find(work.uids[i]); at != work.known.end())
            at->second = {work.entries[i].hash, work.entries[i].fields.flags,
                          work.entries[i].fields.keywords};
    for (const auto& [uid, row] : plan.missing) work.known.erase(uid);
    if (!plan.changes || !work.write) return {};
    TRY(make_file(work));
    for (std::size_t i = 0; i < work.entries.size(); ++i) {
        const MboxEntry& entry = work.entries[i];
        if (plan.edits[i].remove || says(entry, plan.wanted[i])) continue;
        TRY_ASSIGN(const std::string header,
                   work.env.fs->read_at(work.file.get(), entry.offset, entry.header_size));
        plan.edits[i].header = with_fields(header, plan.wanted[i], entry.internal);
    }
    MboxAdditions additions;
    std::map<Uid, Known> now;
    for (const auto& [uid, row] : plan.missing) {
        const std::string base = plan.base_in_addition && additions.empty() ? plan.base : "";
        additions.push_back([&work, &now, &row = row, base]() -> Result<std::string> {
            TRY_ASSIGN(const MboxMessage message, message_of_row(work, row, base));
            now[row.uid] = {mbox_hash(message.text), message.flags, message.keywords};
            return to_mbox(message);
        });
    }
    TRY(rewrite_mbox(*work.env.fs, work.file.get(), work.folder + "/postern.mbox.journal",
                     work.entries, plan.edits, additions));
    for (std::size_t i = 0; i < work.entries.size(); ++i)
        if (!plan.edits[i].remove && !work.entries[i].internal)
            now[work.uids[i]] = {work.entries[i].hash, plan.wanted[i].flags,
                                 plan.wanted[i].keywords};
    work.known = std::move(now);
    return {};
}

bool MboxInbox::says(const MboxEntry& entry, const MboxFields& wanted) {
    return entry.internal ? entry.fields.base == wanted.base : entry.fields == wanted;
}

Result<MboxMessage> MboxInbox::message_of_row(const Work& work, const IndexRow& row,
                                              const std::string& base) {
    const std::string path = work.index.path(row);
    TRY_ASSIGN(const Fd file, work.env.fs->open(path, O_RDONLY | O_NOFOLLOW, 0));
    TRY_ASSIGN(const auto info, work.env.fs->info(file.get()));
    if (info.size > kLargestMboxMessage) return Error{Errc::permanent, path + ": too large", 0};
    MboxMessage message;
    TRY_ASSIGN(message.text,
               work.env.fs->read_at(file.get(), 0, static_cast<std::size_t>(info.size)));
    message.date = row.date != kUnknownDate ? row.date : info.mtime_ns / 1'000'000'000;
    message.flags = row.flags;
    message.keywords = names_of(work.index, row.keywords);
    message.uid = row.uid;
    message.base = base;
    return message;
}

// The file, where there is none yet.
Result<void> MboxInbox::make_file(Work& work) {
    if (work.file) return {};
    {
        // Closed before the other is locked: that would end the lock.
        TRY_ASSIGN(const Fd made, open_mbox(*work.env.fs, file_));
    }
    TRY_ASSIGN(work.file, work.env.fs->open(file_, kOpenFlags, 0));
    TRY(check_ours(*work.env.fs, work.file.get()));
    TRY(work.lock->lock_open_file(work.file.get(), rules_));
    TRY_ASSIGN(const auto info, work.env.fs->info(work.file.get()));
    if (info.size != 0) return Error{Errc::timeout, "it was made by somebody else meanwhile", 0};
    return {};
}

// --- The record

// postern-mbox 1 <validity> <pushed> <inode> <size> <mtime> <ctime> [<device of its folder>]
// <uid> <hash> <flags> <keywords...>
std::optional<MboxInbox::Record> MboxInbox::parse_record(std::string_view text) {
    Record record;
    bool good = text.ends_with('\n'), header = true;
    for (const std::string_view line : split(text, '\n')) {
        const auto words = split_words(line);
        if (words.empty()) continue;
        const auto number = [&]<class T>(std::size_t i, T& out) {
            const auto value = i < words.size() ? parse_number<T>(words[i]) : std::nullopt;
            good = good && value && *value >= 0;
            out = value.value_or(0);
        };
        if (header) {
            good = good && (words.size() == 8 || words.size() == 9) && words[0] == kRecordMagic &&
                   words[1] == "1";
            number(2, record.validity);
            number(3, record.pushed);
            number(4, record.stamp.inode);
            number(5, record.stamp.size);
            number(6, record.stamp.mtime_ns);
            number(7, record.stamp.ctime_ns);
            if (words.size() == 9) number(8, record.device);
            header = false;
            continue;
        }
        Uid uid = 0;
        Known known;
        number(0, uid);
        number(2, known.flags);
        if (!good) break;
        known.hash = words[1];
        for (const auto word : std::span(words).subspan(3)) known.keywords.emplace_back(word);
        record.messages[uid] = std::move(known);
    }
    if (!good || header) return std::nullopt;
    return record;
}

Result<void> MboxInbox::load(sys::Fs& fs, const std::string& folder) {
    const std::string path = folder + "/postern.mbox";
    const auto there = fs.info(path);
    if (there && there->inode == record_inode_ && record_.validity != 0) return {};
    record_ = {};
    record_inode_ = 0;
    if (!there && there.error().code == Errc::not_found) return {};
    if (!there) return Error(there.error());
    TRY_ASSIGN(record_file_, fs.open(path, O_RDONLY | O_NOFOLLOW, 0));
    TRY_ASSIGN(const auto info, fs.info(record_file_.get()));
    TRY_ASSIGN(const std::string text,
               fs.read_at(record_file_.get(), 0, static_cast<std::size_t>(info.size)));
    auto record = parse_record(text);
    // Without it nothing is lost: messages are known by their text. It knew which ones were
    // expunged, which come back.
    if (!record) {
        log::warning("", cat({path, ": is damaged"}));
        return {};
    }
    record_ = *std::move(record);
    record_inode_ = info.inode;
    return {};
}

Result<void> MboxInbox::save(Work& work) {
    sys::Fs& fs = *work.env.fs;
    Record record;
    record.validity = work.index.validity();
    record.pushed = work.all_written ? work.index.modseq() : 0;
    TRY_ASSIGN(record.stamp, look(fs));
    const std::int64_t now = work.env.clock->now().time_since_epoch().count() * 1000;
    if (now - record.stamp.ctime_ns < kTickNs && now >= record.stamp.ctime_ns)
        record.stamp.ctime_ns = 0;
    record.messages = std::move(work.known);
    record.device = work.device;
    const auto& s = record.stamp;
    std::string text = cat({kRecordMagic, " 1 ", std::to_string(record.validity), " ",
                            std::to_string(record.pushed), " ", std::to_string(s.inode), " ",
                            std::to_string(s.size), " ", std::to_string(s.mtime_ns), " ",
                            std::to_string(s.ctime_ns), " ", std::to_string(record.device), "\n"});
    for (const auto& [uid, known] : record.messages) {
        text += cat({std::to_string(uid), " ", known.hash, " ", std::to_string(known.flags)});
        for (const auto& keyword : known.keywords) text += cat({" ", keyword});
        text += '\n';
    }
    TRY(LineLog(fs, work.folder + "/postern.mbox").replace(text));
    TRY_ASSIGN(record_file_, fs.open(work.folder + "/postern.mbox", O_RDONLY | O_NOFOLLOW, 0));
    TRY_ASSIGN(const auto info, fs.info(record_file_.get()));
    record_ = std::move(record);
    record_inode_ = info.inode;
    return {};
}

}  // namespace postern::mailbox
