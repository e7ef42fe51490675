// Dates as protocols write them (RFC 3339 5.6). Pure.
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

}  // namespace postern
