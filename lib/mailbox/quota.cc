#include "lib/mailbox/quota.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

constexpr std::uint64_t kMaxFile = 5120;   // of maildirsize, as Maildir++ has it
constexpr std::int64_t kMaxAge = 15 * 60;  // seconds, of a sum that says "full"
constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();

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
        sum.storage += static_cast<std::int64_t>(std::min(*size, kMost / 2));
        ++sum.messages;
    }
    return {};
}

std::string line_of(std::int64_t bytes, std::int64_t messages) {
    return cat({std::to_string(bytes), " ", std::to_string(messages), "\n"});
}

}  // namespace

Result<std::uint64_t> message_size(sys::Fs& fs, const std::string& path) {
    const auto name = MessageName::parse(std::string_view(path).substr(path.rfind('/') + 1));
    if (const auto told = size_in_name(name.base, 'S')) return *told;
    TRY_ASSIGN(const auto info, fs.info(path));
    return info.size;
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

// "1000000S,1000C", as Courier and Dovecot write it.
std::string Quota::first_line() const {
    std::string line;
    if (limits_.storage != 0) line = cat({std::to_string(limits_.storage), "S"});
    if (limits_.messages != 0)
        line += cat({line.empty() ? "" : ",", std::to_string(limits_.messages), "C"});
    return line + "\n";
}

// Errc::not_found and Errc::corrupt: it has to be counted.
Result<QuotaUsage> Quota::read(bool& is_fresh) const {
    TRY_ASSIGN(const Fd file, fs_->open(path(), O_RDONLY | O_NOFOLLOW));
    TRY_ASSIGN(const auto info, fs_->info(file.get()));
    TRY_ASSIGN(const std::string text, fs_->read_at(file.get(), 0, kMaxFile + 1));
    const Error unfit{Errc::corrupt, path() + ": to be counted anew", 0};
    const std::string head = first_line();
    if (text.size() > kMaxFile || !text.starts_with(head) || !text.ends_with('\n')) return unfit;
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
    bool is_fresh = false;
    auto sum = read(is_fresh);
    if (sum) return sum;
    if (sum.error().code != Errc::not_found && sum.error().code != Errc::corrupt) return sum;
    return recount();
}

std::optional<QuotaUsage> Quota::known() const {
    bool is_fresh = false;
    const auto sum = read(is_fresh);
    return sum ? std::optional(*sum) : std::nullopt;
}

Result<QuotaUsage> Quota::recount() const {
    TRY_ASSIGN(const auto folders, folders_of(*fs_, root_));
    QuotaUsage sum;
    for (const auto& folder : folders)
        for (const char* part : {"/new", "/cur"}) TRY(count_directory(*fs_, folder + part, sum));
    if (!limits_.any()) return sum;
    // Somebody else may do the same: a name of its own, and the last one stays.
    const std::string temporary =
        cat({root_, "/tmp/", unique_stem(*clock_, SystemRandom::instance(), "maildirsize")});
    auto file = fs_->open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!file && file.error().code == Errc::not_found) return sum;  // there is no Maildir yet
    if (!file) return std::move(file).error();
    auto written = fs_->write(file->get(), first_line() + line_of(sum.storage, sum.messages));
    if (written) written = fs_->rename(temporary, path());
    if (!written) {
        (void)fs_->unlink(temporary).has_value();
        return std::move(written).error();
    }
    return sum;
}

bool Quota::fits(const QuotaUsage& usage, std::uint64_t bytes, std::uint64_t messages) const {
    const auto within = [](std::int64_t used, std::uint64_t more, std::uint64_t limit) {
        return limit == 0 || (more <= limit && static_cast<std::uint64_t>(used) <= limit - more);
    };
    return within(usage.storage, bytes, limits_.storage) &&
           within(usage.messages, messages, limits_.messages);
}

Result<void> Quota::check(std::uint64_t bytes, std::uint64_t messages) const {
    if (!limits_.any()) return {};
    bool is_fresh = false;
    auto sum = read(is_fresh);
    if (sum && fits(*sum, bytes, messages)) return {};
    if (!sum || !is_fresh) sum = recount();
    if (!sum) return std::move(sum).error();
    if (fits(*sum, bytes, messages)) return {};
    const bool by_size =
        limits_.storage != 0 && static_cast<std::uint64_t>(sum->storage) + bytes > limits_.storage;
    return Error{Errc::no_space,
                 by_size ? "Quota exceeded (mailbox is full)"
                         : "Quota exceeded (too many messages in the mailbox)",
                 EDQUOT};
}

Result<std::optional<FolderLock>> Quota::take_turn(Millis patience) const {
    if (!limits_.any()) return std::optional<FolderLock>();
    TRY_ASSIGN(FolderLock lock, FolderLock::take(*fs_, root_ + "/postern.quota-lock", patience));
    return std::optional(std::move(lock));
}

Result<std::optional<FolderLock>> Quota::take_turn(std::uint64_t bytes,
                                                   std::uint64_t messages) const {
    TRY_ASSIGN(auto turn, take_turn());
    if (turn) TRY(check(bytes, messages));
    return turn;
}

void Quota::add(std::int64_t bytes, std::int64_t messages) const {
    if (!limits_.any()) return;
    const auto file = fs_->open(path(), O_WRONLY | O_APPEND | O_NOFOLLOW);
    if (!file && file.error().code == Errc::not_found) return;  // the next one counts
    if (!file || !fs_->write(file->get(), line_of(bytes, messages))) forget();
}

void Quota::forget() const {
    // Where not even this can be done, the sum is counted anew when it says "full".
    if (limits_.any()) (void)fs_->unlink(path()).has_value();
}

unsigned Quota::percent(const QuotaUsage& usage) const {
    const auto of = [](std::int64_t used, std::uint64_t limit) -> double {
        return limit == 0 ? 0 : 100.0 * static_cast<double>(used) / static_cast<double>(limit);
    };
    const double most =
        std::max(of(usage.storage, limits_.storage), of(usage.messages, limits_.messages));
    return static_cast<unsigned>(std::clamp(most, 0.0, 1'000'000.0));
}

}  // namespace postern::mailbox
