#include "lib/pop3/uidl.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::pop3 {
namespace {

constexpr std::size_t kLongestUidl = 70;

// What stands between a per cent and its letter: "08X" of "%08Xu".
struct UidlWidth {
    std::size_t width = 0;
    char fill = ' ';
    char base = 'd';  // d, x, X
};

UidlWidth take_width(std::string_view& rest) {
    UidlWidth out;
    if (rest.starts_with('0')) out.fill = '0';
    while (!rest.empty() && is_digit(rest.front()) && out.width < kLongestUidl) {
        out.width = out.width * 10 + static_cast<std::size_t>(rest.front() - '0');
        rest.remove_prefix(1);
    }
    if (rest.starts_with('x') || rest.starts_with('X')) {
        out.base = rest.front();
        rest.remove_prefix(1);
    }
    return out;
}

std::string in_width(std::uint32_t value, const UidlWidth& how) {
    std::string out;
    const unsigned base = how.base == 'd' ? 10 : 16;
    const char* digits = how.base == 'x' ? "0123456789abcdef" : "0123456789ABCDEF";
    do out += digits[value % base];
    while ((value /= base) != 0);
    while (out.size() < std::min(how.width, kLongestUidl)) out += how.fill;
    return {out.rbegin(), out.rend()};
}

}  // namespace

bool is_uidl(std::string_view text) {
    return !text.empty() && text.size() <= kLongestUidl &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
}

std::optional<std::string> format_uidl(std::string_view format, std::uint32_t uid,
                                       std::uint32_t uid_validity, std::string_view file) {
    std::string out;
    while (!format.empty()) {
        const char c = format.front();
        format.remove_prefix(1);
        if (c != '%') {
            out += c;
            continue;
        }
        const UidlWidth width = take_width(format);
        const char letter = format.empty() ? '\0' : format.front();
        if (letter == 'u')
            out += in_width(uid, width);
        else if (letter == 'v')
            out += in_width(uid_validity, width);
        else if (letter == 'f')
            out += file;
        else if (letter == '%')
            out += '%';
        else
            return std::nullopt;
        format.remove_prefix(1);
    }
    if (!is_uidl(out)) return std::nullopt;
    return out;
}

}  // namespace postern::pop3
