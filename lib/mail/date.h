// Dates as mail writes them: RFC 5322 (with the obsolete forms that old mail has) and IMAP's
// INTERNALDATE. Own calendar arithmetic, so that neither locale nor TZ matters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

// A moment, and the zone in which its author lived.
struct DateTime {
    std::int64_t seconds = 0;  // since the epoch, UTC
    int zone_minutes = 0;      // east of UTC
    bool operator==(const DateTime&) const = default;
};

struct CivilDate {
    int year = 1970;
    int month = 1;  // 1..12
    int day = 1;    // 1..31
    bool operator==(const CivilDate&) const = default;
};

// Days since 1970-01-01 in the Gregorian calendar, and back.
std::int64_t days_from_civil(CivilDate date);
CivilDate civil_from_days(std::int64_t days);
bool is_valid(CivilDate date);

// 1..12 for "Jan".."Dec" in any case, 0 for anything else.
int month_number(std::string_view name);

// The body of a Date field: RFC 5322 3.3 and 4.3 (comments, missing day name or seconds, two- and
// three-digit years, named and military zones), and the form of asctime(3).
std::optional<DateTime> parse_date(std::string_view text);

// "Wed, 17 Jul 1996 02:23:25 -0700"
std::string format_date(DateTime date);
// "17-Jul-1996 02:44:25 -0700", RFC 3501 date-time without the quotes.
std::string format_internal_date(DateTime date);
std::optional<DateTime> parse_internal_date(std::string_view text);
// "1996-07-17T02:44:25.1-07:00", RFC 3339 date-time.
std::optional<DateTime> parse_rfc3339(std::string_view text);
// "17-Jul-1996", RFC 3501 date-text.
std::optional<CivilDate> parse_imap_date(std::string_view text);

// The calendar day on which it was, in the author's zone (RFC 3501 SEARCH disregards time and
// zone).
std::int64_t local_day(DateTime date);

}  // namespace postern::mail
