#include "lib/base/encode.h"

#include <array>
#include <cstdint>

namespace postern {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

constexpr std::array<std::int8_t, 256> make_base64_values() {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::size_t i = 0; i < kBase64Digits.size(); ++i)
        values[static_cast<unsigned char>(kBase64Digits[i])] = static_cast<std::int8_t>(i);
    return values;
}
constexpr auto kBase64Values = make_base64_values();

unsigned byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

}  // namespace

std::string hex_encode(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        out += kHexDigits[byte_at(bytes, i) >> 4];
        out += kHexDigits[byte_at(bytes, i) & 15];
    }
    return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
    }
    return out;
}

std::string base64_encode(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::size_t i = 0;
    for (; i + 2 < bytes.size(); i += 3) {
        const unsigned word = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
        for (int shift = 18; shift >= 0; shift -= 6) out += kBase64Digits[word >> shift & 63];
    }
    const std::size_t rest = bytes.size() - i;
    if (rest == 1) {
        const unsigned word = byte_at(bytes, i) << 16;
        out += {kBase64Digits[word >> 18 & 63], kBase64Digits[word >> 12 & 63], '=', '='};
    } else if (rest == 2) {
        const unsigned word = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8;
        out += {kBase64Digits[word >> 18 & 63], kBase64Digits[word >> 12 & 63], kBase64Digits[word >> 6 & 63], '='};
    }
    return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const bool last = i + 4 == text.size();
        const std::size_t digits = last ? 4 - padding : 4;
        unsigned word = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const int value = k < digits ? kBase64Values[byte_at(text, i + k)] : 0;
            if (value < 0) return std::nullopt;
            word = word << 6 | static_cast<unsigned>(value);
        }
        for (std::size_t k = 0; k + 1 < digits; ++k) out += static_cast<char>(word >> (16 - 8 * k) & 255);
        // Bits behind the last byte must be zero, or two texts would decode to the same bytes.
        if (last && padding > 0 && (word & (padding == 1 ? 0xffU : 0xffffU)) != 0) return std::nullopt;
    }
    return out;
}

}  // namespace postern
