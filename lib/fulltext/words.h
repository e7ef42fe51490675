// Words: what the full-text index holds of a text, and what a text must hold to contain another.
// SEARCH asks for substrings (RFC 9051 6.4.4), an index knows words; WordPattern is the bridge: a
// text that contains "big hou" has a word that ends with "big" and one that begins with "hou".
// All texts here are folded (mail::fold_for_search).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::fulltext {

// Longer words are in the index as pieces of this many bytes, each of which begins kMaxPattern
// bytes after the one before: so that what is not longer than kMaxPattern lies within one of them.
constexpr std::size_t kMaxWord = 64;
constexpr std::size_t kMaxPattern = 32;

// Calls `take` for the words of a text, in order, the pieces of long ones included. Letters and
// digits make words; a character of a script that puts no spaces between words is one by itself.
void for_each_word(std::string_view folded, const std::function<void(std::string_view)>& take);

// A word that a text must have. `open`: the word may go on there.
struct WordPattern {
    std::string text;
    bool open_left = false;
    bool open_right = false;

    friend bool operator==(const WordPattern&, const WordPattern&) = default;
};

// What a text that contains `folded` must have; empty when nothing can be said, since `folded` has
// no word.
struct Pattern {
    std::vector<WordPattern> words;
    // Whether every text that has these words contains `folded`. Otherwise it only may.
    bool exact = false;
};
Pattern pattern_of(std::string_view folded);

// Whether a word of the index fits.
bool fits(const WordPattern& pattern, std::string_view word);

}  // namespace postern::fulltext
