#include "lib/mailbox/quota.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/group_fs.h"
#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kSumFile = "/maildirsize";
constexpr std::string_view kLockFile = "/postern.quota-lock";
// Another's file may be a pipe, which is not waited for.
constexpr int kFileFlags = O_NOFOLLOW | O_NONBLOCK;
constexpr std::uint64_t kMaxFile = 5120;   // of maildirsize, as Maildir++ has it
constexpr std::int64_t kMaxAge = 15 * 60;  // seconds, of a sum that says "full"
constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr Millis kOtherCounts = Seconds{5};  // to write what they have counted

// "100M": with the unit that a bare number has.
std::optional<std::uint64_t> size_of(std::string_view text, std::uint64_t bare_unit) {
    constexpr std::pair<char, std::uint64_t> kUnits[] = {
        {'B', 1}, {'K', 1ULL << 10}, {'M', 1ULL << 20}, {'G', 1ULL << 30}, {'T', 1ULL << 40}};
    const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
    const auto number = parse_number<std::uint64_t>(digits);
    std::string_view unit = text.substr(digits.size());
    if (unit.size() == 2 && (unit[1] == 'B' || unit[1] == 'b')) unit.remove_suffix(1);  // "MB"
    std::uint64_t factor = unit.empty() ? bare_unit : 0;
    for (const auto& [letter, value] : kUnits)
        if (unit.size() == 1 && iequals(unit, std::string_view(&letter, 1))) factor = value;
    if (!number || factor == 0 || *number > kMost / factor) return std::nullopt;
    return *number * factor;
}

Error bad_rule(std::string_view rule, std::string_view part) {
    return {Errc::invalid,
            cat({"quota rule \"", rule, "\": ", part,
                 " is not understood (*:storage=1G:messages=1000)"}),
            0};
}

// The folders of a Maildir++: itself, and what begins with a dot.
Result<std::vector<std::string>> folders_of(sys::Fs& fs, const std::string& root) {
    std::vector<std::string> folders{root};
    auto entries = fs.list(root);
    if (!entries && entries.error().code == Errc::not_found) return folders;
    if (!entries) return std::move(entries).error();
    for (const auto& entry : *entries)
        if (entry.name.starts_with('.') && entry.kind == sys::FileInfo::Kind::directory)
            folders.push_back(cat({root, "/", entry.name}));
    return folders;
}

Result<void> count_directory(sys::Fs& fs, const std::string& path, QuotaUsage& sum) {
    auto entries = fs.list(path);
    if (!entries && entries.error().code == Errc::not_found) return {};
    if (!entries) return std::move(entries).error();
    for (const auto& entry : *entries) {
        if (!is_message_name(entry.name)) continue;
        const auto size = message_size(fs, cat({path, "/", entry.name}));
        if (!size && size.error().code == Errc::not_found) continue;  // renamed or gone meanwhile
        if (!size) return Error(size.error());
        // Names say any size.
        const auto more = static_cast<std::int64_t>(std::min(*size, kMost));
        if (__builtin_add_overflow(sum.storage, more, &sum.storage))
            sum.storage = static_cast<std::int64_t>(kMost);
        ++sum.messages;
    }
    return {};
}

// "1000000S,1000C", as Courier and Dovecot write it.
std::string head_of(const QuotaLimits& limits) {
    std::string line;
    if (limits.storage != 0) line = cat({std::to_string(limits.storage), "S"});
    if (limits.messages != 0)
        line += cat({line.empty() ? "" : ",", std::to_string(limits.messages), "C"});
    return line + "\n";
}

bool fits(const QuotaLimits& limits, const QuotaUsage& usage, std::uint64_t bytes,
          std::uint64_t messages) {
    const auto within = [](std::int64_t used, std::uint64_t more, std::uint64_t limit) {
        return limit == 0 || (more <= limit && static_cast<std::uint64_t>(used) <= limit - more);
    };
    return within(usage.storage, bytes, limits.storage) &&
           within(usage.messages, messages, limits.messages);
}

std::string line_of(std::int64_t bytes, std::int64_t messages) {
    return cat({std::to_string(bytes), " ", std::to_string(messages), "\n"});
}

