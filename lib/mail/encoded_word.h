// Encoded words, RFC 2047, in header text.
#pragma once

#include <string>
#include <string_view>

namespace postern::mail {

// Header text (unfolded or not) as UTF-8: encoded words decoded, white space between two of them
// dropped, undeclared 8-bit text guessed. A word that cannot be decoded stays as it is written.
std::string decode_words(std::string_view text);

}  // namespace postern::mail
