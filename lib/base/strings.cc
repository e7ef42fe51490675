#include "lib/base/strings.h"

#include <algorithm>

namespace postern {
namespace {

template <class F>
std::string mapped(std::string_view text, F f) {
    std::string out(text);
    for (char& c : out) c = f(c);
    return out;
}

bool same_letter(char a, char b) { return to_lower(a) == to_lower(b); }

// How many bytes the character at the front takes, if it may be shown: RFC 3629 4 without
// surrogates and overlong forms, and without the C1 control characters, which some terminals obey.
// 0: show none of it.
std::size_t shown_utf8(std::string_view text) {
    const auto at = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto tail = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
    const unsigned first = at(0);
    const unsigned second = at(1);
    if (first >= 0xc2 && first <= 0xdf) return tail(1) && (first > 0xc2 || second >= 0xa0) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const bool good = !(first == 0xe0 && second < 0xa0) && !(first == 0xed && second > 0x9f);
        return good && tail(1) && tail(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool good = !(first == 0xf0 && second < 0x90) && !(first == 0xf4 && second > 0x8f);
        return good && tail(1) && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::string to_lower(std::string_view text) {
    return mapped(text, [](char c) { return to_lower(c); });
}

std::string to_upper(std::string_view text) {
    return mapped(text, [](char c) { return to_upper(c); });
}

bool iequals(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same_letter);
}

bool istarts_with(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

bool iends_with(std::string_view text, std::string_view suffix) {
    return text.size() >= suffix.size() &&
           iequals(text.substr(text.size() - suffix.size()), suffix);
}

std::size_t ifind(std::string_view text, std::string_view needle) {
    auto at = std::search(text.begin(), text.end(), needle.begin(), needle.end(), same_letter);
    return at == text.end() && !needle.empty() ? std::string_view::npos
                                               : static_cast<std::size_t>(at - text.begin());
}

bool ILess::operator()(std::string_view a, std::string_view b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](char x, char y) { return to_lower(x) < to_lower(y); });
}

std::string_view trim_left(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    return text;
}

std::string_view trim_right(std::string_view text) {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::string_view trim(std::string_view text) { return trim_left(trim_right(text)); }

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::vector<std::string_view> split_words(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> words;
    for (;;) {
        const auto start = text.find_first_not_of(separators);
        if (start == std::string_view::npos) return words;
        text.remove_prefix(start);
        const auto stop = text.find_first_of(separators);
        words.push_back(text.substr(0, stop));
        if (stop == std::string_view::npos) return words;
        text.remove_prefix(stop);
    }
}

std::optional<std::pair<std::string_view, std::string_view>> split_once(std::string_view text,
                                                                        char separator) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos) return std::nullopt;
    return std::pair(text.substr(0, at), text.substr(at + 1));
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string out;
    for (const auto& part : parts) {
        if (!out.empty() || &part != &parts.front()) out += separator;
        out += part;
    }
    return out;
}

std::string cat(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (auto part : parts) size += part.size();
    std::string out;
    out.reserve(size);
    for (auto part : parts) out += part;
    return out;
}

std::string printable(std::string_view text, std::size_t limit, bool keep_utf8) {
    std::string out(text.substr(0, limit));
    for (std::size_t i = 0; i < out.size();) {
        const bool high = (static_cast<unsigned char>(out[i]) & 0x80) != 0;
        const std::size_t whole =
            high && keep_utf8 ? shown_utf8(std::string_view(out).substr(i)) : 0;
        if (is_control(out[i]) || (high && whole == 0)) out[i] = '?';
        i += std::max<std::size_t>(whole, 1);
    }
    return out;
}

}  // namespace postern
