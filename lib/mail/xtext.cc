// xtext: see xtext.h.
#include "lib/mail/xtext.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::mail {
namespace {

// The value of an upper-case hex digit; -1 for others. RFC 3461 4 knows no lower case.
int upper_hex_value(char c) {
    if (is_digit(c)) return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool stands_for_itself(char c) { return c >= '!' && c <= '~' && c != '+' && c != '='; }

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

std::string orcpt_for_people(std::string_view orcpt) {
    const auto parts = split_once(orcpt, ';');
    if (!parts) return std::string(orcpt);
    const auto address = xtext_decode(parts->second);
    return address ? cat({parts->first, ";", *address}) : std::string(orcpt);
}

std::string orcpt_of(std::string_view address) { return cat({"rfc822;", xtext_encode(address)}); }

}  // namespace postern::mail
