// CRC-32C (Castagnoli), as in RFC 3720 B.4. Uses the processor's instruction where it has one.
#pragma once

#include <cstdint>
#include <string_view>

namespace postern {

// Continues `crc` (0 to begin) over bytes: crc32c(a + b) == crc32c(b, crc32c(a)).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace postern
