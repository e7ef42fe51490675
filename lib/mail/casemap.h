// i;unicode-casemap (RFC 5051), character by character: the title case of a character, then all
// that Unicode says it is made of. By ICU, which is loaded by the first character that is not
// ASCII; it stays loaded, and keeps what it was asked.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::mail {

// The UTF-8 of what a character compares as, in lower case where it is ASCII. Nothing without ICU.
const std::string_view* casemap(char32_t code);

// Whether casemap() works; loads ICU. The Error says what is missing.
Result<void> load_casemap();
// Why it did not work, for the log, where it was needed.
std::string casemap_trouble();

}  // namespace postern::mail
