#include "lib/mailbox/message_name.h"

namespace postern::mailbox {
namespace {

TEST(MessageName, SplitsBaseAndInfo) {
    EXPECT_EQ(MessageName::parse("1.M2.host,S=3:2,FS").base, "1.M2.host,S=3");
    EXPECT_EQ(MessageName::parse("1.M2.host,S=3:2,FS").info, ":2,FS");
    EXPECT_EQ(MessageName::parse("plain").info, "");
}

TEST(MessageName, FlagsBothWays) {
    const struct {
        std::string info;
        Flags flags;
        std::string written;
    } cases[] = {
        {":2,", {0, 0}, ":2,"},
        {"", {0, 0}, ":2,"},
        {":2,S", {kSeen, 0}, ":2,S"},
        {":2,DFRST", {kAllSystemFlags, 0}, ":2,DFRST"},
        {":2,TS", {kSeen | kDeleted, 0}, ":2,ST"},
        {":2,PS", {kSeen, 1}, ":2,PS"},
        {":2,Sab", {kSeen, 0}, ":2,Sab"},  // another program's keywords stay
        {":1,S", {0, 0}, ":2,"},           // experimental info is not flags
    };
    for (const auto& c : cases) {
        EXPECT_EQ(flags_of_info(c.info), c.flags) << c.info;
        EXPECT_EQ(info_of_flags(c.flags, c.info), c.written) << c.info;
    }
    EXPECT_EQ(info_of_flags({0, 2}, ""), ":2,")
        << "keywords other than $Forwarded are not in names";
}

TEST(MessageName, SizesInNames) {
    EXPECT_EQ(size_in_name("1.h,S=12,W=15", 'S'), 12U);
    EXPECT_EQ(size_in_name("1.h,S=12,W=15", 'W'), 15U);
    EXPECT_FALSE(size_in_name("1.h,S=12", 'W'));
    EXPECT_FALSE(size_in_name("1.h,S=x", 'S'));
}

TEST(MessageName, WhatCanBeAMessage) {
    EXPECT_TRUE(is_message_name("1.M2.host"));
    EXPECT_FALSE(is_message_name(".hidden"));
    EXPECT_FALSE(is_message_name("two\nlines"));
    EXPECT_FALSE(is_message_name(std::string(300, 'a')));
}

TEST(Flags, Names) {
    EXPECT_EQ(system_flag("\\SEEN"), kSeen);
    EXPECT_FALSE(system_flag("\\Recent"));
    EXPECT_EQ(system_flag_name(kDraft), "\\Draft");
    EXPECT_TRUE(is_keyword("$Forwarded"));
    EXPECT_FALSE(is_keyword("\\Seen"));
    EXPECT_FALSE(is_keyword("a b"));
    EXPECT_FALSE(is_keyword(""));
    EXPECT_FALSE(is_keyword("a\nb"));
}

}  // namespace
}  // namespace postern::mailbox
