// Unicode, as far as mail needs it: UTF-8, the form of a domain that DNS and certificates know
// (RFC 5890, UTS 46), and the case folding of keys. Pure; the only user of libidn2 and
// libunistring.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern {

// Loads both libraries, which the functions below otherwise do with the first text that is not
// ASCII: to be called before a program locks itself in. The Error names the missing package.
Result<void> load_unicode();

bool is_ascii(std::string_view text);
// Whether text is a well-formed UTF-8 sequence (RFC 3629).
bool is_utf8(std::string_view text);

// The domain with A-labels: "münchen.test" -> "xn--mnchen-3ya.test". Letters are folded, widths and
// dots unified as browsers do (UTS 46, not transitional: "ß" stays a letter of its own). ASCII
// comes back as it is. Errc::invalid, with the reason, for what has no such form; Errc::temporary
// without the library.
Result<std::string> domain_to_ascii(std::string_view domain);

// For comparing without regard to case: Unicode's full case folding ("ß" becomes "ss"), of ASCII
// and of what is no UTF-8 (and of all, without the library) only the letters A to Z.
std::string fold_case(std::string_view text);
bool same_folded(std::string_view a, std::string_view b);
bool ends_with_folded(std::string_view text, std::string_view suffix);

}  // namespace postern
