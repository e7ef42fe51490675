#include "lib/table/memcache_table.h"

#include <algorithm>
#include <thread>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"

namespace postern::table {
namespace {

constexpr std::size_t kLongestName = 250;  // memcached's protocol.txt, "Keys"

}  // namespace

Result<std::unique_ptr<Table>> MemcacheTable::open(std::string_view path, Fold fold,
                                                   const OpenBackup& open_backup) {
    TRY_ASSIGN(const auto settings, TableSettings::read(std::string(path)));
    std::unique_ptr<MemcacheTable> table(new MemcacheTable());
    table->fold_ = fold;
    TRY(table->take(settings));
    if (const std::string backup = settings.get("backup"); !backup.empty()) {
        auto opened = open_backup(backup);
        if (!opened) return std::move(opened).error().within(cat({path, ": backup"}));
        table->backup_ = std::move(*opened);
    }
    return std::unique_ptr<Table>(std::move(table));
}

Result<void> MemcacheTable::take(const TableSettings& settings) {
    path_ = settings.path();
    address_ = settings.get("memcache", "inet:localhost:11211");
    key_format_ = settings.get("key_format", "%s");
    TRY_ASSIGN(rules_, ResultRules::from(settings));
    TRY_ASSIGN(flags_, settings.number("flags", 0));
    TRY_ASSIGN(seconds_to_live_, settings.number("ttl", 3600));
    TRY_ASSIGN(data_limit_, settings.number("data_size_limit", 10240));
    TRY_ASSIGN(line_limit_, settings.number("line_size_limit", 1024));
    TRY_ASSIGN(tries_, settings.number("max_try", 2));
    TRY_ASSIGN(const std::size_t timeout, settings.number("timeout", 2));
    TRY_ASSIGN(const std::size_t pause, settings.number("retry_pause", 1));
    timeout_ = Seconds(static_cast<std::int64_t>(std::min<std::size_t>(timeout, 3600)));
    retry_pause_ = Seconds(static_cast<std::int64_t>(std::min<std::size_t>(pause, 3600)));
    if (tries_ == 0) return Error{Errc::invalid, cat({path_, ": max_try = 0: at least one"})};
    return {};
}

std::optional<std::string> MemcacheTable::name_of(std::string_view key) const {
    auto name = expand_format(key_format_, key, key);
    if (!name || name->empty() || name->size() > kLongestName) return std::nullopt;
    const bool carried = std::all_of(name->begin(), name->end(), [](char c) {
        return !is_space(c) && !is_control(c);  // a line end would begin another command
    });
    return carried ? name : std::nullopt;
}

Result<void> MemcacheTable::connect(const Deadline& deadline) {
    if (stream_) return {};
    TRY_ASSIGN(Stream stream, Stream::connect(address_, deadline));
    stream_ = std::move(stream);
    return {};
}

Lookup<std::string> MemcacheTable::fetch(std::string_view name, const Deadline& deadline) {
    TRY(connect(deadline));
    TRY(stream_->send(cat({"get ", name, "\r\n"}), deadline));
    TRY_ASSIGN(const std::string line, stream_->read_until('\n', line_limit_, deadline));
    const auto words = split_words(line);
    if (words.size() == 1 && words[0] == "END") return NotFound{};
    constexpr std::size_t kNone = ~std::size_t{0};
    const std::size_t size =
        words.size() == 4 ? parse_number<std::size_t>(words[3]).value_or(kNone) : kNone;
    if (size == kNone || words[0] != "VALUE" || words[1] != name)
        return Error{Errc::invalid, cat({"memcached said: ", printable(line, 200)})};
    if (size > data_limit_)
        return Error{Errc::invalid, cat({"a value of ", std::to_string(size),
                                         " bytes: more than data_size_limit"})};
    TRY_ASSIGN(std::string value, stream_->read_exactly(size + 2, deadline));
    TRY_ASSIGN(const std::string end, stream_->read_until('\n', line_limit_, deadline));
    if (!value.ends_with("\r\n") || trim_right(end) != "END")
        return Error{Errc::invalid, "memcached's answer has no end"};
    value.resize(size);
    return value;
}

Lookup<std::string> MemcacheTable::ask(std::string_view name) {
    for (std::size_t attempt = 1;; ++attempt) {
        const bool kept = stream_.has_value();
        auto found = fetch(name, Deadline::in(timeout_));
        if (!found.failed()) return found;
        stream_.reset();
        if (attempt >= tries_) return found;
        // A kept connection that memcached has closed is nothing to wait for.
        if (!kept || std::as_const(found).error().code != Errc::closed)
            std::this_thread::sleep_for(retry_pause_);
    }
}

Result<void> MemcacheTable::put(std::string_view name, std::string_view value,
                                const Deadline& deadline) {
    TRY(connect(deadline));
    TRY(stream_->send(
        cat({"set ", name, " ", std::to_string(flags_), " ", std::to_string(seconds_to_live_), " ",
             std::to_string(value.size()), "\r\n", value, "\r\n"}),
        deadline));
    TRY_ASSIGN(const std::string line, stream_->read_until('\n', line_limit_, deadline));
    if (trim_right(line) == "STORED") return {};
    return Error{Errc::invalid, cat({"memcached said: ", printable(line, 200)})};
}

// Once: what memcached does not take now is asked of the backup again.
Result<void> MemcacheTable::store(std::string_view name, std::string_view value) {
    if (value.size() > data_limit_) return {};
    auto done = put(name, value, Deadline::in(timeout_));
    if (!done) stream_.reset();
    return done;
}

Lookup<std::string> MemcacheTable::lookup(std::string_view given) {
    const std::string key = fold_ == Fold::lower ? fold_case(given) : std::string(given);
    if (key.empty() || key.size() > kMaxKeySize || !rules_.admits(key)) return NotFound{};
    const auto name = name_of(key);
    Lookup<std::string> cached = name ? ask(*name) : Lookup<std::string>(NotFound{});
    if (cached.found()) return cached;
    if (backup_ == nullptr) {
        if (cached.failed()) return std::move(cached).error().within(path_);
        return cached;
    }
    auto found = backup_->lookup(key);
    // The answer counts whether or not memcached remembers it.
    if (found.found() && name && !cached.failed()) (void)store(*name, *found).has_value();
    return found;
}

}  // namespace postern::table
