// xtext (RFC 3461 4): how ENVID, ORCPT and AUTH carry any bytes in an SMTP command; and its sister
// for addresses in UTF-8 (RFC 6533 3). Pure.
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

// utf-8-addr-xtext (RFC 6533 3): ASCII only; what is not printable ASCII, and "\", "+" and "=", as
// "\x{FC}". `text` must be UTF-8.
std::string utf8_xtext_encode(std::string_view text);
// That, or utf-8-addr-unitext with its UTF-8 as it is. Nothing when it is neither, or when a
// control character comes out.
std::optional<std::string> utf8_xtext_decode(std::string_view text);

// The parameter of ORCPT taken apart: "rfc822;a+2Bb@c" (RFC 3461 4.2), "utf-8;\x{FC}@c" (RFC 6533
// 3).
struct Orcpt {
    std::string type;     // as written
    std::string address;  // decoded: UTF-8 without control characters, not empty
};
std::optional<Orcpt> parse_orcpt(std::string_view orcpt);

// "rfc822;a+b@c", "utf-8;ü@c", as reports show it. What is no ORCPT comes back as it is.
std::string orcpt_for_people(std::string_view orcpt);
// Fit for any server: ASCII only. What is no ORCPT gives "".
std::string orcpt_for_wire(std::string_view orcpt);

// The ORCPT for an address that came without one.
std::string orcpt_of(std::string_view address);

}  // namespace postern::mail
