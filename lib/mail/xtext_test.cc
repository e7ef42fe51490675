#include "lib/mail/xtext.h"

namespace postern::mail {
namespace {

TEST(Xtext, ThereAndBack) {
    const struct {
        std::string plain, coded;
    } cases[] = {
        {"", ""},
        {"QQ314159", "QQ314159"},
        {"a+b=c@d.test", "a+2Bb+3Dc@d.test"},
        {"with space", "with+20space"},
        {"tab\tand\x7f", "tab+09and+7F"},
        {"\xc3\xbc@d.test", "+C3+BC@d.test"},
        {std::string("\0", 1), "+00"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(xtext_encode(c.plain), c.coded);
        EXPECT_EQ(xtext_decode(c.coded), c.plain) << c.coded;
    }
}

TEST(Xtext, WhatIsNone) {
    for (const std::string text :
         {"+", "a+", "+4", "a+2", "+2b", "+GG", "a=b", "a b", "\x7f", "\xc3", "a\r\nb"}) {
        EXPECT_EQ(xtext_decode(text), std::nullopt) << text;
        EXPECT_FALSE(is_printable_xtext(text)) << text;
    }
}

TEST(Xtext, Printable) {
    EXPECT_TRUE(is_printable_xtext("a+20b+2B"));
    for (const std::string text : {"a+0A", "+00", "+7F", "+C3+BC"})
        EXPECT_FALSE(is_printable_xtext(text)) << text;
}

TEST(Xtext, Orcpt) {
    EXPECT_EQ(orcpt_for_people("rfc822;a+2Bb@c.test"), "rfc822;a+b@c.test");
    EXPECT_EQ(orcpt_for_people("rfc822;broken+2"), "rfc822;broken+2");
    EXPECT_EQ(orcpt_for_people("nothing"), "nothing");
    EXPECT_EQ(orcpt_of("a+b@c.test"), "rfc822;a+2Bb@c.test");
}

// RFC 6533 3.
TEST(Utf8Xtext, ThereAndBack) {
    const struct {
        const char *plain, *coded;
    } cases[] = {
        {"a@b.test", "a@b.test"},
        {"\xc3\xbc@c.test", "\\x{FC}@c.test"},
        {"a+b=c\\d e", "a\\x{2B}b\\x{3D}c\\x{5C}d\\x{20}e"},
        {"\xe2\x82\xac", "\\x{20AC}"},
        {"\xf0\x9f\x93\xa7\xf4\x8f\xbf\xbf", "\\x{1F4E7}\\x{10FFFF}"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(utf8_xtext_encode(c.plain), c.coded);
        EXPECT_EQ(utf8_xtext_decode(c.coded), c.plain) << c.coded;
    }
    EXPECT_EQ(utf8_xtext_decode("\xc3\xbc\\x{fc}\\x{0000FC}@c.test"),
              "\xc3\xbc\xc3\xbc\xc3\xbc@c.test");  // unitext
    EXPECT_EQ(utf8_xtext_decode("a+b=c"), "a+b=c");
}

TEST(Utf8Xtext, WhatIsNone) {
    for (const std::string text :
         {"\\x{110000}", "\\x{D800}", "\\x{}", "\\x{FC", "\\x{00000FC}", "\\xFC", "\\", "\\x{0A}",
          "\\x{7F}", "\\x{85}", "a b", "\xfc", "a\r\nb", "\\x{-1}", "\\x{ FC}"})
        EXPECT_EQ(utf8_xtext_decode(text), std::nullopt) << text;
}

TEST(Utf8Xtext, Orcpt) {
    EXPECT_EQ(orcpt_for_people("utf-8;\\x{FC}@c.test"), "utf-8;\xc3\xbc@c.test");
    EXPECT_EQ(orcpt_for_people("rfc822;+C3+BC@c.test"), "rfc822;\xc3\xbc@c.test");
    EXPECT_EQ(orcpt_for_people("utf-8;\\x{1}"), "utf-8;\\x{1}");
    EXPECT_EQ(orcpt_for_wire("utf-8;\xc3\xbc+@c.test"), "utf-8;\\x{FC}\\x{2B}@c.test");
    EXPECT_EQ(orcpt_for_wire("utf-8;\\x{fc}@c.test"), "utf-8;\\x{fc}@c.test");
    EXPECT_EQ(orcpt_for_wire("rfc822;a+2Bb@c.test"), "rfc822;a+2Bb@c.test");
    EXPECT_EQ(orcpt_for_wire("rfc822;a b"), "");
    EXPECT_EQ(orcpt_of("\xc3\xbc@c.test"), "utf-8;\\x{FC}@c.test");
    EXPECT_EQ(orcpt_of("\xfc@c.test"), "rfc822;+FC@c.test");
    for (const char* none : {"", ";", "a;", ";a", "a b;c", "rfc822;+FC", "rfc822;+0A"})
        EXPECT_FALSE(parse_orcpt(none)) << none;
}

}  // namespace
}  // namespace postern::mail
