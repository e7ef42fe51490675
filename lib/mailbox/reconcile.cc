// FolderIndex::reconcile: what foreign programs (and deliveries, which know nothing of the index)
// did to the files of a folder becomes a transaction. Under the folder's lock none of our own
// processes renames or removes anything, so every difference is theirs.
#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/folder_index.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

constexpr int kScanAttempts = 4;
constexpr std::size_t kLongFrame = 1024 * 1024;  // bytes

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

std::string_view base_of(std::string_view name) { return MessageName::parse(name).base; }

// Keys are worked out once: the first look at a large folder of another server waits for this.
void sort_by_arrival(std::vector<const FoundFile*>& files) {
    std::vector<std::pair<ArrivalKey, const FoundFile*>> order;
    order.reserve(files.size());
    for (const FoundFile* file : files) order.emplace_back(arrival_key(base_of(file->name)), file);
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < files.size(); ++i) files[i] = order[i].second;
}

// A set of files by their bases, which their names hold: a folder may have a million.
struct BaseHash {
    std::size_t operator()(const FoundFile& file) const {
        return std::hash<std::string_view>{}(base_of(file.name));
    }
};
struct SameBase {
    bool operator()(const FoundFile& a, const FoundFile& b) const {
        return base_of(a.name) == base_of(b.name);
    }
};

// Keywords that other programs gave messages: Dovecot by letters in their names, Courier in a file,
// which is looked at for a folder that we have not seen yet.
class ForeignKeywords {
  public:
    ForeignKeywords(sys::Fs& fs, const std::string& folder, bool adopting)
        : fs_(fs), folder_(folder) {
        if (!adopting) return;
        const std::string path = folder + "/courierimapkeywords/:list";
        const auto text = read_small_file(fs, path, kMaxForeignFile);
        if (text) courier_ = parse_courier_keywords(*text);
        tell(text, "keywords");
    }

    std::vector<std::string> of(const MessageName& name) {
        std::vector<std::string> out;
        for (const char c : name.info.starts_with(":2,") ? name.info.substr(3) : "") {
            if (c < 'a' || c > 'z') continue;
            if (!dovecot_) read_dovecot();
            if (const auto at = dovecot_->find(c); at != dovecot_->end()) out.push_back(at->second);
        }
        if (const auto at = courier_.find(name.base); at != courier_.end())
            out.insert(out.end(), at->second.begin(), at->second.end());
        return out;
    }

  private:
    void read_dovecot() {
        const auto text = read_small_file(fs_, folder_ + "/dovecot-keywords", kMaxForeignFile);
        dovecot_ = parse_dovecot_keywords(text ? *text : std::string());
        tell(text, "keywords");
    }

    // Messages are shown without them; that there were some shall be known.
    static void tell(const Result<std::string>& text, std::string_view what) {
        if (!text && text.error().code != Errc::not_found)
            log::warning("", cat({text.error().what, ": ", what, " are not taken over from it"}));
    }

    sys::Fs& fs_;
    const std::string& folder_;
    std::optional<std::map<char, std::string>> dovecot_;  // nothing: not read yet
    KeywordsByBase courier_;
};

}  // namespace

struct FolderIndex::Look {
    std::vector<bool> found;  // by row
    std::unordered_map<std::string_view, std::size_t> by_base;
    std::map<std::size_t, FoundFile> renamed;  // by row
    std::unordered_set<FoundFile, BaseHash, SameBase> fresh;
    SeenState state{};
    bool stable = false;
    bool again = false;  // not the first reading
};

Result<void> FolderIndex::reconcile() {
    TRY_ASSIGN(Transaction transaction, begin());
    return reconcile_in(transaction);
}

Result<FolderIndex::Transaction> FolderIndex::begin_after_others() {
    TRY_ASSIGN(Transaction transaction, begin());
    if (transaction.undisturbed_) return transaction;
    TRY(reconcile_in(transaction));
    transaction.undisturbed_ = true;
    return transaction;
}

Result<void> FolderIndex::reconcile_in(Transaction& transaction) {
    Look look;
    look.found.resize(count());
    for (std::size_t at = 0; at < count(); ++at) {
        const IndexRow& one = row(at);
        if ((one.place & place::kGone) != 0)
            look.found[at] = true;  // known to be missing
        else
            look.by_base.emplace(base_of(name(one)), at);
    }
    for (int attempt = 0; attempt < kScanAttempts; ++attempt) {
        TRY(compare(look));
        const bool all =
            std::all_of(look.found.begin(), look.found.end(), [](bool found) { return found; });
        if (look.stable || all) break;
        look.again = true;
    }
    ChangeWriter& out = transaction.changes;
    log_missing(look, out);
    log_renamed(look, out);
    transaction.undisturbed_ = false;  // what the folder looks like will be said here
    TRY(log_new(look, transaction));
    TRY_ASSIGN(const SeenState now, this->look());
    look.state.uids_inode = now.uids_inode;
    look.state.uids_size = now.uids_size;
    // Where all is as the log says, it was our own processes that changed the directories: one of
    // them that writes message after message shall not have them read each time.
    const bool all_known =
        look.renamed.empty() && look.fresh.empty() &&
        std::find(look.found.begin(), look.found.end(), false) == look.found.end();
    look.state.own = all_known ? 1 : 0;
    out.seen(look.state);
    return transaction.commit(false, false);
}

