#include "lib/base/ip_address.h"

namespace postern {
namespace {

TEST(IpAddress, ParsesAndPrints) {
    struct Case {
        const char* text;
        const char* printed;  // null: must not parse
    };
    const Case cases[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
        {"", nullptr},
        {"1.2.3", nullptr},
        {"1.2.3.256", nullptr},
        {"01.2.3.4", nullptr},
        {"[::1]", nullptr},
        {"fe80::1%lo", nullptr},
        {"1:2:3:4:5:6:7:8:9", nullptr},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", nullptr},
    };
    for (const auto& c : cases) {
        auto address = IpAddress::parse(c.text);
        EXPECT_EQ(address.has_value(), c.printed != nullptr) << c.text;
        if (address && c.printed) {
            EXPECT_EQ(address->str(), c.printed);
        }
    }
    EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST(IpAddress, KnowsItsKind) {
    EXPECT_TRUE(IpAddress::parse("127.9.9.9")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
    EXPECT_FALSE(IpAddress::parse("::2")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("::")->is_any());
    EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.1")->unmapped().str(), "10.0.0.1");
    EXPECT_EQ(IpAddress::parse("::1")->unmapped().str(), "::1");
    EXPECT_FALSE(IpAddress::from_bytes("abc"));
    EXPECT_EQ(IpAddress::from_bytes("\x01\x02\x03\x04")->str(), "1.2.3.4");
}

TEST(IpNetwork, Contains) {
    struct Case {
        const char* network;
        const char* address;
        bool inside;
    };
    const Case cases[] = {
        {"127.0.0.0/8", "127.1.2.3", true},
        {"127.0.0.0/8", "128.0.0.0", false},
        {"10.0.0.128/25", "10.0.0.200", true},
        {"10.0.0.128/25", "10.0.0.100", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"0.0.0.0/0", "9.9.9.9", true},
        {"0.0.0.0/0", "::1", false},
        {"[::1]/128", "::1", true},
        {"[2001:db8::]/33", "2001:db8:8000::", false},
        {"2001:db8::/32", "2001:db8:1::", true},
    };
    for (const auto& c : cases) {
        auto network = IpNetwork::parse(c.network);
        ASSERT_TRUE(network) << c.network;
        EXPECT_EQ(network->contains(*IpAddress::parse(c.address)), c.inside)
            << c.network << " " << c.address;
    }
    EXPECT_EQ(IpNetwork::parse("10.0.0.0/8")->str(), "10.0.0.0/8");
}

TEST(IpNetwork, RefusesNonsense) {
    for (const char* text : {"", "/8", "1.2.3.4/33", "1.2.3.4/24", "1.2.3.0/-1", "1.2.3.0/ 8",
                             "::1/0", "[::1/128", "a/8"}) {
        EXPECT_FALSE(IpNetwork::parse(text)) << text;
    }
}

}  // namespace
}  // namespace postern
