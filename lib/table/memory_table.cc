#include "lib/table/memory_table.h"

#include <cstdlib>
#include <utility>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/log/log.h"

namespace postern::table {
namespace {

std::string folded(std::string_view key, Fold fold) {
    return fold == Fold::lower ? fold_case(key) : std::string(key);
}

Lookup<std::string> find(const MemoryTable::Entries& entries, std::string_view key, Fold fold) {
    if (key.size() > kMaxKeySize) return NotFound{};
    const auto at = entries.find(folded(key, fold));
    if (at == entries.end()) return NotFound{};
    return at->second;
}

}  // namespace

Result<std::unique_ptr<Table>> MemoryTable::parse_inline(std::string_view text, Fold fold) {
    TRY_ASSIGN(const std::string body, strip_braces(text));
    Entries entries;
    // "key = value" outside braces holds blanks around '=': they do not separate entries.
    std::string packed;
    int depth = 0;
    for (const char c : body) {
        if (c == '{') ++depth;
        if (c == '}') --depth;
        if (depth == 0 && c == '=') packed.resize(trim_right(packed).size());
        if (depth == 0 && is_space(c) && !packed.empty() && packed.back() == '=') continue;
        packed += c;
    }
    for (const auto& part : split_list(packed)) {
        TRY_ASSIGN(const std::string entry, strip_braces(part));
        const auto pair = split_once(entry, '=');
        if (!pair || trim(pair->first).empty() || trim(pair->second).empty()) {
            return Error{Errc::invalid,
                         cat({"inline table: need \"key = value\", not \"", part, "\""})};
        }
        entries.insert_or_assign(folded(trim(pair->first), fold), std::string(trim(pair->second)));
    }
    if (entries.empty()) return Error{Errc::invalid, "inline table: no entries"};
    return std::unique_ptr<Table>(std::make_unique<MemoryTable>(std::move(entries), fold));
}

Lookup<std::string> MemoryTable::lookup(std::string_view key) { return find(entries_, key, fold_); }

Result<void> MemoryTable::each(const Visitor& visit) {
    for (const auto& [key, value] : entries_) visit(key, value);
    return {};
}

Lookup<std::string> FailTable::lookup(std::string_view) {
    return Error{Errc::temporary, cat({name_, ": this table always fails"})};
}

Result<std::unique_ptr<Table>> RandomTable::parse(std::string_view text) {
    TRY_ASSIGN(const std::string body, strip_braces(text));
    auto values = split_list(body);
    if (values.empty()) return Error{Errc::invalid, "randmap: no values"};
    return std::unique_ptr<Table>(std::make_unique<RandomTable>(std::move(values)));
}

Lookup<std::string> RandomTable::lookup(std::string_view) {
    return values_[std::uniform_int_distribution<std::size_t>(0, values_.size() - 1)(random_)];
}

Lookup<std::string> EnvironmentTable::lookup(std::string_view key) {
    const char* value =
        key.find('\0') == key.npos ? std::getenv(std::string(key).c_str()) : nullptr;
    if (value == nullptr) return NotFound{};
    return std::string(value);
}

Result<std::unique_ptr<Table>> TextHashTable::open(std::string_view path, Fold fold) {
    std::unique_ptr<TextHashTable> table(new TextHashTable(path, fold));
    TRY(table->refresh());
    return std::unique_ptr<Table>(std::move(table));
}

Result<void> TextHashTable::refresh() {
    TRY_ASSIGN(const auto text, watch_.read_if_changed());
    if (!text) return {};
    entries_.clear();
    warnings_.clear();
    for (const auto& line : logical_lines(*text)) add(line);
    if (std::exchange(open_, true)) {
        for (const auto& warning : warnings_) log::warning("", warning);
    }
    return {};
}

// A line without a value is no entry, and of two with one key the first counts, here as in postmap.
void TextHashTable::add(const LogicalLine& line) {
    const auto warn = [&](std::string_view what) {
        warnings_.push_back(
            cat({watch_.path(), ", line ", std::to_string(line.number), ": ", what}));
    };
    auto entry = split_map_entry(line.text);
    if (!entry) return warn("expected format: key whitespace value: skipping this line");
    const std::string key = folded(entry->key, fold_);
    if (!entries_.emplace(key, std::move(entry->value)).second)
        warn(cat({"duplicate entry: \"", printable(key, 200), "\""}));
}

Lookup<std::string> TextHashTable::lookup(std::string_view key) {
    if (auto ready = refresh(); !ready) return std::move(ready).error();
    return find(entries_, key, fold_);
}

Result<void> TextHashTable::each(const Visitor& visit) {
    TRY(refresh());
    for (const auto& [key, value] : entries_) visit(key, value);
    return {};
}

}  // namespace postern::table
