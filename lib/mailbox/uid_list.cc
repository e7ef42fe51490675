#include "lib/mailbox/uid_list.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <tuple>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kMagic = "postern-uids";
constexpr std::size_t kLinesAtOnce = 256 * 1024;  // bytes; a folder may have a million messages
constexpr Uid kLastUid = std::numeric_limits<Uid>::max() - 1;

// A value that no folder of this store had before: the time, and always above the last one given
// out and the folder's own before, so that a folder deleted and made again is never mistaken for
// the old one (RFC 3501 2.3.1.1).
Result<std::uint32_t> fresh_validity(const Environment& env, std::uint32_t before) {
    const std::string path = env.root + "/postern.uidvalidity";
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env.fs, path + ".lock"));
    std::uint32_t last = 0;
    if (auto file = env.fs->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)) {
        TRY_ASSIGN(const std::string text, env.fs->read_at(file->get(), 0, 32));
        last = parse_number<std::uint32_t>(trim(text)).value_or(0);
    }
    const auto now =
        std::chrono::duration_cast<Seconds>(env.clock->now().time_since_epoch()).count();
    const std::uint32_t value =
        std::max({last + 1, before + 1, static_cast<std::uint32_t>(now)});
    LineLog log(*env.fs, path);
    TRY(log.replace(std::to_string(value) + "\n"));
    return value;
}

// What cannot be part of a file's name is damage.
bool is_base(std::string_view text) {
    return !text.empty() && text.find('/') == std::string_view::npos;
}

// What other servers keep their UIDs in.
struct ForeignList {
    const char* file;
    std::optional<ForeignUids> (*parse)(std::string_view);
};
constexpr std::array<ForeignList, std::tuple_size_v<ListMarks>> kForeignLists{
    {{"dovecot-uidlist", parse_dovecot_uidlist}, {"courierimapuiddb", parse_courier_uiddb}}};

std::optional<ForeignUids> parse_foreign(const ForeignList& list, const std::string& path,
                                         std::string_view text) {
    auto uids = list.parse(text);
    if (!uids) log::warning("", cat({path, ": is damaged, UIDs are not taken over from it"}));
    return uids;
}

struct Header {
    std::uint32_t validity = 0;
    Uid next = 0;
    ListMarks marks{};
};

// "<mtime in ns>:<size>"
std::optional<ListMark> parse_mark(std::string_view word) {
    const auto parts = split_once(word, ':');
    const auto mtime = parts ? parse_number<std::int64_t>(parts->first) : std::nullopt;
    const auto size = parts ? parse_number<std::uint64_t>(parts->second) : std::nullopt;
    if (!mtime || !size) return std::nullopt;
    return ListMark{*mtime, *size};
}

// Nothing: it is not a list's first line.
std::optional<Header> parse_header(std::string_view line) {
    const auto words = split_words(line, " ");
    const bool ours = words.size() >= 4 && words[0] == kMagic && words[1] == "1";
    const auto validity = ours ? parse_number<std::uint32_t>(words[2]) : std::nullopt;
    const auto next = ours ? parse_number<Uid>(words[3]) : std::nullopt;
    if (!validity || *validity == 0 || !next || *next == 0) return std::nullopt;
    Header header{*validity, *next};
    for (std::size_t i = 0; i < header.marks.size() && i + 4 < words.size(); ++i)
        header.marks[i] = parse_mark(words[i + 4]).value_or(ListMark{});
    return header;
}

// Nothing: there is no list, or none that can be read.
std::optional<Header> header_in(sys::Fs& fs, const std::string& folder) {
    constexpr std::size_t kLongestHeader = 160;
    const auto file = fs.open(folder + "/postern.uids", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const auto text =
        file ? fs.read_at(file->get(), 0, kLongestHeader) : Result<std::string>(std::string());
    const auto line = text ? split_once(*text, '\n') : std::nullopt;
    return line ? parse_header(line->first) : std::nullopt;
}

}  // namespace

