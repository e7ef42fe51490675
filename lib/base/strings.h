// Byte-string helpers. ASCII only and independent of the locale: mail protocols are.
#pragma once

#include <charconv>
#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_alnum(char c) { return is_digit(c) || is_alpha(c); }
constexpr bool is_control(char c) { return (c >= 0 && c < ' ') || c == 127; }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; }

std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);

// Equality and prefix without regard to ASCII case.
bool iequals(std::string_view a, std::string_view b);
bool istarts_with(std::string_view text, std::string_view prefix);
bool iends_with(std::string_view text, std::string_view suffix);
// Position of needle in text without regard to ASCII case, or npos.
std::size_t ifind(std::string_view text, std::string_view needle);

// For ordered containers keyed without regard to case.
struct ILess {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const;
};

std::string_view trim_left(std::string_view text);
std::string_view trim_right(std::string_view text);
std::string_view trim(std::string_view text);

// "a,b,,c" at ',' -> a b "" c. An empty text gives one empty part. Views into text.
std::vector<std::string_view> split(std::string_view text, char separator);
// Words separated by any run of the given characters; no empty words. Views into text.
std::vector<std::string_view> split_words(std::string_view text, std::string_view separators = " \t\r\n");
// Splits at the first separator; nothing when there is none.
std::optional<std::pair<std::string_view, std::string_view>> split_once(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Concatenates with one allocation.
std::string cat(std::initializer_list<std::string_view> parts);

// The whole text as a decimal number; nothing when it is empty, has other characters or does not fit.
template <std::integral T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
    T value{};
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (error != std::errc{} || stop != end || text.empty()) return std::nullopt;
    return value;
}

// Text for logs and replies: control and non-ASCII bytes become '?' and at most limit bytes remain.
// UTF-8 is kept when keep_utf8 is set.
std::string printable(std::string_view text, std::size_t limit = 1000, bool keep_utf8 = true);

}  // namespace postern
