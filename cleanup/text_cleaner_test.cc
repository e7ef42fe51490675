#include "cleanup/text_cleaner.h"

#include "lib/config/config.h"

namespace postern::cleanup {
namespace {

std::string cleaned(const CharacterRules& rules, const std::string& text, std::size_t portion) {
    TextCleaner cleaner(rules, false);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += portion)
        out += cleaner.clean(std::string_view(text).substr(at, portion));
    out += cleaner.finish();
    return out;
}

TEST(TextCleaner, ReplacesStrayLineEnds) {
    const struct {
        std::string in, out;
    } cases[] = {
        {"plain\r\ntext\r\n", "plain\r\ntext\r\n"},
        {"a\rb\r\n", "a b\r\n"},
        {"a\nb\r\n", "a b\r\n"},
        {"a\r\r\n", "a \r\n"},
        {"\n\n\r\n\r", "  \r\n "},
        {"a\r\n\nb\r\n", "a\r\n b\r\n"},
        {"Subject: x\rBcc: y\r\n", "Subject: x Bcc: y\r\n"},
        {"", ""},
    };
    CharacterRules keep;
    keep.replace_stray = false;
    for (const auto& c : cases) {
        for (std::size_t portion = 1; portion <= c.in.size(); ++portion) {
            EXPECT_EQ(cleaned({}, c.in, portion), c.out) << c.in << " by " << portion;
            EXPECT_EQ(cleaned(keep, c.in, portion), c.in) << portion;
        }
    }
}

// Every text over a small alphabet against the rule written in one line.
TEST(TextCleaner, NothingStrayIsEverLeft) {
    const std::string alphabet = "a\r\n";
    for (unsigned n = 0; n < 3 * 3 * 3 * 3 * 3 * 3 * 3; ++n) {
        std::string text, expected;
        for (unsigned i = 0, rest = n; i < 7; ++i, rest /= 3) text.push_back(alphabet[rest % 3]);
        for (std::size_t i = 0; i < text.size(); ++i) {
            const bool paired =
                text[i] == '\r' ? text.substr(i + 1, 1) == "\n" : i > 0 && text[i - 1] == '\r';
            expected += text[i] == 'a' || paired ? text[i] : ' ';
        }
        for (const std::size_t portion : {1U, 2U, 3U, 7U})
            ASSERT_EQ(cleaned({}, text, portion), expected) << testing::PrintToString(text);
    }
}

TEST(TextCleaner, StripsCharacters) {
    CharacterRules rules;
    ASSERT_TRUE(rules.strip("\\0x\\303\\r\\n"));
    const std::string in("axb\0c\xc3\xbc\r\nx\r\n", 12);
    for (std::size_t portion = 1; portion <= in.size(); ++portion)
        EXPECT_EQ(cleaned(rules, in, portion), "abc\xbc\r\n\r\n") << "line ends stay";
}

TEST(TextCleaner, TellsWhatRefuses) {
    CharacterRules rules;
    ASSERT_TRUE(rules.reject("\\0\\7"));
    const struct {
        std::string in;
        std::optional<std::string> line;
    } cases[] = {
        {"fine\r\n", std::nullopt},
        {std::string("one\r\nbo\0dy\r\n", 12), "bo"},
        {"one\r\ntw\ao\r\n", "tw\a"},
        {"\r\n\a\a", "\a"},
    };
    for (const auto& c : cases) {
        for (const std::size_t portion : {1U, 100U}) {
            TextCleaner cleaner(rules, true), trusting(rules, false);
            for (std::size_t at = 0; at < c.in.size(); at += portion) {
                const auto bytes = std::string_view(c.in).substr(at, portion);
                cleaner.clean(bytes);
                trusting.clean(bytes);
            }
            EXPECT_EQ(cleaner.rejected(), c.line);
            EXPECT_EQ(trusting.rejected(), std::nullopt);
        }
    }
}

TEST(TextCleaner, Lists) {
    CharacterRules rules;
    EXPECT_TRUE(rules.strip("\\a\\b\\f\\n\\r\\t\\v\\\\\\0\\12\\377q"));
    for (const char c : {'\a', '\b', '\f', '\t', '\v', '\\', '\0', '\n', '\377', 'q'})
        EXPECT_TRUE(rules.strips(c)) << int{c};
    EXPECT_FALSE(rules.strips('1'));
    EXPECT_FALSE(rules.rejects('q'));
    for (const char* bad : {"\\", "\\q", "ab\\x41", "\\400"})
        EXPECT_FALSE(CharacterRules().strip(bad)) << bad;

    const auto config = config::Config::parse(
        "cleanup_replace_stray_cr_lf = no\nmessage_reject_characters = \\0\n");
    const auto read = CharacterRules::from(*config);
    ASSERT_TRUE(read);
    EXPECT_FALSE(read->replace_stray);
    EXPECT_TRUE(read->rejects('\0'));
    const auto bad =
        CharacterRules::from(*config::Config::parse("message_strip_characters = \\8\n"));
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error().what, testing::HasSubstr("message_strip_characters"));
}

}  // namespace
}  // namespace postern::cleanup