// Takes the sums away behind the right first line. Is it the right one?
Result<bool> cut_behind(sys::Fs& fs, int file, const std::string& head) {
    TRY_ASSIGN(const std::string before, fs.read_at(file, 0, head.size()));
    if (before != head) return false;
    TRY(fs.truncate(file, head.size()));
    return true;
}

}  // namespace

Result<std::uint64_t> message_size(sys::Fs& fs, const std::string& path) {
    const auto name = MessageName::parse(std::string_view(path).substr(path.rfind('/') + 1));
    if (const auto told = size_in_name(name.base, 'S')) return *told;
    TRY_ASSIGN(const auto info, fs.info(path));
    return info.size;
}

void count_by_path(sys::Fs& fs, const Clock& clock, const std::string& folder,
                   std::uint64_t bytes) {
    std::string root = folder;
    while (root.size() > 1 && root.ends_with('/')) root.pop_back();
    const auto last = root.rfind('/');
    const bool has_parent = last != std::string::npos && last > 0 && root[last + 1] == '.';
    if (has_parent && fs.info(cat({root.substr(0, last), "/cur"}))) root.resize(last);
    Quota::of_tree(fs, clock, root).add(static_cast<std::int64_t>(bytes), 1);
}

std::vector<std::string> quota_files(const std::string& root) {
    return {cat({root, kSumFile}), cat({root, kLockFile})};
}

// An empty sum is one to be counted. Where they cannot be made, the user of the Quota is told.
void make_quota_files(const std::string& root, sys::Fs& base) {
    const FolderFs fs(base, root);
    if (!fs.is_for_owner()) return;
    for (const std::string& file : quota_files(root))
        (void)fs->open(file, O_RDWR | O_CREAT | kFileFlags, 0600).has_value();
}

Result<QuotaLimits> parse_quota_rule(std::string_view rule) {
    QuotaLimits limits;
    const std::string_view whole = rule;
    if (rule.starts_with("*:")) rule.remove_prefix(2);
    for (const std::string_view part : split(rule, ':')) {
        if (part.empty() || part == "ignore") continue;
        const auto pair = split_once(part, '=');
        if (!pair) return bad_rule(whole, part);
        const bool is_storage = pair->first == "storage" || pair->first == "bytes";
        const auto value = size_of(pair->second, pair->first == "storage" ? 1024 : 1);
        if (!value || (!is_storage && pair->first != "messages")) return bad_rule(whole, part);
        (is_storage ? limits.storage : limits.messages) = *value;
    }
    return limits;
}

QuotaLimits limits_or_none(std::string_view rule, std::string_view user) {
    const auto limits = parse_quota_rule(rule);
    if (limits) return *limits;
    log::warning("", cat({"user ", user, ": ", limits.error().what}));
    return {};
}

std::optional<QuotaLimits> parse_maildirsize_head(std::string_view line) {
    QuotaLimits limits;
    for (const std::string_view part : split(line, ',')) {
        if (part.empty()) return std::nullopt;
        const auto number = parse_number<std::uint64_t>(part.substr(0, part.size() - 1));
        if (!number || *number > kMost || (part.back() != 'S' && part.back() != 'C'))
            return std::nullopt;
        (part.back() == 'S' ? limits.storage : limits.messages) = *number;
    }
    return limits;
}

std::string Quota::path() const { return cat({root_, kSumFile}); }

Quota::Rule Quota::rule() const {
    return of_ == Of::tree ? rule_of_tree() : Rule{limits_, head_of(limits_)};
}

// A line that makes no sense is no limit, as such a rule is none.
Quota::Rule Quota::rule_of_tree() const {
    const auto file = fs_->open(path(), O_RDONLY | kFileFlags);
    auto text = file ? fs_->read_at(file->get(), 0, kMaxFile) : Error(file.error());
    if (!text && text.error().code == Errc::not_found) return {};
    const auto end = text ? text->find('\n') : std::string::npos;
    const auto limits = end == std::string::npos
                            ? std::nullopt
                            : parse_maildirsize_head(std::string_view(*text).substr(0, end));
    if (limits) return {*limits, text->substr(0, end + 1)};
    if (text && text->empty()) return {};  // as make_quota_files() makes it
    log::warning("", text ? cat({path(), ": the first line is no limit (1000000S,1000C)"})
                          : text.error().what);
    return {};
}

