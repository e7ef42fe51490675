// From a parameter's text to its value. The number parsers are constexpr because the defaults in
// params/*.def are checked at compile time with the very same code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/strings.h"

#include "lib/config/types.h"

namespace postern::config {

// A whole decimal number without sign; nothing when it does not fit.
constexpr std::optional<std::int64_t> parse_whole(std::string_view text) {
    if (text.empty()) return std::nullopt;
    std::int64_t value = 0;
    for (char c : text) {
        if (!is_digit(c)) return std::nullopt;
        if (value > (INT64_MAX - (c - '0')) / 10) return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

// Milliseconds in one of the unit, or 0 when there is no such unit.
constexpr std::int64_t unit_millis(std::string_view unit) {
    if (unit == "ms") return 1;
    if (unit == "s") return 1000;
    if (unit == "m") return 60'000;
    if (unit == "h") return 3'600'000;
    if (unit == "d") return 86'400'000;
    if (unit == "w") return 7 * 86'400'000;
    return 0;
}

// "300s" -> 300000. A number without a unit takes default_unit.
constexpr std::optional<std::int64_t> parse_millis(std::string_view text,
                                                   std::string_view default_unit) {
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) digits++;
    auto number = parse_whole(text.substr(0, digits));
    std::int64_t unit = unit_millis(digits == text.size() ? default_unit : text.substr(digits));
    if (!number || unit == 0 || *number > INT64_MAX / unit) return std::nullopt;
    return *number * unit;
}

// The unit that bare numbers of a Seconds row take: that of its default ("5d" -> "d").
constexpr std::string_view default_unit(std::string_view default_text) {
    for (std::string_view unit : {"ms", "s", "m", "h", "d", "w"}) {
        std::size_t start = default_text.size() - unit.size();
        if (default_text.size() <= unit.size() || default_text.substr(start) != unit) continue;
        char before = default_text[start - 1];
        if (is_digit(before) || before == '}') return unit;
    }
    return "s";
}

constexpr bool is_choice(std::string_view word, std::string_view choices) {
    if (word.empty() || word.find(' ') != word.npos) return false;
    while (!choices.empty()) {
        std::size_t end = choices.find(' ');
        if (choices.substr(0, end) == word) return true;
        if (end == choices.npos) break;
        choices.remove_prefix(end + 1);
    }
    return false;
}

constexpr bool default_fits(Type type, std::string_view text, const Limits& limits) {
    if (text == kComputed || text.find('$') != text.npos) return true;  // checked when it is read
    std::optional<std::int64_t> number;
    std::int64_t scale = 1;
    switch (type) {
        case Type::Seconds:
            number = parse_millis(text, "");  // a default says its unit
            scale = 1000;
            break;
        case Type::Bytes:
        case Type::Count: number = parse_whole(text); break;
        case Type::Flag: return text == "yes" || text == "no";
        case Type::Choice: return text.empty() || is_choice(text, limits.choices);
        default: return true;
    }
    return number && *number >= limits.min * scale && *number / scale <= limits.max;
}

// Checks an expanded value against a row and gives what is stored: milliseconds, a number, 0 or 1
// for a flag, 0 for the rest. The Error tells what would be right, without name or place.
Result<std::int64_t> parse_value(const Row& row, std::string_view text);

// "a, b {c d}" -> a | b | c d. White space and commas separate; an unclosed { takes the rest.
std::vector<std::string> split_list(std::string_view text);

}  // namespace postern::config
