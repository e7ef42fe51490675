#include "forwarder/next_hop.h"

namespace postern::forwarder {
namespace {

TEST(NextHopTest, Forms) {
    using Kind = NextHop::Kind;
    struct Case {
        std::string text;
        bool good;
        Kind kind = Kind::domain;
        std::string name;
        int port = 0;
    };
    const Case cases[] = {
        {"x.test", true, Kind::domain, "x.test", 0},
        {"x.test:2525", true, Kind::domain, "x.test", 2525},
        {"x.test:submission", true, Kind::domain, "x.test", 587},
        {"[mx.x.test]", true, Kind::host, "mx.x.test", 0},
        {"[mx.x.test]:26", true, Kind::host, "mx.x.test", 26},
        {"[192.0.2.1]:26", true, Kind::host, "192.0.2.1", 26},
        {"[2001:db8::1]", true, Kind::host, "2001:db8::1", 0},
        {"[ipv6:2001:db8::1]:25", true, Kind::host, "2001:db8::1", 25},
        {"192.0.2.1", true, Kind::host, "192.0.2.1", 0},
        {"inet:x.test:24", true, Kind::domain, "x.test", 24},
        {"unix:/run/lmtp", true, Kind::unix_path, "/run/lmtp", 0},
        {"münchen.test:24", true, Kind::domain, "münchen.test", 24},
        {"[münchen.test]", true, Kind::host, "münchen.test", 0},
        {"-ü.test", false},
        {"\xfc.test", false},
        {"unix:", false},
        {"", false},
        {"[x.test", false},
        {"[x.test]25", false},
        {"[]", false},
        {"x.test:0", false},
        {"x.test:99999", false},
        {"x.test:nosuch", false},
        {"x test", false},
    };
    for (const Case& c : cases) {
        auto hop = parse_next_hop(c.text);
        ASSERT_EQ(bool(hop), c.good) << c.text;
        if (!hop) continue;
        EXPECT_EQ(hop->kind, c.kind) << c.text;
        EXPECT_EQ(hop->name, c.name);
        EXPECT_EQ(hop->port, c.port);
        EXPECT_EQ(hop->text, c.text);
    }
}

TEST(NextHopTest, SaysWhyThereIsNoAsciiForm) {
    const auto hop = parse_next_hop("\xfc.test");
    EXPECT_EQ(hop.error().what, "?.test: domain \"?.test\" has no ASCII form: malformed UTF-8");
}

TEST(NextHopTest, WithoutMx) {
    EXPECT_EQ(parse_next_hop("x.test:24", false)->kind, NextHop::Kind::host);
}

TEST(NextHopTest, Lists) {
    auto hops = parse_next_hops("[a.test], b.test:26\tc.test");
    ASSERT_TRUE(hops);
    ASSERT_EQ(hops->size(), 3u);
    EXPECT_EQ((*hops)[1].port, 26);
    EXPECT_FALSE(parse_next_hops(" , "));
    EXPECT_FALSE(parse_next_hops("a.test, [b"));
}

}  // namespace
}  // namespace postern::forwarder
