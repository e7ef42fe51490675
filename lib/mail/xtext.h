// xtext (RFC 3461 4): how ENVID, ORCPT and AUTH carry any bytes in an SMTP command. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

// Printable ASCII as it is, everything else and "+" and "=" as "+" and two upper-case hex digits.
std::string xtext_encode(std::string_view text);

// Nothing when `xtext` is none. The result may have any bytes.
std::optional<std::string> xtext_decode(std::string_view xtext);

// xtext whose decoded form is printable ASCII, as ENVID and the address of ORCPT must be.
bool is_printable_xtext(std::string_view xtext);

// "rfc822;a+2Bb@c" (RFC 3461 4.2) -> "rfc822;a+b@c", as reports show it. What is no ORCPT comes
// back as it is.
std::string orcpt_for_people(std::string_view orcpt);

// The ORCPT for an address that came without one.
std::string orcpt_of(std::string_view address);

}  // namespace postern::mail
