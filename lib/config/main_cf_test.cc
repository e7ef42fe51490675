#include "lib/config/main_cf.h"

namespace postern::config {
namespace {

TEST(MainCf, Entries) {
    auto entries = parse_main_cf(
        "# comment\n"
        "\n"
        "a = 1\n"
        "  # comment within\n"
        "\n"
        "  2\n"
        "b=x = y  \r\n"
        "c =\n"
        "   # only a comment\n"
        "d = a, # not a comment\n",
        "main.cf");
    ASSERT_TRUE(entries.has_value());
    ASSERT_EQ(entries->size(), 4u);
    EXPECT_EQ((*entries)[0].name, "a");
    EXPECT_EQ((*entries)[0].value, "1  2");
    EXPECT_EQ((*entries)[0].line, 3);
    EXPECT_EQ((*entries)[1].value, "x = y");
    EXPECT_EQ((*entries)[2].value, "");
    EXPECT_EQ((*entries)[3].value, "a, # not a comment");
    EXPECT_EQ((*entries)[3].line, 10);
}

TEST(MainCf, Errors) {
    struct Case {
        std::string text;
        const char* message;
    };
    const Case cases[] = {
        {"a = 1\nno sign\n",
         "f, line 2: missing '=' after parameter name: \"no sign\": expected name = value"},
        {"= 1\n", "f, line 1: missing parameter name before '='"},
        {"two words = 1\n", "f, line 1: bad parameter name \"two words\""},
        {" a = 1\n",
         "f, line 1: begins with white space, but there is no line before it that it could "
         "continue"},
        {std::string("a = \0\n", 6), "f, line 1: contains a zero byte"},
    };
    for (const Case& c : cases) {
        auto entries = parse_main_cf(c.text, "f");
        ASSERT_FALSE(entries.has_value()) << c.text;
        EXPECT_EQ(entries.error().what, c.message);
    }
}

TEST(MainCf, Edit) {
    using Kind = MainEdit::Kind;
    struct Case {
        const char* text;
        std::vector<MainEdit> edits;
        const char* expected;
    };
    const Case cases[] = {
        {"a = 1\nb = 2\n", {{Kind::set, "a", "x"}}, "a = x\nb = 2\n"},
        {"# hi\na = 1,\n  # note\n  2\nb = 2\n",
         {{Kind::set, "a", "x"}},
         "# hi\na = x\n  # note\nb = 2\n"},
        {"a = 1\n\n# about b\nb = 2\n", {{Kind::set, "b", "3"}}, "a = 1\n\n# about b\nb = 3\n"},
        {"a = 1", {{Kind::set, "b", "2"}}, "a = 1\nb = 2\n"},
        {"", {{Kind::set, "b", ""}}, "b = \n"},
        {"a = 1\na = 2\n", {{Kind::set, "a", "3"}}, "a = 3\n"},
        {"a = 1\n 2\nb = 2\n", {{Kind::comment_out, "a", ""}}, "#a = 1\n# 2\nb = 2\n"},
        {"a = 1\n 2\nb = 2\n", {{Kind::remove, "a", ""}}, "b = 2\n"},
        {"#a = 1\n", {{Kind::set, "a", "2"}}, "#a = 1\na = 2\n"},
    };
    for (const Case& c : cases) EXPECT_EQ(edit_main_cf(c.text, c.edits), c.expected) << c.text;
}

}  // namespace
}  // namespace postern::config
