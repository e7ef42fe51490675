#include "lib/mail/date.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "lib/base/strings.h"

namespace postern::mail {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
constexpr std::size_t kMaxWords = 16;

constexpr std::int64_t kDaySeconds = 86400;

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

struct TimeOfDay {
    int hour = 0, minute = 0, second = 0;
};

// Words of the field: comments are dropped, a comma separates like a space.
std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    std::size_t start = 0;
    int depth = 0;
    const auto flush = [&](std::size_t end) {
        if (end > start && words.size() < kMaxWords)
            words.push_back(text.substr(start, end - start));
        start = end + 1;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (depth > 0) {  // RFC 5322 3.2.2: comments nest, backslash quotes
            if (c == '\\') ++i;
            if (c == '(') ++depth;
            if (c == ')') --depth;
            start = i + 1;
        } else if (c == '(') {
            flush(i);
            depth = 1;
        } else if (is_space(c) || c == ',') {
            flush(i);
        }
    }
    if (depth == 0 && start < text.size()) flush(text.size());
    return words;
}

std::optional<int> small_number(std::string_view text, int low, int high, std::size_t max_digits) {
    if (text.size() > max_digits || text.empty() || !is_digit(text.front())) return std::nullopt;
    const auto value = parse_number<int>(text);
    if (!value || *value < low || *value > high) return std::nullopt;
    return value;
}

// RFC 5322 4.3: two digits 00..49 are 20xx, 50..99 are 19xx; three digits count from 1900.
std::optional<int> year_of(std::string_view text) {
    const auto value = small_number(text, 0, 9999, 4);
    if (!value || text.size() < 2) return std::nullopt;
    if (text.size() == 2) return *value + (*value < 50 ? 2000 : 1900);
    if (text.size() == 3) return *value + 1900;
    return value;
}

std::optional<TimeOfDay> time_of(std::string_view text) {
    const auto parts = split(text, ':');
    if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
    const auto hour = small_number(parts[0], 0, 23, 2);
    const auto minute = small_number(parts[1], 0, 59, 2);
    const auto second =
        parts.size() == 3 ? small_number(parts[2], 0, 60, 2) : std::optional<int>(0);
    if (!hour || !minute || !second) return std::nullopt;
    return TimeOfDay{*hour, *minute, *second};
}

struct NamedZone {
    std::string_view name;
    int minutes;
};
// RFC 5322 4.3
constexpr NamedZone kZones[] = {{"UT", 0},     {"UTC", 0},    {"GMT", 0},    {"EST", -300},
                                {"EDT", -240}, {"CST", -360}, {"CDT", -300}, {"MST", -420},
                                {"MDT", -360}, {"PST", -480}, {"PDT", -420}, {"BST", 60},
                                {"CET", 60},   {"CEST", 120}, {"JST", 540}};

std::optional<int> numeric_zone(std::string_view text) {
    if (text.size() != 5 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    const auto hours = small_number(text.substr(1, 2), 0, 23, 2);
    const auto minutes = small_number(text.substr(3, 2), 0, 59, 2);
    if (!hours || !minutes) return std::nullopt;
    const int total = *hours * 60 + *minutes;
    return text[0] == '-' ? -total : total;
}

// Unknown names count as UTC, RFC 5322 4.3 ("-0000").
int zone_of(std::string_view text) {
    if (const auto zone = numeric_zone(text)) return *zone;
    for (const auto& zone : kZones) {
        if (iequals(zone.name, text)) return zone.minutes;
    }
    return 0;
}

DateTime compose(CivilDate date, TimeOfDay time, int zone) {
    const std::int64_t local =
        days_from_civil(date) * kDaySeconds + time.hour * 3600 + time.minute * 60 + time.second;
    return {local - std::int64_t{zone} * 60, zone};
}

struct Local {
    CivilDate date;
    int weekday;  // 0 = Thursday
    TimeOfDay time;
};

Local local_of(DateTime date) {
    const std::int64_t seconds = date.seconds + std::int64_t{date.zone_minutes} * 60;
    const std::int64_t days = floor_div(seconds, kDaySeconds);
    const int rest = static_cast<int>(seconds - days * kDaySeconds);
    const std::int64_t weekday = days - floor_div(days, 7) * 7;
    return {
        civil_from_days(days), static_cast<int>(weekday), {rest / 3600, rest / 60 % 60, rest % 60}};
}

// Not printf: this is a large part of what a line of FETCH costs.
void append_padded(std::string& out, int number, std::size_t width, char fill = '0') {
    const std::string digits = std::to_string(number);
    if (digits.size() < width) out.append(width - digits.size(), fill);
    out += digits;
}

// "21-Nov-2026 09:55:06 -0600", with `between` around the month and `fill` before a day of one
// digit.
std::string format(DateTime moment, char fill, char between) {
    const Local local = local_of(moment);
    const int zone = std::abs(moment.zone_minutes);
    std::string out;
    out.reserve(32);
    append_padded(out, local.date.day, 2, fill);
    out += between;
    out += kMonths[static_cast<std::size_t>(local.date.month - 1)];
    out += between;
    append_padded(out, local.date.year, 4);
    out += ' ';
    append_padded(out, local.time.hour, 2);
    out += ':';
    append_padded(out, local.time.minute, 2);
    out += ':';
    append_padded(out, local.time.second, 2);
    out += moment.zone_minutes < 0 ? " -" : " +";
    append_padded(out, zone / 60 % 100, 2);
    append_padded(out, zone % 60, 2);
    return out;
}

}  // namespace

