// TCP ports by number or by the name of a service.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace postern::sys {

using NamedPort = std::pair<std::string, std::uint16_t>;
// "smtps=submissions=465". Errc::invalid says what is wrong.
Result<std::vector<NamedPort>> parse_known_port(std::string_view word);
// Names that are known before anybody else is asked, in place of those of an earlier call. For the
// whole process, once, when it has read its configuration.
void set_known_ports(std::vector<NamedPort> ports);

// A number from 1 to 65535, a known name, or one that /etc/services has; the services of mail are
// known without that file. Errc::invalid says what is wrong.
Result<std::uint16_t> parse_port(std::string_view text);

}  // namespace postern::sys
