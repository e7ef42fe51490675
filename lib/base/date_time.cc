#include "lib/base/date_time.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "lib/base/strings.h"

namespace postern {
namespace {

namespace chrono = std::chrono;

// Exactly so many digits from the front of `text`, then `after` (0: nothing in particular).
std::optional<int> take_number(std::string_view& text, std::size_t digits, char after) {
    const std::size_t length = digits + (after != 0 ? 1 : 0);
    if (text.size() < length || (after != 0 && text[digits] != after)) return std::nullopt;
    if (!std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(digits), is_digit))
        return std::nullopt;
    const auto number = parse_number<int>(text.substr(0, digits));
    text.remove_prefix(length);
    return number;
}

// RFC 3339 5.6 time-offset, all that is left of the text.
std::optional<Seconds> offset_of(std::string_view text) {
    if (text == "Z" || text == "z") return Seconds{0};
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    const int sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
    const auto hours = take_number(text, 2, ':');
    const auto minutes = take_number(text, 2, 0);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    return Seconds{sign * (*hours * 3600 + *minutes * 60)};
}

}  // namespace

std::optional<WallTime> parse_date_time(std::string_view text) {
    const auto year_number = take_number(text, 4, '-');
    const auto month_number = take_number(text, 2, '-');
    const auto day_number = take_number(text, 2, 0);
    if (!year_number || !month_number || !day_number) return std::nullopt;
    if (!text.starts_with('T') && !text.starts_with('t')) return std::nullopt;
    text.remove_prefix(1);
    const auto hour = take_number(text, 2, ':');
    const auto minute = take_number(text, 2, ':');
    const auto second = take_number(text, 2, 0);
    if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;  // RFC 3339 5.7: 60 is a leap second
    bool fraction = false;
    if (text.starts_with('.')) {
        const std::size_t end = std::min(text.find_first_not_of("0123456789", 1), text.size());
        if (end == 1) return std::nullopt;
        fraction = text.substr(1, end - 1).find_first_not_of('0') != text.npos;
        text.remove_prefix(end);
    }
    const auto offset = offset_of(text);
    const chrono::year_month_day date{chrono::year{*year_number},
                                      chrono::month{static_cast<unsigned>(*month_number)},
                                      chrono::day{static_cast<unsigned>(*day_number)}};
    if (!offset || !date.ok()) return std::nullopt;
    return WallTime(chrono::sys_days(date)) + chrono::hours{*hour} + chrono::minutes{*minute} +
           Seconds{*second + (fraction ? 1 : 0)} - *offset;
}

std::string format_date_time(WallTime time) {
    const auto days_part = chrono::floor<chrono::days>(time);
    const chrono::year_month_day date{days_part};
    const chrono::hh_mm_ss clock{chrono::floor<Seconds>(time - days_part)};
    char out[64];
    const int n = std::snprintf(
        out, sizeof out, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()));
    return {out, static_cast<std::size_t>(n)};
}

std::string format_local_time(WallTime time, const char* pattern) {
    const std::time_t seconds = chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
    std::tm local{};
    ::localtime_r(&seconds, &local);
    char out[256];
    return {out, std::strftime(out, sizeof out, pattern, &local)};
}

}  // namespace postern
