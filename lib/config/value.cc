#include "lib/config/value.h"

namespace postern::config {
namespace {

Error wrong(std::string_view text, std::string_view expected) {
    return Error{Errc::invalid,
                 cat({"bad value \"", printable(text, 200), "\": expected ", expected})};
}

std::string limits_text(const Limits& limits, std::string_view unit) {
    std::string low = std::to_string(limits.min);
    if (limits.max == INT64_MAX) return cat({", at least ", low, unit});
    return cat({", from ", low, unit, " to ", std::to_string(limits.max), unit});
}

Result<std::int64_t> parse_time(const Row& row, std::string_view text) {
    auto millis = parse_millis(text, default_unit(row.default_text));
    bool fits = millis && *millis / 1000 <= row.limits.max;
    // Parts of a second count as within the limits unless the lower one is at stake: tests use
    // 100ms.
    if (fits && (row.limits.min == 0 || *millis > 0)) {
        if (*millis >= 1000 * row.limits.min || text.ends_with("ms")) return *millis;
    }
    return wrong(text,
                 "a whole number and a unit (ms, s, m, h, d or w)" + limits_text(row.limits, "s"));
}

Result<std::int64_t> parse_number_value(const Row& row, std::string_view text) {
    auto number = parse_whole(text);
    if (number && *number >= row.limits.min && *number <= row.limits.max) return *number;
    return wrong(text, "a whole number" + limits_text(row.limits, ""));
}

Result<std::int64_t> parse_flag(std::string_view text) {
    if (iequals(text, "yes")) return std::int64_t{1};
    if (iequals(text, "no")) return std::int64_t{0};
    return wrong(text, "yes or no");
}

Result<std::int64_t> parse_choice(const Row& row, std::string_view text) {
    bool may_be_empty =
        row.default_text.empty() || row.default_text.find('$') != std::string_view::npos;
    if (text.empty() ? may_be_empty : is_choice(text, row.limits.choices)) return std::int64_t{0};
    return wrong(text, cat({"one of: ", row.limits.choices}));
}

}  // namespace

Result<std::int64_t> parse_value(const Row& row, std::string_view text) {
    switch (row.type) {
        case Type::Seconds: return parse_time(row, text);
        case Type::Bytes:
        case Type::Count: return parse_number_value(row, text);
        case Type::Flag: return parse_flag(text);
        case Type::Choice: return parse_choice(row, text);
        default: return std::int64_t{0};
    }
}

std::vector<std::string> split_list(std::string_view text) {
    constexpr std::string_view separators = ", \t\r\n";
    std::vector<std::string> words;
    std::size_t at = 0;
    while ((at = text.find_first_not_of(separators, at)) != text.npos) {
        std::size_t end = at;
        int depth = 0;
        for (; end < text.size(); end++) {
            if (text[end] == '{') depth++;
            if (text[end] == '}' && depth > 0) depth--;
            if (depth == 0 && separators.find(text[end]) != separators.npos) break;
        }
        std::string_view word = text.substr(at, end - at);
        if (word.size() >= 2 && word.front() == '{' && word.back() == '}') {
            word = trim(word.substr(1, word.size() - 2));
        }
        words.emplace_back(word);
        at = end;
    }
    return words;
}

}  // namespace postern::config
