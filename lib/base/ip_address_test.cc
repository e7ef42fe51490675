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

TEST(IpAddress, PrintsAsRfc5952Says) {
    const std::pair<const char*, const char*> cases[] = {
        {"2001:0db8:0000:0000:0001:0000:0000:0001",
         "2001:db8::1:0:0:1"},                             // 4.2.3: the first of two
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // 4.2.2: not for one field
        {"2001:DB8::ABCD", "2001:db8::abcd"},              // 4.3
        {"0:0:0:0:0:0:0:0", "::"},
        {"fe80::", "fe80::"},
        {"::ffff:255.255.255.255", "::ffff:255.255.255.255"},
    };
    for (const auto& [text, printed] : cases) {
        const auto address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->str(), printed);
        EXPECT_EQ(IpAddress::parse(address->str()), address) << text;
        EXPECT_EQ(IpAddress::from_bytes(address->bytes()), address) << text;
    }
}

TEST(IpAddress, UnmapsOnlyMappedOnes) {
    const std::pair<const char*, const char*> cases[] = {
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::fffe:192.0.2.1", "::fffe:c000:201"},
        {"192.0.2.1", "192.0.2.1"},
        {"1::ffff:192.0.2.1", "1::ffff:c000:201"},
    };
    for (const auto& [text, unmapped] : cases)
        EXPECT_EQ(IpAddress::parse(text)->unmapped().str(), unmapped) << text;
    EXPECT_NE(*IpAddress::parse("::ffff:192.0.2.1"), *IpAddress::parse("192.0.2.1"));
    EXPECT_FALSE(IpAddress::parse("::ffff:127.0.0.1")->is_loopback()) << "unmap before you ask";
    EXPECT_EQ(IpAddress().str(), "0.0.0.0");
    EXPECT_TRUE(IpAddress().is_any());
}

// For each length of prefix: the last address inside, and the neighbours of the first and the last.
TEST(IpNetwork, HasSharpEdgesAtEveryPrefix) {
    for (const char* base : {"255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
        const auto ones = *IpAddress::parse(base);
        for (int prefix = 0; prefix <= ones.bits(); ++prefix) {
            std::string first(ones.bytes());
            for (int bit = prefix; bit < ones.bits(); ++bit) {
                auto& byte = first[static_cast<std::size_t>(bit / 8)];
                byte = static_cast<char>(byte & ~(0x80 >> bit % 8));
            }
            const auto network = IpNetwork::parse(IpAddress::from_bytes(first)->str() + "/" +
                                                  std::to_string(prefix));
            ASSERT_TRUE(network) << prefix;
            EXPECT_TRUE(network->contains(ones)) << prefix;
            EXPECT_TRUE(network->contains(*IpAddress::from_bytes(first))) << prefix;
            EXPECT_EQ(network->prefix(), prefix);
            EXPECT_EQ(IpNetwork::parse(network->str())->str(), network->str());
            if (prefix == 0) continue;
            auto& last = first[static_cast<std::size_t>((prefix - 1) / 8)];
            last = static_cast<char>(last & ~(0x80 >> (prefix - 1) % 8));
            EXPECT_FALSE(network->contains(*IpAddress::from_bytes(first))) << prefix;
        }
        EXPECT_FALSE(IpNetwork::parse(std::string(base) + "/" + std::to_string(ones.bits() + 1)));
    }
}

}  // namespace
}  // namespace postern
