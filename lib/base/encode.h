// Hex and base64 (RFC 4648), strict decoders: no white space, no missing padding, no trailing bits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern {

std::string hex_encode(std::string_view bytes);  // lower case
std::optional<std::string> hex_decode(std::string_view text);

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace postern
