#include "lib/imap/mailbox_name.h"

#include <cstdint>
#include <vector>

#include "lib/base/strings.h"
#include "lib/mail/charset.h"

namespace postern::imap {
namespace {

// RFC 3501 5.1.3: "," instead of "/"
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

bool is_direct(char32_t c) { return c >= 0x20 && c <= 0x7E; }

void append_utf16(std::vector<std::uint16_t>& units, char32_t c) {
    if (c < 0x10000) {
        units.push_back(static_cast<std::uint16_t>(c));
    } else {
        c -= 0x10000;
        units.push_back(static_cast<std::uint16_t>(0xD800 + (c >> 10)));
        units.push_back(static_cast<std::uint16_t>(0xDC00 + (c & 0x3FF)));
    }
}

std::string shifted(const std::vector<std::uint16_t>& units) {
    std::string out = "&";
    std::uint32_t bits = 0;
    int count = 0;
    for (const std::uint16_t unit : units) {
        bits = bits << 16 | unit;
        count += 16;
        while (count >= 6) {
            count -= 6;
            out += kAlphabet[bits >> count & 63];
        }
    }
    if (count > 0) out += kAlphabet[bits << (6 - count) & 63];
    return out + '-';
}

// The base64 between "&" and "-" as UTF-16; nothing when malformed.
std::optional<std::vector<std::uint16_t>> unshifted(std::string_view text) {
    std::vector<std::uint16_t> units;
    std::uint32_t bits = 0;
    int count = 0;
    for (char c : text) {
        const auto value = kAlphabet.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 16) {
            count -= 16;
            units.push_back(static_cast<std::uint16_t>(bits >> count));
        }
    }
    const bool padding_is_zero = (bits & ((1u << count) - 1)) == 0;
    if (count >= 6 || !padding_is_zero || units.empty()) return std::nullopt;
    return units;
}

bool append_units(std::string& out, const std::vector<std::uint16_t>& units) {
    for (std::size_t i = 0; i < units.size(); ++i) {
        char32_t c = units[i];
        if (c >= 0xD800 && c < 0xDC00) {
            if (i + 1 == units.size() || (units[i + 1] & 0xFC00) != 0xDC00) return false;
            c = 0x10000 + ((c & 0x3FF) << 10 | (units[++i] & 0x3FFu));
        } else if ((c & 0xFC00) == 0xDC00 || is_direct(c)) {
            return false;  // RFC 3501 5.1.3: printable characters must not be encoded
        }
        mail::append_utf8(out, c);
    }
    return true;
}

}  // namespace

std::string encode_mailbox_name(std::string_view utf8) {
    std::string out;
    std::vector<std::uint16_t> pending;
    while (!utf8.empty()) {
        const char32_t c = mail::take_utf8(utf8);
        if (!is_direct(c)) {
            append_utf16(pending, c);
            continue;
        }
        if (!pending.empty()) out += shifted(pending);
        pending.clear();
        out += static_cast<char>(c);
        if (c == '&') out += '-';
    }
    if (!pending.empty()) out += shifted(pending);
    return out;
}

std::optional<std::string> decode_mailbox_name(std::string_view name) {
    std::string out;
    bool after_shift = false;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto c = static_cast<unsigned char>(name[i]);
        if (!is_direct(c)) return std::nullopt;
        if (c != '&') {
            out += name[i];
            after_shift = false;
            continue;
        }
        const auto end = name.find('-', i);
        if (end == std::string_view::npos) return std::nullopt;
        if (end == i + 1) {
            out += '&';
            after_shift = false;
        } else {
            const auto units = unshifted(name.substr(i + 1, end - i - 1));
            if (after_shift || !units || !append_units(out, *units)) return std::nullopt;
            after_shift = true;  // RFC 3501 5.1.3: two shifts in a row are superfluous
        }
        i = end;
    }
    return out;
}

// Greedy with one point to come back to per kind of wildcard: linear for "%", at most quadratic for
// "*", whatever the pattern is.
bool matches_pattern(std::string_view name, std::string_view pattern, char separator) {
    constexpr auto kNone = std::string_view::npos;
    const std::size_t inbox =
        istarts_with(name, "INBOX") && (name.size() == 5 || name[5] == separator) ? 5 : 0;
    std::size_t n = 0, p = 0;
    std::size_t star_p = kNone, star_n = 0;        // after the last "*"
    std::size_t percent_p = kNone, percent_n = 0;  // after the last "%" since then
    for (;;) {
        if (p < pattern.size() && pattern[p] == '*') {
            star_p = ++p;
            star_n = n;
            percent_p = kNone;
            continue;
        }
        if (p < pattern.size() && pattern[p] == '%') {
            percent_p = ++p;
            percent_n = n;
            continue;
        }
        if (n == name.size() && p == pattern.size()) return true;
        const bool same =
            n < name.size() && p < pattern.size() &&
            (name[n] == pattern[p] || (n < inbox && to_lower(name[n]) == to_lower(pattern[p])));
        if (same) {
            ++n;
            ++p;
        } else if (percent_p != kNone && percent_n < name.size() && name[percent_n] != separator) {
            p = percent_p;
            n = ++percent_n;
        } else if (star_p != kNone && star_n < name.size()) {
            p = star_p;
            n = ++star_n;
            percent_p = kNone;
        } else {
            return false;
        }
    }
}

}  // namespace postern::imap
