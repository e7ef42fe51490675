// TCP ports by number or by the name of a service.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/result.h"

namespace postern::sys {

// A number from 1 to 65535, a service of mail, or one that /etc/services has; the services of mail
// are known without that file. Errc::invalid says what is wrong.
Result<std::uint16_t> parse_port(std::string_view text);

}  // namespace postern::sys
