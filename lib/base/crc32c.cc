#include "lib/base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace postern {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
        table[i] = crc;
    }
    return table;
}
constexpr auto kTable = make_table();

std::uint32_t by_table(std::string_view bytes, std::uint32_t crc) {
    for (char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 255];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes, std::uint32_t crc) {
    std::uint64_t wide = crc;
    while (bytes.size() >= 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data(), 8);
        wide = _mm_crc32_u64(wide, word);
        bytes.remove_prefix(8);
    }
    crc = static_cast<std::uint32_t>(wide);
    for (char c : bytes) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(c));
    return crc;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc) {
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) return ~by_instruction(bytes, ~crc);
#endif
    return ~by_table(bytes, ~crc);
}

}  // namespace postern
