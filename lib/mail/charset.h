// Character sets: everything becomes UTF-8 (for SEARCH, and wherever decoded text is compared).
// US-ASCII, UTF-8, ISO-8859-1 and windows-1252 are converted here, so that a sandboxed process
// needs no file for them; the others by iconv(3), which loads its modules when first asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::mail {

// Bytes that are not valid in the charset become U+FFFD. Nothing when the charset is unknown.
std::optional<std::string> to_utf8(std::string_view charset, std::string_view bytes);
// Whether to_utf8 knows it.
bool is_known_charset(std::string_view charset);

// Valid UTF-8 is kept, other bytes are taken as windows-1252: for undeclared 8-bit text.
std::string guess_utf8(std::string_view text);

void append_utf8(std::string& out, char32_t code_point);
// The next code point; U+FFFD and one byte forward for a byte that starts none. Precondition: not
// empty.
char32_t take_utf8(std::string_view& text);

// The form in which SEARCH, SORT and THREAD compare: i;unicode-casemap (RFC 5051, casemap.h; without ICU
// case is folded in Latin, Greek, Cyrillic and Armenian), and runs of white space as one space. Invalid
// UTF-8 becomes U+FFFD.
std::string fold_for_search(std::string_view utf8);

}  // namespace postern::mail
