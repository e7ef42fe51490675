#include "lib/sys/port.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace postern::sys {
namespace {

TEST(Port, numbers_and_services_of_mail) {
    const std::pair<const char*, int> cases[] = {
        {"1", 1},       {"25", 25},     {"65535", 65535},     {"smtp", 25},       {"SMTP", 25},
        {"lmtp", 24},   {"smtps", 465}, {"submissions", 465}, {"imap", 143},      {"imap2", 143},
        {"imaps", 993}, {"pop3", 110},  {"pop3s", 995},       {"submission", 587}};
    for (const auto& [text, port] : cases) {
        const auto found = parse_port(text);
        ASSERT_TRUE(found) << text;
        EXPECT_EQ(*found, port) << text;
    }
}

TEST(Port, known_names_come_first) {
    set_known_ports({{"smtp", 2525}, {"b", 77}});
    EXPECT_EQ(parse_port("smtp").value(), 2525);
    EXPECT_EQ(parse_port("B").value(), 77);
    set_known_ports({});
    EXPECT_EQ(parse_port("smtp").value(), 25);
    const auto two = parse_known_port("smtps=submissions=465");
    ASSERT_TRUE(two);
    EXPECT_EQ(*two, (std::vector<NamedPort>{{"smtps", 465}, {"submissions", 465}}));
    for (const char* bad : {"", "x", "=1", "x=", "x=0", "x=65536", "25=26", "x==1", "x=y", "25"})
        EXPECT_FALSE(parse_known_port(bad).has_value()) << bad;
}

TEST(Port, what_is_none) {
    for (const char* text :
         {"", "0", "65536", "-1", "+25", "25 ", " 25", "2 5", "nosuchservice", "smtp\n"}) {
        const auto found = parse_port(text);
        ASSERT_FALSE(found) << text;
        EXPECT_EQ(found.error().code, Errc::invalid);
        EXPECT_NE(found.error().what.find("neither a port number nor a service"),
                  std::string::npos);
    }
}

TEST(Port, etc_services) {
    std::ifstream services("/etc/services");
    std::string text((std::istreambuf_iterator<char>(services)), {});
    if (text.find("\nhttps") == std::string::npos) GTEST_SKIP() << "no /etc/services here";
    EXPECT_EQ(parse_port("https").value(), 443);
}

}  // namespace
}  // namespace postern::sys
