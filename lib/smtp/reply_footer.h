// What smtpd_reject_footer adds to a refusal. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace postern::smtp {

// `reply`: a whole refusal, "550 5.1.1 text\r\n" (one line or more). The footer's "\n" begin new
// lines, each with the reply's code and status; a "\c" at its beginning continues the reply's last
// line. Each line goes through `expand`, after they have been taken apart: what a client says makes
// no lines.
std::string add_footer(std::string_view reply, std::string_view footer,
                       const std::function<std::string(std::string_view)>& expand);

}  // namespace postern::smtp