// Counts in years that begin in March, so that the leap day is the last one.
std::int64_t days_from_civil(CivilDate date) {
    const std::int64_t year = std::int64_t{date.year} - (date.month <= 2 ? 1 : 0);
    const std::int64_t era = floor_div(year, 400);
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year =
        (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    const std::int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

CivilDate civil_from_days(std::int64_t days) {
    days += 719468;
    const std::int64_t era = floor_div(days, 146097);
    const std::int64_t day_of_era = days - era * 146097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t month = (5 * day_of_year + 2) / 153;
    CivilDate date;
    date.day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1);
    date.month = static_cast<int>(month < 10 ? month + 3 : month - 9);
    date.year = static_cast<int>(year_of_era + era * 400 + (date.month <= 2 ? 1 : 0));
    return date;
}

bool is_valid(CivilDate date) {
    if (date.month < 1 || date.month > 12 || date.day < 1 || date.day > 31) return false;
    return civil_from_days(days_from_civil(date)) == date;
}

int month_number(std::string_view name) {
    for (std::size_t i = 0; i < kMonths.size(); ++i) {
        if (iequals(kMonths[i], name)) return static_cast<int>(i) + 1;
    }
    return 0;
}

std::optional<DateTime> parse_date(std::string_view text) {
    const auto words = words_of(text);
    std::size_t at = 0;
    const auto word = [&](std::size_t i) {
        return i < words.size() ? words[i] : std::string_view();
    };
    if (!word(0).empty() && is_alpha(word(0)[0])) at = 1;  // the name of the day says nothing new
    const bool asctime = month_number(word(at)) != 0;      // "Jul 17 02:23:25 [zone] 1996"
    const auto month = month_number(word(asctime ? at : at + 1));
    const auto day = small_number(word(asctime ? at + 1 : at), 1, 31, 2);
    const std::size_t time_at = asctime ? at + 2 : at + 3;
    std::size_t year_at = at + 2;
    std::string_view zone = word(at + 4);
    if (asctime) {
        const bool has_zone = !year_of(word(at + 3));
        year_at = has_zone ? at + 4 : at + 3;
        zone = has_zone ? word(at + 3) : word(at + 4);
    }
    const auto year = year_of(word(year_at));
    const auto time = time_of(word(time_at));
    if (month == 0 || !day || !year || !time) return std::nullopt;
    const CivilDate date{*year, month, *day};
    if (!is_valid(date)) return std::nullopt;
    return compose(date, *time, zone_of(zone));
}

std::string format_date(DateTime date) {
    const std::string day(kDays[static_cast<std::size_t>(local_of(date).weekday)]);
    return day + ", " + format(date, '0', ' ');
}

std::string format_internal_date(DateTime date) { return format(date, ' ', '-'); }

std::optional<DateTime> parse_internal_date(std::string_view text) {
    // RFC 3501 date-time: the day is fixed to two columns, the first may be a space.
    if (text.size() != 26 || text[11] != ' ' || text[20] != ' ') return std::nullopt;
    const auto date = parse_imap_date(text[0] == ' ' ? text.substr(1, 10) : text.substr(0, 11));
    const auto time = time_of(text.substr(12, 8));
    const auto zone = numeric_zone(text.substr(21));
    if (!date || !time || !zone) return std::nullopt;
    return compose(*date, *time, *zone);
}

std::optional<DateTime> parse_rfc3339(std::string_view text) {
    if (text.size() < 20 || to_upper(text[10]) != 'T') return std::nullopt;
    const auto parts = split(text.substr(0, 10), '-');
    if (parts.size() != 3) return std::nullopt;
    const auto year = small_number(parts[0], 0, 9999, 4);
    const auto month = small_number(parts[1], 1, 12, 2);
    const auto day = small_number(parts[2], 1, 31, 2);
    const auto time = time_of(text.substr(11, 8));
    if (!year || !month || !day || !time || !is_valid({*year, *month, *day})) return std::nullopt;
    text.remove_prefix(19);
    if (text.starts_with('.')) {
        const auto digits = text.find_first_not_of("0123456789", 1);
        if (digits == 1 || digits == std::string_view::npos) return std::nullopt;
        text.remove_prefix(digits);
    }
    if (iequals(text, "Z")) return compose({*year, *month, *day}, *time, 0);
    if (text.size() != 6 || text[3] != ':') return std::nullopt;
    const auto zone = numeric_zone(cat({text.substr(0, 3), text.substr(4)}));
    if (!zone) return std::nullopt;
    return compose({*year, *month, *day}, *time, *zone);
}

std::optional<CivilDate> parse_imap_date(std::string_view text) {
    const auto parts = split(text, '-');
    if (parts.size() != 3 || parts[2].size() != 4) return std::nullopt;
    const auto day = small_number(parts[0], 1, 31, 2);
    const auto year = small_number(parts[2], 0, 9999, 4);
    const int month = month_number(parts[1]);
    if (!day || !year || month == 0) return std::nullopt;
    const CivilDate date{*year, month, *day};
    if (!is_valid(date)) return std::nullopt;
    return date;
}

std::int64_t local_day(DateTime date) {
    return floor_div(date.seconds + std::int64_t{date.zone_minutes} * 60, kDaySeconds);
}

}  // namespace postern::mail