// One reading of the directories. What was found once is there, though a later reading may miss it
// while somebody renames.
Result<void> FolderIndex::compare(Look& look) {
    TRY_ASSIGN(FolderScan scan, scan_folder(*env_.fs, *env_.clock, folder_));
    look.state = {};
    look.state.new_mtime = scan.state.new_mtime;
    look.state.cur_mtime = scan.state.cur_mtime;
    look.state.cur_inode = scan.state.cur_inode;
    look.state.young = scan.stable ? 0 : 1;
    look.state.at = env_.clock->now().time_since_epoch().count() * 1000;
    look.stable = scan.stable;
    look.fresh.reserve(look.fresh.size() + scan.files.size() -
                       std::min(scan.files.size(), count()));
    for (FoundFile& file : scan.files) match(look, std::move(file));
    return {};
}

void FolderIndex::match(Look& look, FoundFile file) {
    const auto known = look.by_base.find(base_of(file.name));
    if (known == look.by_base.end()) {
        if (look.again) look.fresh.erase(file);  // a later look tells better where it is
        look.fresh.insert(std::move(file));
        return;
    }
    const std::size_t at = known->second;
    look.found[at] = true;
    const IndexRow& one = row(at);
    if (name(one) == file.name && ((one.place & place::kNew) != 0) == file.in_new)
        look.renamed.erase(at);
    else
        look.renamed.insert_or_assign(at, std::move(file));
}

void FolderIndex::log_missing(const Look& look, ChangeWriter& out) const {
    std::vector<std::uint32_t> gone;
    for (std::size_t at = 0; at < look.found.size(); ++at)
        if (!look.found[at]) gone.push_back(row(at).uid);
    if (!gone.empty()) out.expunge(to_ranges(gone));
}

// Flags whose letters came or went are set or cleared; others stay as the log has them, whose names
// may lag behind.
void FolderIndex::log_renamed(const Look& look, ChangeWriter& out) const {
    std::map<std::tuple<SystemFlags, SystemFlags, bool, bool>, std::vector<std::uint32_t>> groups;
    for (const auto& [at, file] : look.renamed) {
        const Flags before = flags_of_info(MessageName::parse(name(row(at))).info);
        const Flags now = flags_of_info(MessageName::parse(file.name).info);
        out.name(row(at).uid, file.in_new ? place::kNew : 0, file.name);
        if (before == now) continue;
        const auto add = static_cast<SystemFlags>(now.system & ~before.system);
        const auto remove = static_cast<SystemFlags>(before.system & ~now.system);
        const bool add_p = (now.keywords & ~before.keywords) != 0;
        const bool remove_p = (before.keywords & ~now.keywords) != 0;
        groups[{add, remove, add_p, remove_p}].push_back(row(at).uid);
    }
    for (const auto& [change, uids] : groups) {
        const auto& [add, remove, add_p, remove_p] = change;
        out.flags({add, remove, add_p ? 1U : 0U, remove_p ? 1U : 0U}, to_ranges(uids));
    }
}

Result<void> FolderIndex::log_new(Look& look, Transaction& transaction) {
    if (look.fresh.empty()) {
        keep_next_uid(logged_next_, transaction.changes);
        return {};
    }
    ForeignKeywords foreign(*env_.fs, folder_, count() == 0);
    TRY_ASSIGN(const NumberedFiles numbered, number(look));
    make_room(numbered);
    for (const auto& [uid, file] : numbered) {
        const MessageName parts = MessageName::parse(file->name);
        const Flags flags = flags_of_info(parts.info);
        NewMessage m;
        m.uid = uid;
        m.flags = flags.system;
        m.place = file->in_new ? place::kNew : 0;
        m.keywords = flags.keywords;
        for (const std::string& keyword : foreign.of(parts))
            m.keywords |= transaction.define(keyword);
        m.wire_size = size_in_name(parts.base, 'W').value_or(kUnknownSize);
        m.name = file->name;
        transaction.changes.add(m);
        // Each of these frames is true alone, and what comes after it is found again by a look.
        if (transaction.changes.payload().size() >= kLongFrame)
            TRY(transaction.commit(false, false));
    }
    keep_next_uid(numbered.back().first + 1, transaction.changes);
    return {};
}

// Rows and names that grow by doubling would take twice as much for a moment.
void FolderIndex::make_room(const NumberedFiles& files) {
    own_rows();
    own_rows_.reserve(own_rows_.size() + files.size());
    std::size_t bytes = own_names_.size();
    for (const auto& [uid, file] : files) bytes += file->name.size();
    own_names_.reserve(bytes);
}

// The UIDs of files that the log does not know.
Result<FolderIndex::NumberedFiles> FolderIndex::number(const Look& look) {
    NumberedFiles numbered;
    std::vector<const FoundFile*> without;
    for (const FoundFile& file : look.fresh) {
        // The list may know UIDs that the log does not: after a crash, or when the log was lost.
        const Uid uid = uids_.find(base_of(file.name));
        if (uid >= logged_next_)
            numbered.emplace_back(uid, &file);
        else
            without.push_back(&file);
    }
    std::sort(numbered.begin(), numbered.end());
    sort_by_arrival(without);
    std::vector<std::string_view> bases;
    bases.reserve(without.size());
    for (const FoundFile* file : without) bases.push_back(base_of(file->name));
    TRY_ASSIGN(const std::vector<Uid> given, give_uids(bases));
    for (std::size_t i = 0; i < given.size(); ++i) numbered.emplace_back(given[i], without[i]);
    return numbered;
}

// UIDs that the list has given to messages that are gone (an adopted one may) are not given again.
void FolderIndex::keep_next_uid(Uid logged, ChangeWriter& out) const {
    if (next_uid_ > logged) out.numbers(next_uid_, 0);
}

}  // namespace postern::mailbox