std::uint32_t validity_in_list(sys::Fs& fs, const std::string& folder) {
    return header_in(fs, folder).value_or(Header{}).validity;
}

Result<void> UidList::refresh() {
    auto exists = log_.refresh({[this](std::string_view header) { on_header(header); },
                                [this](std::string_view line) { on_line(line); }});
    if (!exists) return std::move(exists).error();
    if (!*exists || damaged_) validity_ = 0;
    return {};
}

void UidList::on_header(std::string_view header) {
    uids_.clear();
    last_line_ = 0;
    validity_ = 0;
    const auto parsed = parse_header(header);
    damaged_ = !parsed;
    if (damaged_) return;
    validity_ = parsed->validity;
    next_ = parsed->next;
    marks_ = parsed->marks;
}

void UidList::on_line(std::string_view line) {
    if (damaged_) return;
    const auto parts = split_once(line, ' ');
    const auto uid = parts ? parse_number<Uid>(parts->first) : std::nullopt;
    if (!uid || *uid <= last_line_ || *uid > kLastUid || !is_base(parts->second)) {
        damaged_ = true;
        return;
    }
    last_line_ = *uid;
    next_ = std::max(next_, *uid + 1);
    uids_.insert_or_assign(std::string(parts->second), *uid);
}

Uid UidList::find(std::string_view base) const {
    const auto at = uids_.find(base);
    return at == uids_.end() ? 0 : at->second;
}

Result<void> UidList::ensure() {
    TRY(refresh());
    if (!usable()) {
        const auto ours = env_->fs->info(folder_ + "/postern.uids");
        if (!ours && ours.error().code == Errc::not_found) TRY(adopt());
    }
    if (!usable()) return begin_anew();
    if (log_.torn() || adopted_) {
        adopted_ = false;
        TRY(rewrite());
    }
    return follow_others();
}

// The younger of Dovecot's and Courier's lists. One that is there and cannot be read now may be
// read later: to go on without it would give all messages new UIDs for ever.
Result<void> UidList::adopt() {
    std::optional<ForeignUids> best;
    std::int64_t best_time = 0;
    TRY_ASSIGN(marks_, marks_of_others());
    for (std::size_t i = 0; i < marks_.size(); ++i) {
        if (marks_[i] == ListMark{} || (best && marks_[i].mtime_ns <= best_time)) continue;
        const ForeignList& list = kForeignLists[i];
        const std::string path = cat({folder_, "/", list.file});
        TRY_ASSIGN(const std::string text, read_small_file(*env_->fs, path, kMaxForeignFile));
        auto uids = parse_foreign(list, path, text);
        if (!uids) continue;
        best = std::move(uids);
        best_time = marks_[i].mtime_ns;
    }
    if (!best) return {};
    uids_.clear();
    for (auto& [uid, base] : best->messages) uids_.insert_or_assign(std::move(base), uid);
    validity_ = best->validity;
    next_ = best->next_uid;
    damaged_ = false;
    adopted_ = true;
    return {};
}

Result<ListMarks> UidList::marks_of_others() const {
    ListMarks marks{};
    for (std::size_t i = 0; i < marks.size(); ++i) {
        const auto info = env_->fs->info(cat({folder_, "/", kForeignLists[i].file}));
        if (!info && info.error().code != Errc::not_found) return Error(info.error());
        if (info) marks[i] = {info->mtime_ns, info->size};
    }
    return marks;
}

// Times are compared for equality only: rsync and restored backups bring old ones. A list that was
// taken away has nothing to tell.
bool UidList::is_passed() const {
    const auto now = marks_of_others();
    if (!now) return true;  // and ensure() says why
    if (*now == ListMarks{}) return false;
    const auto known = header_in(*env_->fs, folder_).value_or(Header{}).marks;
    for (std::size_t i = 0; i < known.size(); ++i)
        if ((*now)[i] != ListMark{} && (*now)[i] != known[i]) return true;
    return false;
}

