#include "lib/config/character_set.h"

#include "lib/config/config.h"

namespace postern::config {
namespace {

TEST(CharacterSet, Lists) {
    const auto set = CharacterSet::parse("\\a\\b\\f\\n\\r\\t\\v\\\\\\0\\12\\377q");
    ASSERT_TRUE(set);
    for (const char c : {'\a', '\b', '\f', '\t', '\v', '\\', '\0', '\n', '\377', 'q'})
        EXPECT_TRUE(set->has(c)) << int{c};
    EXPECT_FALSE(set->has('1'));
    EXPECT_FALSE(set->empty());
    EXPECT_TRUE(CharacterSet::parse("")->empty());
    for (const char* bad : {"\\", "\\q", "ab\\x41", "\\400", "\\9"})
        EXPECT_FALSE(CharacterSet::parse(bad)) << bad;
}

TEST(CharacterSet, Filters) {
    const auto set = CharacterSet::parse(Config::parse("")->get(param::smtpd_expansion_filter));
    ASSERT_TRUE(set) << set.error().what;
    EXPECT_EQ(set->filtered("a b\t<c@d>{x}\\~"), "a b\t<c@d>{x}\\~");
    EXPECT_EQ(set->filtered("a\r\nb\x7f\xc3\xbc"), "a__b___");
    EXPECT_EQ(CharacterSet::all().filtered("a\r\xff"), "a\r\xff");
}

}  // namespace
}  // namespace postern::config
