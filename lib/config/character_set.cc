#include "lib/config/character_set.h"

#include <optional>

#include "lib/base/strings.h"

namespace postern::config {
namespace {

// The next character of a list; nothing when there is no such escape.
std::optional<char> take_character(std::string_view& text) {
    const char first = text.front();
    text.remove_prefix(1);
    if (first != '\\') return first;
    std::size_t digits = 0;
    int code = 0;
    while (digits < 3 && digits < text.size() && text[digits] >= '0' && text[digits] <= '7')
        code = code * 8 + (text[digits++] - '0');
    if (digits > 0 && code < 256) {
        text.remove_prefix(digits);
        return static_cast<char>(code);
    }
    constexpr std::string_view kNames = "abfnrtv\\", kMeant = "\a\b\f\n\r\t\v\\";
    const auto which = text.empty() ? kNames.npos : kNames.find(text.front());
    if (which == kNames.npos) return std::nullopt;
    text.remove_prefix(1);
    return kMeant[which];
}

}  // namespace

Result<CharacterSet> CharacterSet::parse(std::string_view text) {
    CharacterSet set;
    while (!text.empty()) {
        const auto c = take_character(text);
        if (!c)
            return Error{Errc::invalid, cat({"\"\\", text.substr(0, 1),
                                             "\" is no character: \\a \\b \\f \\n \\r \\t \\v \\\\ "
                                             "and \\000 to \\377 are"})};
        set.all_.set(static_cast<unsigned char>(*c));
    }
    return set;
}

std::string CharacterSet::filtered(std::string_view text) const {
    std::string out(text);
    for (char& c : out)
        if (!has(c)) c = '_';
    return out;
}

}  // namespace postern::config
