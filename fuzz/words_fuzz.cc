// Fuzz target: words and patterns of the full-text index. First line: what is looked for; the rest:
// the text. A text that contains it has the words that its pattern asks for, and where the pattern
// is exact, the other way round.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/fulltext/words.h"
#include "lib/mail/charset.h"

namespace fulltext = postern::fulltext;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t line = std::min(input.find('\n'), size);
    const std::string wanted = postern::mail::fold_for_search(input.substr(0, line));
    const std::string text = postern::mail::fold_for_search(input.substr(line));
    std::vector<std::string> words;
    fulltext::for_each_word(text, [&](std::string_view word) {
        if (word.empty() || word.size() > fulltext::kMaxWord) __builtin_trap();
        words.emplace_back(word);
    });
    const fulltext::Pattern pattern = fulltext::pattern_of(wanted);
    const bool has_all = std::all_of(
        pattern.words.begin(), pattern.words.end(), [&](const fulltext::WordPattern& one) {
            return std::any_of(words.begin(), words.end(),
                               [&](const std::string& word) { return fulltext::fits(one, word); });
        });
    const bool contains = text.find(wanted) != text.npos;
    if (contains && !has_all) __builtin_trap();
    if (pattern.exact && has_all && !contains) __builtin_trap();
    return 0;
}
