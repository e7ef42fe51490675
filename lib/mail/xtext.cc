// xtext: see xtext.h.
#include "lib/mail/xtext.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/mail/charset.h"

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

// "\x{FC}" at the front of text, which is taken away; nothing when it is none.
std::optional<char32_t> take_embedded(std::string_view& text) {
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
        const std::uint32_t point = take_utf8(text);
        const char c = static_cast<char>(point);
        if (point < 0x80 && stands_for_itself(c) && c != '\\') {
            out += c;
            continue;
        }
        char digits[16];
        const auto end = std::to_chars(digits, digits + sizeof digits, point, 16).ptr;
        std::transform(digits, end, digits, [](char digit) { return to_upper(digit); });
        out += cat({"\\x{",
                    point < 0x10 ? "0" : "",
                    {digits, static_cast<std::size_t>(end - digits)},
                    "}"});
    }
    return out;
}

std::optional<std::string> utf8_xtext_decode(std::string_view text) {
    if (!is_utf8(text)) return std::nullopt;
    std::string out;
    while (!text.empty()) {
        if (const auto point = take_embedded(text)) {
            append_utf8(out, *point);
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
