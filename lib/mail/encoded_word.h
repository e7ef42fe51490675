// Encoded words, RFC 2047, in header text.
#pragma once

#include <string>
#include <string_view>

namespace postern::mail {

// Header text (unfolded or not) as UTF-8: encoded words decoded, white space between two of them
// dropped, undeclared 8-bit text guessed. A word that cannot be decoded stays as it is written.
std::string decode_words(std::string_view text);

// Text of that character set as encoded words in Q form, for a display name or a comment; several
// are on a line each. No word ends within a character of UTF-8.
std::string encode_words(std::string_view text, std::string_view charset);
// What may stand in an encoded word as its character set (a token, RFC 2047 2; at most 40
// characters).
bool is_charset_name(std::string_view name);

}  // namespace postern::mail
