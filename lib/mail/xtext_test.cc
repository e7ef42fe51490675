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

}  // namespace
}  // namespace postern::mail