// With one UIDVALIDITY a UID must mean one message only, whoever gave it.
bool UidList::agrees_with(const ForeignUids& theirs) const {
    std::unordered_map<Uid, std::string_view> ours;
    for (const auto& [base, uid] : uids_) ours.emplace(uid, base);
    return std::all_of(theirs.messages.begin(), theirs.messages.end(), [&](const auto& message) {
        const auto& [uid, base] = message;
        const Uid known = find(base);
        return known != 0 ? known == uid : !ours.contains(uid);
    });
}

// The other server was back for a while: somebody tries us, goes back, and comes again. Its clients
// are ours now, and know the UIDs that it gave meanwhile, also those of messages that are gone.
Result<void> UidList::follow_others() {
    TRY_ASSIGN(const ListMarks now, marks_of_others());
    bool passed = false;
    for (std::size_t i = 0; i < now.size(); ++i) {
        if (now[i] == ListMark{} || now[i] == marks_[i]) continue;
        passed = true;
        const ForeignList& list = kForeignLists[i];
        const std::string path = cat({folder_, "/", list.file});
        TRY_ASSIGN(const std::string text, read_small_file(*env_->fs, path, kMaxForeignFile));
        const auto theirs = parse_foreign(list, path, text);
        if (theirs && theirs->validity != validity_) continue;
        if (!theirs || !agrees_with(*theirs)) {
            log::warning("", cat({path,
                                  ": may have given messages other UIDs than postern.uids; all of "
                                  "the folder get new ones, with a new UIDVALIDITY"}));
            return begin_anew();
        }
        for (const auto& [uid, base] : theirs->messages) uids_.try_emplace(base, uid);
        next_ = std::max(next_, theirs->next_uid);
    }
    marks_ = now;
    return passed ? rewrite() : Result<void>();
}

Result<void> UidList::begin_anew() {
    TRY_ASSIGN(marks_, marks_of_others());
    TRY_ASSIGN(const std::uint32_t validity, fresh_validity(*env_, validity_));
    uids_.clear();
    validity_ = validity;
    next_ = 1;
    return rewrite();
}

Result<std::vector<Uid>> UidList::append_at(Uid first, std::span<const std::string_view> bases) {
    if (first > kLastUid || bases.size() > kLastUid - first)
        return Error{Errc::permanent, "no UIDs left", 0};
    std::string lines;
    std::vector<Uid> given;
    given.reserve(bases.size());
    for (const std::string_view base : bases) {
        const Uid uid = first + static_cast<Uid>(given.size());
        lines += cat({std::to_string(uid), " ", base, "\n"});
        given.push_back(uid);
        if (lines.size() < kLinesAtOnce) continue;
        TRY(log_.append(lines, false));
        lines.clear();
    }
    if (!given.empty()) TRY(log_.append(lines, true));  // which makes those before durable, too
    return given;
}

Result<void> UidList::replace(std::uint32_t validity, Uid next, std::string_view lines) {
    return write(validity, next, header_in(*env_->fs, folder_).value_or(Header{}).marks, lines);
}

Result<void> UidList::write(std::uint32_t validity, Uid next, const ListMarks& marks,
                            std::string_view lines) {
    std::string text =
        cat({kMagic, " 1 ", std::to_string(validity), " ", std::to_string(next)});
    for (const ListMark& mark : marks)
        text += cat({" ", std::to_string(mark.mtime_ns), ":", std::to_string(mark.size)});
    return log_.replace(cat({text, "\n", lines}));
}

Result<void> UidList::raise_next(Uid next) {
    if (next <= next_ || next > kLastUid) return {};
    next_ = next;
    return rewrite();
}

Result<void> UidList::rewrite() {
    std::vector<std::pair<Uid, std::string_view>> order;
    order.reserve(uids_.size());
    for (const auto& [base, uid] : uids_) order.emplace_back(uid, base);
    std::sort(order.begin(), order.end());
    std::string lines;
    for (const auto& [uid, base] : order) lines += cat({std::to_string(uid), " ", base, "\n"});
    TRY(write(validity_, next_, marks_, lines));
    return refresh();
}

}  // namespace postern::mailbox
