#include "lib/fulltext/words.h"

#include <random>

namespace postern::fulltext {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> out;
    for_each_word(text, [&](std::string_view word) { out.emplace_back(word); });
    return out;
}

TEST(Words, LettersAndDigitsMakeThem) {
    EXPECT_THAT(words_of("the big-house, no. 42!"), ElementsAre("the", "big", "house", "no", "42"));
    EXPECT_THAT(words_of("subject:grüße"), ElementsAre("subject", "grüße"));
    EXPECT_THAT(words_of("5×3 «où» ½"), ElementsAre("5", "3", "où"));
    EXPECT_THAT(words_of("привет—мир"), ElementsAre("привет", "мир"));
    EXPECT_THAT(words_of(" ,. "), IsEmpty());
    EXPECT_THAT(words_of(""), IsEmpty());
}

TEST(Words, AScriptWithoutSpacesGivesCharacters) {
    EXPECT_THAT(words_of("a日本語b。c"), ElementsAre("a", "日", "本", "語", "b", "c"));
    EXPECT_THAT(words_of("ไทย"), ElementsAre("ไ", "ท", "ย"));
}

TEST(Words, LongOnesAreInPieces) {
    std::string text;
    for (int i = 0; i < 130; ++i) text += static_cast<char>('a' + i % 26);
    EXPECT_THAT(words_of(text.substr(0, 64)), ElementsAre(text.substr(0, 64)));
    EXPECT_THAT(words_of(text.substr(0, 65)), ElementsAre(text.substr(0, 64), text.substr(32, 33)));
    EXPECT_THAT(words_of(text), ElementsAre(text.substr(0, 64), text.substr(32, 64),
                                            text.substr(64, 64), text.substr(96, 34)));
}

TEST(Words, PatternsAreOpenWhereTheTextMayGoOn) {
    struct Case {
        std::string text;
        std::vector<WordPattern> words;
        bool exact;
    };
    const std::string long_word(40, 'x');
    const Case cases[] = {
        {"hous", {{"hous", true, true}}, true},
        {"big hou", {{"big", true, false}, {"hou", false, true}}, false},
        {" house", {{"house", false, true}}, false},
        {"house.", {{"house", true, false}}, false},
        {"a b c", {{"a", true, false}, {"b", false, false}, {"c", false, true}}, false},
        {"日", {{"日", false, false}}, true},
        {"日本", {{"日", false, false}, {"本", false, false}}, false},
        {"x日", {{"x", true, false}, {"日", false, false}}, false},
        {long_word, {{std::string(32, 'x'), true, true}}, false},
        {"- -", {}, false},
        {"", {}, false},
    };
    for (const Case& c : cases) {
        const Pattern pattern = pattern_of(c.text);
        EXPECT_EQ(pattern.words, c.words) << c.text;
        EXPECT_EQ(pattern.exact, c.exact) << c.text;
    }
}

TEST(Words, Fit) {
    EXPECT_TRUE(fits({"ous", true, true}, "house"));
    EXPECT_FALSE(fits({"ous", false, true}, "house"));
    EXPECT_TRUE(fits({"hou", false, true}, "house"));
    EXPECT_TRUE(fits({"use", true, false}, "house"));
    EXPECT_FALSE(fits({"hous", true, false}, "house"));
    EXPECT_TRUE(fits({"house", false, false}, "house"));
    EXPECT_FALSE(fits({"hous", false, false}, "house"));
}

// Whether the words of a text have all that a pattern asks for.
bool has_all(const std::vector<std::string>& words, const Pattern& pattern) {
    return std::all_of(pattern.words.begin(), pattern.words.end(), [&](const WordPattern& one) {
        return std::any_of(words.begin(), words.end(),
                           [&](const std::string& word) { return fits(one, word); });
    });
}

// What the index rests on: no text that contains another lacks its words, and where a pattern is
// exact, none that has them lacks the text.
TEST(Words, PatternsNeverLoseAndExactOnesNeverLie) {
    std::mt19937 dice(7);
    const std::string alphabet[] = {"a", "b", "é", " ", "-", "日", "本", "1", "ab", "×"};
    const auto text_of = [&](std::size_t most) {
        std::string text;
        for (std::size_t n = dice() % most; n > 0; --n) text += alphabet[dice() % 10];
        return text;
    };
    for (int round = 0; round < 20'000; ++round) {
        const std::string text = text_of(round % 5 == 0 ? 200 : 12);
        const std::string wanted = text_of(5);
        const Pattern pattern = pattern_of(wanted);
        const bool contains = text.find(wanted) != text.npos;
        if (has_all(words_of(text), pattern)) {
            EXPECT_TRUE(contains || !pattern.exact) << text << " / " << wanted;
        } else {
            EXPECT_FALSE(contains) << text << " / " << wanted;
        }
    }
}

}  // namespace
}  // namespace postern::fulltext
