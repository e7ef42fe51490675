// xtext: see xtext.h.
#include "lib/mail/xtext.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"

namespace postern::mail {
namespace {

// The value of an upper-case hex digit; -1 for others. RFC 3461 4 knows no lower case.
int upper_hex_value(char c) {
    if (is_digit(c)) return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool stands_for_itself(char c) { return c >= '!' && c <= '~' && c != '+' && c != '='; }

bool is_utf8_type(std::string_view type) { return iequals(type, "utf-8"); }

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), is_control) ||
           text.find("\xc2\x80") != text.npos || text.find("\xc2\x85") != text.npos;
}

void add_utf8(std::string& out, std::uint32_t point) {
    const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
    const auto tail = [&](int shift) { byte(0x80 | ((point >> shift) & 0x3f)); };
    if (point < 0x80) return byte(point);
    if (point < 0x800) {
        byte(0xc0 | (point >> 6));
        return tail(0);
    }
    if (point < 0x10000) {
        byte(0xe0 | (point >> 12));
        tail(6);
        return tail(0);
    }
    byte(0xf0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
}

// The code point at the front of well-formed UTF-8, which is taken away.
std::uint32_t take_utf8(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    std::uint32_t point = size == 1 ? lead : lead & (0x7fU >> size);
    for (std::size_t i = 1; i < size && i < text.size(); ++i)
        point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
    text.remove_prefix(std::min(size, text.size()));
    return point;
}

// "\x{FC}" at the front of text, which is taken away; nothing when it is none.
std::optional<std::uint32_t> take_embedded(std::string_view& text) {
    if (!text.starts_with("\\x{")) return std::nullopt;
    const auto end = text.find('}');
    if (end == text.npos || end > 9) return std::nullopt;  // six digits at most
    const auto point = parse_number<std::uint32_t>(text.substr(3, end - 3), 16);
    const bool surrogate = point && *point >= 0xd800 && *point <= 0xdfff;
    if (!point || *point > 0x10ffff || surrogate) return std::nullopt;
    text.remove_prefix(end + 1);
    return point;
}

}  // namespace

std::string xtext_encode(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (stands_for_itself(c)) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '+';
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

std::optional<std::string> xtext_decode(std::string_view xtext) {
    std::string out;
    for (std::size_t i = 0; i < xtext.size(); ++i) {
        if (stands_for_itself(xtext[i])) {
            out += xtext[i];
            continue;
        }
        if (xtext[i] != '+' || i + 2 >= xtext.size()) return std::nullopt;
        const int high = upper_hex_value(xtext[i + 1]);
        const int low = upper_hex_value(xtext[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

bool is_printable_xtext(std::string_view xtext) {
    const auto text = xtext_decode(xtext);
    return text &&
           std::all_of(text->begin(), text->end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string utf8_xtext_encode(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto point = take_utf8(text);
        const char c = static_cast<char>(point);
        if (point < 0x80 && stands_for_itself(c) && c != '\\') {
            out += c;
            continue;
        }
        char digits[16];
        const auto end = std::to_chars(digits, digits + sizeof digits, point, 16).ptr;
        out += cat({"\\x{", point < 0x10 ? "0" : "",
                    to_upper({digits, static_cast<std::size_t>(end - digits)}), "}"});
    }
    return out;
}

std::optional<std::string> utf8_xtext_decode(std::string_view text) {
    if (!is_utf8(text)) return std::nullopt;
    std::string out;
    while (!text.empty()) {
        if (const auto point = take_embedded(text)) {
            add_utf8(out, *point);
            continue;
        }
        // Postfix lets "+" and "=" stand for themselves here, and so do we.
        if (text[0] == '\\' || text[0] == ' ') return std::nullopt;
        out += text[0];
        text.remove_prefix(1);
    }
    if (has_control(out)) return std::nullopt;
    return out;
}

std::optional<Orcpt> parse_orcpt(std::string_view orcpt) {
    const auto parts = split_once(orcpt, ';');
    const auto in_type = [](char c) { return is_alnum(c) || c == '-'; };
    if (!parts || parts->first.empty() ||
        !std::all_of(parts->first.begin(), parts->first.end(), in_type))
        return std::nullopt;
    auto address =
        is_utf8_type(parts->first) ? utf8_xtext_decode(parts->second) : xtext_decode(parts->second);
    // Postfix sends addresses in UTF-8 as "rfc822;+C3+BC@c", too.
    if (!address || address->empty() || has_control(*address) || !is_utf8(*address))
        return std::nullopt;
    return Orcpt{std::string(parts->first), std::move(*address)};
}

std::string orcpt_for_people(std::string_view orcpt) {
    const auto parsed = parse_orcpt(orcpt);
    return parsed ? cat({parsed->type, ";", parsed->address}) : std::string(orcpt);
}

std::string orcpt_for_wire(std::string_view orcpt) {
    const auto parsed = parse_orcpt(orcpt);
    if (!parsed) return {};
    if (is_ascii(orcpt)) return std::string(orcpt);
    return cat({parsed->type, ";", utf8_xtext_encode(parsed->address)});
}

std::string orcpt_of(std::string_view address) {
    if (!is_ascii(address) && is_utf8(address))
        return cat({"utf-8;", utf8_xtext_encode(address)});  // RFC 6533 3
    return cat({"rfc822;", xtext_encode(address)});
}

}  // namespace postern::mail
