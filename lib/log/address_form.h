// Addresses in log lines: "from=<...>", "to=<...>", "orig_to=<...>".
#pragma once

#include <string>
#include <string_view>

namespace postern::log {

// The line with the local parts of its addresses as they are, not as SMTP writes them:
// from=<"a b"@example.com> becomes from=<a b@example.com>.
std::string with_internal_addresses(std::string_view line);

}  // namespace postern::log
