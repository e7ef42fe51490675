// Dates as protocols (RFC 3339 5.6) and log lines write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace postern {

// "2026-12-01T09:30:00Z", "2026-12-01T09:30:00.5+01:00": RFC 3339 5.6, to the second, rounded up.
std::optional<WallTime> parse_date_time(std::string_view text);
// In UTC, "2026-12-01T09:30:00Z".
std::string format_date_time(WallTime time);
// In local time, as strftime(3) puts it; at most 255 bytes, otherwise nothing.
std::string format_local_time(WallTime time, const char* pattern);

}  // namespace postern
