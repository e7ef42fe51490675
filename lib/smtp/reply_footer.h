// What smtpd_reject_footer adds to a refusal. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace postern::smtp {

// The value of $name or ${name}; nothing when there is no such name.
using FooterValue = std::function<std::optional<std::string>(std::string_view name)>;

// `reply`: a whole refusal, "550 5.1.1 text\r\n" (one line or more). The footer's "\n" begin new
// lines, each with the reply's code and status; a "\c" at its beginning continues the reply's last
// line. Names that have no value vanish; ${name?text} and ${name:text} say something where it has
// one, or not.
std::string add_footer(std::string_view reply, std::string_view footer, const FooterValue& value);

}  // namespace postern::smtp
