#include "lib/smtp/delivery_options.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::smtp {
namespace {

constexpr int kMostPriority = 9;

}  // namespace

std::optional<int> parse_priority(std::string_view text) {
    const bool negative = text.starts_with('-');
    const std::string_view digits = negative ? text.substr(1) : text;
    if (digits.size() != 1 || !is_digit(digits[0]) || (negative && digits == "0"))
        return std::nullopt;
    const int value = digits[0] - '0';
    static_assert(kMostPriority == 9);
    return negative ? -value : value;
}

std::optional<Seconds> parse_hold_for(std::string_view text) {
    if (text.empty() || text.size() > 9 || !std::all_of(text.begin(), text.end(), is_digit))
        return std::nullopt;
    return Seconds{*parse_number<std::int64_t>(text)};
}

}  // namespace postern::smtp
