// Values of two parameters of MAIL: MT-PRIORITY (RFC 6710) and FUTURERELEASE's HOLDFOR and
// HOLDUNTIL (RFC 4865); the latter's date is lib/base/date_time.h's. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace postern::smtp {

// "-9" to "9": RFC 6710 7, no sign before zero, no leading zeros.
std::optional<int> parse_priority(std::string_view text);

// "3600": RFC 4865 4, one to nine digits.
std::optional<Seconds> parse_hold_for(std::string_view text);

}  // namespace postern::smtp