// Errc::not_found and Errc::corrupt: it has to be counted.
Result<QuotaUsage> Quota::read(const Rule& rule, bool& is_fresh) const {
    TRY_ASSIGN(const Fd file, fs_->open(path(), O_RDONLY | kFileFlags));
    TRY_ASSIGN(const auto info, fs_->info(file.get()));
    TRY_ASSIGN(const std::string text, fs_->read_at(file.get(), 0, kMaxFile + 1));
    const Error unfit{Errc::corrupt, path() + ": to be counted anew", 0};
    const std::string& head = rule.head;
    if (text.size() > kMaxFile || head.empty() || !text.starts_with(head) || !text.ends_with('\n'))
        return unfit;
    QuotaUsage sum;
    std::size_t lines = 0;
    for (const std::string_view line : split(std::string_view(text).substr(head.size()), '\n')) {
        const auto words = split_words(line);
        if (words.empty()) continue;
        const auto size = parse_number<std::int64_t>(words[0]);
        const auto count = words.size() == 2 ? parse_number<std::int64_t>(words[1])
                                             : std::optional<std::int64_t>();
        if (!size || !count) return unfit;
        if (__builtin_add_overflow(sum.storage, *size, &sum.storage) ||
            __builtin_add_overflow(sum.messages, *count, &sum.messages))
            return unfit;
        ++lines;
    }
    if (lines == 0 || sum.storage < 0 || sum.messages < 0) return unfit;
    const auto now = clock_->now().time_since_epoch().count() / 1'000'000;
    is_fresh = lines == 1 && now - info.mtime_ns / 1'000'000'000 < kMaxAge;
    return sum;
}

Result<QuotaUsage> Quota::usage() const {
    const Rule rule = this->rule();
    bool is_fresh = false;
    auto sum = read(rule, is_fresh);
    if (sum) return sum;
    if (sum.error().code != Errc::not_found && sum.error().code != Errc::corrupt) return sum;
    return recount(rule);
}

std::optional<QuotaUsage> Quota::known() const {
    bool is_fresh = false;
    const auto sum = read(rule(), is_fresh);
    return sum ? std::optional(*sum) : std::nullopt;
}

Result<QuotaUsage> Quota::recount() const { return recount(rule()); }

Result<QuotaUsage> Quota::recount(const Rule& rule) const {
    TRY_ASSIGN(const auto folders, folders_of(*fs_, root_));
    QuotaUsage sum;
    for (const auto& folder : folders)
        for (const char* part : {"/new", "/cur"}) TRY(count_directory(*fs_, folder + part, sum));
    if (!rule.limits.any()) return sum;
    auto written = write_sum(rule, sum);
    // There is no Maildir yet; or it is another's, and the sum is right though nobody keeps it.
    if (!written && written.error().code != Errc::not_found && !is_passed_over(written.error()))
        return std::move(written).error();
    return sum;
}

// Under a lock, as another one may have counted too. The first line of a tree's file is all that
// tells its limits: one that the administrator has changed meanwhile stays, and is counted for by
// the next.
Result<void> Quota::write_sum(const Rule& rule, const QuotaUsage& sum) const {
    const FolderFs fs(*fs_, root_);
    TRY(may_make(fs, path()));
    TRY_ASSIGN(const FolderLock alone, FolderLock::take(*fs, path(), kOtherCounts));
    TRY_ASSIGN(const Fd file, fs->open(path(), O_RDWR | O_APPEND | kFileFlags, 0600));
    TRY_ASSIGN(const bool has_head, cut_behind(*fs, file.get(), rule.head));
    if (!has_head && of_ == Of::tree) return {};
    if (!has_head) TRY(fs->truncate(file.get(), 0));
    return fs->write(file.get(), (has_head ? "" : rule.head) + line_of(sum.storage, sum.messages));
}

