#include "lib/mail/transfer_encoding.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "lib/base/strings.h"

namespace postern::mail {
namespace {

int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (is_digit(c)) return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// "=XY" at the start of text; -1 when it is none.
int escape_value(std::string_view text) {
    if (text.size() < 3) return -1;
    const int high = hex_value(text[1]);
    const int low = hex_value(text[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Length of a soft line break at the start of text ("=", blanks, line end), or 0.
std::size_t soft_break(std::string_view text) {
    std::size_t at = 1;
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
    if (at == text.size()) return at;
    if (text[at] == '\n') return at + 1;
    if (text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n') return at + 2;
    return 0;
}

char byte(int value) { return static_cast<char>(static_cast<unsigned char>(value)); }

}  // namespace

std::string decode_base64_loosely(std::string_view text) {
    std::string out;
    out.reserve(text.size() / 4 * 3 + 3);
    std::uint32_t bits = 0;
    int count = 0;
    for (char c : text) {
        if (c == '=') {  // padding ends a unit; some mailers go on with another
            bits = 0;
            count = 0;
            continue;
        }
        const int value = base64_value(c);
        if (value < 0) continue;  // RFC 2045 6.8: other characters must be ignored
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += byte(static_cast<int>(bits >> count & 0xFF));
        }
    }
    return out;
}

std::string decode_quoted_printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto equals = text.find('=');
        out += text.substr(0, equals);
        if (equals == std::string_view::npos) break;
        text.remove_prefix(equals);
        if (const int value = escape_value(text); value >= 0) {
            out += byte(value);
            text.remove_prefix(3);
        } else if (const std::size_t length = soft_break(text); length > 0) {
            text.remove_prefix(length);
        } else {
            out += '=';
            text.remove_prefix(1);
        }
    }
    return out;
}

std::string decode_q(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (; !text.empty(); text.remove_prefix(1)) {
        const int value = text.front() == '=' ? escape_value(text) : -1;
        if (value >= 0) {
            out += byte(value);
            text.remove_prefix(2);
        } else {
            out += text.front() == '_' ? ' ' : text.front();
        }
    }
    return out;
}

void QuotedPrintableEncoder::add(std::string_view text, std::string& out) {
    for (const char c : text) take(c, out);
}

void QuotedPrintableEncoder::take(char c, std::string& out) {
    const char before = std::exchange(waiting_, 0);
    if (c == '\n') {
        // RFC 2045 6.7 (3): no blank at the end of a line.
        if (before == ' ' || before == '\t') put_encoded(before, out);
        return end_line(before == '\r' ? "\r\n" : "\n", out);
    }
    if (c == '\r' && (before == ' ' || before == '\t')) {
        put_encoded(before, out);
    } else if (before == '\r') {
        put_encoded(before, out);
    } else if (before != 0) {
        put({&before, 1}, out);
    }
    if (c == ' ' || c == '\t' || c == '\r') {
        waiting_ = c;
    } else if (c > ' ' && c < 127 && c != '=') {
        put({&c, 1}, out);
    } else {
        put_encoded(c, out);
    }
}

void QuotedPrintableEncoder::put_encoded(char c, std::string& out) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const auto value = static_cast<unsigned char>(c);
    const char token[] = {'=', kDigits[value >> 4], kDigits[value & 15]};
    put({token, sizeof token}, out);
}

// RFC 2045 6.7 (5): 76 characters with the "=" of a soft line break.
void QuotedPrintableEncoder::put(std::string_view token, std::string& out) {
    constexpr std::size_t kWidth = 76;
    if (column_ + token.size() >= kWidth) {
        end_line("=\r\n", out);
        if (token == "-") token = "=2D";  // what was no boundary must not look like one now
    }
    out += token;
    column_ += token.size();
}

void QuotedPrintableEncoder::end_line(std::string_view line_end, std::string& out) {
    out += line_end;
    column_ = 0;
}

void QuotedPrintableEncoder::finish(std::string& out) {
    if (const char last = std::exchange(waiting_, 0); last != 0) put_encoded(last, out);
    column_ = 0;
}

std::string decode_content(std::string_view encoding, std::string_view text) {
    encoding = trim(encoding);
    if (iequals(encoding, "base64")) return decode_base64_loosely(text);
    if (iequals(encoding, "quoted-printable")) return decode_quoted_printable(text);
    return std::string(text);
}

bool is_wire_form(std::string_view text) {
    if (text.empty()) return true;
    if (std::memchr(text.data(), 0, text.size()) != nullptr) return false;
    for (std::size_t at = text.find('\n'); at != std::string_view::npos;
         at = text.find('\n', at + 1)) {
        if (at == 0 || text[at - 1] != '\r') return false;
    }
    return true;
}

std::string to_wire_form(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 32 + 2);
    while (!text.empty()) {
        const auto at = text.find('\n');
        if (at == std::string_view::npos) {
            out += text;
            break;
        }
        out += text.substr(0, at);
        if (at == 0 || text[at - 1] != '\r') out += '\r';
        out += '\n';
        text.remove_prefix(at + 1);
    }
    for (std::size_t at = out.find('\0'); at != std::string::npos; at = out.find('\0', at + 1))
        out[at] = byte(0x80);
    return out;
}

}  // namespace postern::mail
