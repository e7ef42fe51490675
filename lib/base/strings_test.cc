#include "lib/base/strings.h"

#include <climits>
#include <map>

namespace postern {
namespace {

using namespace std::string_literals;
using Views = std::vector<std::string_view>;

TEST(CharacterClasses, AreAsciiAndNothingElse) {
    for (int i = 0; i < 256; ++i) {
        const char c = static_cast<char>(i);
        EXPECT_EQ(is_space(c), i == 32 || (i >= 9 && i <= 13)) << i;
        EXPECT_EQ(is_digit(c), i >= '0' && i <= '9') << i;
        EXPECT_EQ(is_alpha(c), (i >= 'A' && i <= 'Z') || (i >= 'a' && i <= 'z')) << i;
        EXPECT_EQ(is_alnum(c), is_digit(c) || is_alpha(c)) << i;
        EXPECT_EQ(is_control(c), i < 32 || i == 127) << i;
        EXPECT_EQ(to_lower(c), i >= 'A' && i <= 'Z' ? static_cast<char>(i + 32) : c) << i;
        EXPECT_EQ(to_upper(c), i >= 'a' && i <= 'z' ? static_cast<char>(i - 32) : c) << i;
    }
    EXPECT_EQ(to_lower("ÄB[@`{Z"), "Äb[@`{z") << "letters of other alphabets stay";
    EXPECT_EQ(to_upper("äb[@`{z"), "äB[@`{Z");
}

TEST(IgnoringCase, ComparesAndFinds) {
    const struct {
        const char *text, *other;
        bool equal, starts, ends;
        std::size_t at;
    } cases[] = {
        {"", "", true, true, true, 0},
        {"a", "", false, true, true, 0},
        {"", "a", false, false, false, std::string_view::npos},
        {"Mail From", "MAIL", false, true, false, 0},
        {"Mail From", "from", false, false, true, 5},
        {"Mail From", "mail from", true, true, true, 0},
        {"Mail From", "mail from:", false, false, false, std::string_view::npos},
        {"aaab", "AAB", false, false, true, 1},
        {"[", "{", false, false, false, std::string_view::npos},
        {"@", "`", false, false, false, std::string_view::npos},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(iequals(c.text, c.other), c.equal) << c.text << "|" << c.other;
        EXPECT_EQ(istarts_with(c.text, c.other), c.starts) << c.text << "|" << c.other;
        EXPECT_EQ(iends_with(c.text, c.other), c.ends) << c.text << "|" << c.other;
        EXPECT_EQ(ifind(c.text, c.other), c.at) << c.text << "|" << c.other;
    }
}

TEST(IgnoringCase, OrdersAsEqualityDoes) {
    const char* words[] = {"", "a", "A", "b", "ab", "AB", "B", "z", "_", "Z[", "é"};
    const ILess less;
    for (const char* a : words) {
        for (const char* b : words) {
            EXPECT_EQ(iequals(a, b), !less(a, b) && !less(b, a)) << a << "|" << b;
            EXPECT_FALSE(less(a, b) && less(b, a)) << a << "|" << b;
        }
    }
    std::map<std::string, int, ILess> table = {{"Subject", 1}};
    EXPECT_EQ(table.find(std::string_view("SUBJECT"))->second, 1);
    EXPECT_EQ(table.count(std::string_view("Subjec")), 0U);
}

TEST(Trim, TakesWhiteSpaceFromTheEndsOnly) {
    const struct {
        const char *text, *left, *right, *both;
    } cases[] = {
        {"", "", "", ""},
        {" \t\r\n\v\f", "", "", ""},
        {" a b ", "a b ", " a b", "a b"},
        {"x", "x", "x", "x"},
        {"\r\nx\r\n", "x\r\n", "\r\nx", "x"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(trim_left(c.text), c.left);
        EXPECT_EQ(trim_right(c.text), c.right);
        EXPECT_EQ(trim(c.text), c.both);
    }
    EXPECT_EQ(trim("\0 x"s), "\0 x"s) << "NUL is not white space";
}

TEST(Split, KeepsEveryPart) {
    const struct {
        const char* text;
        Views parts;
    } cases[] = {
        {"", {""}},        {",", {"", ""}},   {"a", {"a"}},
        {"a,", {"a", ""}}, {",a", {"", "a"}}, {"a,,b", {"a", "", "b"}},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(split(c.text, ','), c.parts) << c.text;
        std::vector<std::string> owned(c.parts.begin(), c.parts.end());
        EXPECT_EQ(join(owned, ","), c.text) << "join() undoes it";
    }
    EXPECT_EQ(join({}, ","), "");
    EXPECT_EQ(split("a\0b"s, '\0'), (Views{"a", "b"}));
}

TEST(Split, WordsHaveNoEmptyOnes) {
    const struct {
        const char *text, *separators;
        Views words;
    } cases[] = {
        {"", " ", {}},
        {"   ", " ", {}},
        {"a", " ", {"a"}},
        {" a  b ", " ", {"a", "b"}},
        {"a, b,,\tc", ", \t", {"a", "b", "c"}},
        {"a b", "", {"a b"}},
    };
    for (const auto& c : cases) EXPECT_EQ(split_words(c.text, c.separators), c.words) << c.text;
    EXPECT_EQ(split_words(" x\r\ny\t"), (Views{"x", "y"}));
}

TEST(Split, OnceAtTheFirst) {
    EXPECT_FALSE(split_once("", '='));
    EXPECT_EQ(*split_once("=", '='), std::pair(std::string_view(""), std::string_view("")));
    EXPECT_EQ(*split_once("a=b=c", '='), std::pair(std::string_view("a"), std::string_view("b=c")));
}

TEST(Cat, JoinsAnyBytes) {
    EXPECT_EQ(cat({}), "");
    EXPECT_EQ(cat({"a", "", "\0b"s, std::string_view("cd", 1)}), "a\0bc"s);
}

template <class T>
void expect_edges(const char* least, const char* most, const char* below, const char* above) {
    EXPECT_EQ(parse_number<T>(least), std::numeric_limits<T>::min());
    EXPECT_EQ(parse_number<T>(most), std::numeric_limits<T>::max());
    EXPECT_FALSE(parse_number<T>(below)) << below;
    EXPECT_FALSE(parse_number<T>(above)) << above;
}

TEST(ParseNumber, HasTheEdgesOfItsType) {
    expect_edges<std::uint8_t>("0", "255", "-1", "256");
    expect_edges<std::int16_t>("-32768", "32767", "-32769", "32768");
    expect_edges<std::uint16_t>("0", "65535", "-0x", "65536");
    expect_edges<std::int32_t>("-2147483648", "2147483647", "-2147483649", "2147483648");
    expect_edges<std::uint64_t>("0", "18446744073709551615", "-1", "18446744073709551616");
    expect_edges<std::int64_t>("-9223372036854775808", "9223372036854775807",
                               "-9223372036854775809", "9223372036854775808");
}

TEST(ParseNumber, IsTheWholeTextOrNothing) {
    for (const char* bad :
         {"", " ", "1 ", " 1", "+1", "1.0", "0x10", "1e3", "--1", "-", "one", "1\n"})
        EXPECT_FALSE(parse_number<int>(bad)) << bad;
    EXPECT_FALSE(parse_number<int>("1\0"s)) << "not even a NUL behind it";
    EXPECT_EQ(parse_number<int>("007"), 7);
    EXPECT_EQ(parse_number<int>("ff", 16), 255);
    EXPECT_FALSE(parse_number<int>("8", 8));
}

TEST(Printable, LeavesNothingThatATerminalOrALogObeys) {
    const struct {
        const char* name;
        std::string text, shown;
    } cases[] = {
        {"plain", "a <b> \"c\"", "a <b> \"c\""},
        {"controls", "a\r\n\t\x1b[2J\x7f"s, "a????[2J?"},
        {"NUL", "a\0b"s, "a?b"},
        {"two bytes", "\xc3\xa4", "\xc3\xa4"},
        {"three bytes", "\xe2\x82\xac", "\xe2\x82\xac"},
        {"four bytes", "\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7"},
        {"least of each size", "\xc2\xa0\xe0\xa0\x80\xf0\x90\x80\x80",
         "\xc2\xa0\xe0\xa0\x80\xf0\x90\x80\x80"},
        {"last character", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"behind the last", "\xf4\x90\x80\x80", "????"},
        {"C1: CSI",
         "\xc2\x9b"
         "2J",
         "??2J"},
        {"last of C1", "\xc2\x9f", "??"},
        {"surrogate", "\xed\xa0\x80", "???"},
        {"before the surrogates", "\xed\x9f\xbf", "\xed\x9f\xbf"},
        {"overlong slash", "\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf", "?????????"},
        {"tail alone", "\x80x\xbf", "?x?"},
        {"cut short", "x\xe2\x82", "x??"},
        {"broken off by ASCII", "\xe2\x82x", "??x"},
        {"never legal", "\xfe\xff\xf5", "???"},
    };
    for (const auto& c : cases) EXPECT_EQ(printable(c.text), c.shown) << c.name;
}

TEST(Printable, HasALimitAndMayBeAscii) {
    EXPECT_EQ(printable("abc", 3), "abc");
    EXPECT_EQ(printable("abcd", 3), "abc");
    EXPECT_EQ(printable("abc", 0), "");
    EXPECT_EQ(printable("ab\xe2\x82\xac", 4), "ab??") << "a character cut in two is no character";
    EXPECT_EQ(printable("\xe2\x82\xac"
                        "x\r",
                        10, false),
              "???x?");
}

// Whatever goes in, what comes out is valid UTF-8 without controls, and showing it again changes
// nothing.
TEST(Printable, IsStable) {
    for (unsigned a = 0; a < 256; ++a) {
        for (unsigned b = 0; b < 256; ++b) {
            for (const char* tail : {"", "\x80", "\x80\x80", "x"}) {
                const std::string text =
                    std::string{static_cast<char>(a), static_cast<char>(b)} + tail;
                const std::string once = printable(text);
                ASSERT_EQ(once.size(), text.size());
                ASSERT_EQ(printable(once), once) << a << " " << b;
                for (std::size_t i = 0; i + 1 < once.size(); ++i) {
                    const bool c1 =
                        once[i] == '\xc2' && static_cast<unsigned char>(once[i + 1]) < 0xa0;
                    ASSERT_FALSE(c1 || is_control(once[i])) << a << " " << b;
                }
            }
        }
    }
}

}  // namespace
}  // namespace postern