// In another's Maildir nothing is left that he could not use.
Result<void> Quota::may_make(const FolderFs& fs, const std::string& file) const {
    if (of_ == Of::self || fs.is_for_owner() || fs_->info(file)) return {};
    return Error{Errc::denied, file + ": would be out of its owner's reach", 0};
}

bool Quota::is_passed_over(const Error& error) const {
    return of_ != Of::self && error.code == Errc::denied;
}

// The sum to go by, counted where the file's leaves no room and may be old. Who may not count
// another's folders goes by what his file says.
Result<QuotaUsage> Quota::usage_for(const Rule& rule, std::uint64_t bytes,
                                    std::uint64_t messages) const {
    bool is_fresh = false;
    auto sum = read(rule, is_fresh);
    if (sum && (is_fresh || fits(rule.limits, *sum, bytes, messages))) return sum;
    auto counted = recount(rule);
    if (!counted && sum && is_passed_over(counted.error())) return sum;
    return counted;
}

Result<void> Quota::check(std::uint64_t bytes, std::uint64_t messages) const {
    const Rule rule = this->rule();
    if (!rule.limits.any()) return {};
    const auto sum = usage_for(rule, bytes, messages);
    if (!sum && is_passed_over(sum.error())) return {};
    if (!sum) return Error(sum.error());
    if (fits(rule.limits, *sum, bytes, messages)) return {};
    const bool by_size = rule.limits.storage != 0 &&
                         static_cast<std::uint64_t>(sum->storage) + bytes > rule.limits.storage;
    return Error{Errc::no_space,
                 by_size ? "Quota exceeded (mailbox is full)"
                         : "Quota exceeded (too many messages in the mailbox)",
                 EDQUOT};
}

Result<std::optional<FolderLock>> Quota::take_turn(Millis patience) const {
    if (!limits().any()) return std::optional<FolderLock>();
    const FolderFs fs(*fs_, root_);
    const std::string file = cat({root_, kLockFile});
    const auto may = may_make(fs, file);
    auto lock = may ? FolderLock::take(*fs, file, patience) : Error(may.error());
    if (!lock && is_passed_over(lock.error())) return std::optional<FolderLock>();
    if (!lock) return std::move(lock).error();
    return std::optional(*std::move(lock));
}

Result<std::optional<FolderLock>> Quota::take_turn(std::uint64_t bytes,
                                                   std::uint64_t messages) const {
    TRY_ASSIGN(auto turn, take_turn());
    TRY(check(bytes, messages));
    return turn;
}

void Quota::add(std::int64_t bytes, std::int64_t messages) const {
    if (!limits().any()) return;
    const auto file = fs_->open(path(), O_WRONLY | O_APPEND | kFileFlags);
    if (!file && file.error().code == Errc::not_found) return;  // the next one counts
    const auto written =
        file ? fs_->write(file->get(), line_of(bytes, messages)) : Error(file.error());
    if (written) return;
    log::warning("", cat({written.error().what,
                          ": what came or went is not in the sum before "
                          "the folders are counted"}));
    forget();
}

// The line that is no sum makes others count too: to Dovecot, a file without any is one of nothing.
// Where not even this can be done, the sum is counted anew when it says "full" or has grown long.
void Quota::forget() const {
    const Rule rule = this->rule();
    if (!rule.limits.any()) return;
    const auto file = fs_->open(path(), O_RDWR | O_APPEND | kFileFlags);
    const auto has_head = file ? cut_behind(*fs_, file->get(), rule.head) : Error(file.error());
    if (has_head && *has_head) (void)fs_->write(file->get(), "uncounted\n").has_value();
    if (has_head && !*has_head && of_ != Of::tree) (void)fs_->truncate(file->get(), 0).has_value();
}

unsigned Quota::percent(const QuotaUsage& usage) const {
    const QuotaLimits limits = this->limits();
    const auto of = [](std::int64_t used, std::uint64_t limit) -> double {
        return limit == 0 ? 0 : 100.0 * static_cast<double>(used) / static_cast<double>(limit);
    };
    const double most =
        std::max(of(usage.storage, limits.storage), of(usage.messages, limits.messages));
    return static_cast<unsigned>(std::clamp(most, 0.0, 1'000'000.0));
}

}  // namespace postern::mailbox
