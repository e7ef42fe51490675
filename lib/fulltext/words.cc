#include "lib/fulltext/words.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/mail/charset.h"

namespace postern::fulltext {
namespace {

enum class Kind : unsigned char { separator, letter, word };  // word: a character that is one

struct CodeRange {
    char32_t first, last;
    Kind kind;
};

// In ascending order; what is in none of them is a letter.
constexpr CodeRange kRanges[] = {
    {0x80, 0xA9, Kind::separator},      // C1 controls, signs of Latin-1
    {0xAB, 0xB4, Kind::separator},      //
    {0xB6, 0xB9, Kind::separator},      //
    {0xBB, 0xBF, Kind::separator},      //
    {0xD7, 0xD7, Kind::separator},      // multiplication
    {0xF7, 0xF7, Kind::separator},      // division
    {0x0E00, 0x0EFF, Kind::word},       // Thai, Lao
    {0x1000, 0x109F, Kind::word},       // Myanmar
    {0x1780, 0x17FF, Kind::word},       // Khmer
    {0x2000, 0x2BFF, Kind::separator},  // punctuation, arrows, mathematics, boxes
    {0x2E80, 0x2FFF, Kind::word},       // radicals
    {0x3000, 0x303F, Kind::separator},  // punctuation of Chinese and Japanese
    {0x3040, 0x9FFF, Kind::word},       // kana, Chinese
    {0xF900, 0xFAFF, Kind::word},       // Chinese
    {0xFF00, 0xFF0F, Kind::separator},  // wide punctuation
    {0xFFFC, 0xFFFF, Kind::separator},  // what could not be decoded
    {0x1F000, 0x1FAFF, Kind::word},     // pictures
    {0x20000, 0x3FFFF, Kind::word},     // Chinese
};

Kind kind_of(char32_t c) {
    if (c < 0x80) return is_alnum(static_cast<char>(c)) ? Kind::letter : Kind::separator;
    const auto* range = std::lower_bound(std::begin(kRanges), std::end(kRanges), c,
                                         [](const CodeRange& r, char32_t x) { return r.last < x; });
    return range != std::end(kRanges) && range->first <= c ? range->kind : Kind::letter;
}

struct Word {
    std::size_t at = 0;
    std::string_view text;  // empty: there is none
    Kind kind = Kind::letter;

    std::size_t end() const { return at + text.size(); }
};

// The first word at or after `from`, whole.
Word next_word(std::string_view text, std::size_t from) {
    std::string_view rest = text.substr(from);
    const auto position = [&] { return text.size() - rest.size(); };
    Word word{from, {}, Kind::separator};
    while (!rest.empty() && word.kind == Kind::separator) {
        word.at = position();
        word.kind = kind_of(mail::take_utf8(rest));
    }
    if (word.kind == Kind::separator) return {};
    std::size_t end = position();
    if (word.kind == Kind::letter) {
        while (!rest.empty() && kind_of(mail::take_utf8(rest)) == Kind::letter) end = position();
    }
    word.text = text.substr(word.at, end - word.at);
    return word;
}

}  // namespace

void for_each_word(std::string_view folded, const std::function<void(std::string_view)>& take) {
    for (Word word = next_word(folded, 0); !word.text.empty();
         word = next_word(folded, word.end())) {
        std::string_view rest = word.text;
        for (; rest.size() > kMaxWord; rest.remove_prefix(kMaxPattern))
            take(rest.substr(0, kMaxWord));
        take(rest);
    }
}

Pattern pattern_of(std::string_view folded) {
    Pattern pattern;
    for (Word word = next_word(folded, 0); !word.text.empty();
         word = next_word(folded, word.end())) {
        const bool is_long = word.text.size() > kMaxPattern;
        const bool goes_on = word.kind == Kind::letter;
        pattern.words.push_back({std::string(word.text.substr(0, kMaxPattern)),
                                 is_long || (goes_on && word.at == 0),
                                 is_long || (goes_on && word.end() == folded.size())});
        pattern.exact = word.text == folded && !is_long;
    }
    return pattern;
}

bool fits(const WordPattern& pattern, std::string_view word) {
    if (pattern.open_left && pattern.open_right) return word.find(pattern.text) != word.npos;
    if (pattern.open_left) return word.ends_with(pattern.text);
    return pattern.open_right ? word.starts_with(pattern.text) : word == pattern.text;
}

}  // namespace postern::fulltext
