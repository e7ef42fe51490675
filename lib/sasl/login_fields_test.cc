#include "lib/sasl/login_fields.h"

#include "lib/base/strings.h"

namespace postern::sasl {
namespace {

TEST(LoginNetworks, AsDovecotReadsThem) {
    const struct {
        std::string_view extra, address;
        bool allowed;
    } cases[] = {
        {"", "192.0.2.1", true},
        {"nologin=y", "192.0.2.1", true},
        {"allow_nets=10.0.0.0/8", "10.200.0.1", true},
        {"allow_nets=10.0.0.0/8", "11.0.0.1", false},
        {"allow_nets=10.1.2.3/8", "10.200.0.1", true},
        {"allow_nets=192.0.2.1,198.51.100.0/25", "198.51.100.127", true},
        {"allow_nets=192.0.2.1,198.51.100.0/25", "198.51.100.128", false},
        {"allow_nets=192.0.2.1", "::ffff:192.0.2.1", true},
        {"allow_nets=::ffff:192.0.2.1", "192.0.2.1", true},
        {"allow_nets=0.0.0.0/0", "2001:db8::1", false},
        {"allow_nets=2001:db8::/32,::1", "2001:db8:ffff::1", true},
        {"allow_nets=2001:db8::/32,::1", "2001:db9::1", false},
        {"allow_nets=2001:db8::/32", "32.1.13.184", false},
        {"allow_nets=local", "127.0.0.1", false},
        {"allow_nets=local", "", true},
        {"allow_nets=127.0.0.0/8", "", false},
        {"allow_nets=0.0.0.0/0", "unknown", false},
        {"x=1 allow_nets=10.0.0.0/8 y=2", "11.0.0.1", false},
        {"allow_nets=10.0.0.0/8 allow_nets=10.1.0.0/16", "10.1.0.1", true},
        {"allow_nets=10.0.0.0/8 allow_nets=10.1.0.0/16", "10.2.0.1", false},
    };
    for (const auto& c : cases) {
        const auto networks = LoginNetworks::of(c.extra);
        ASSERT_TRUE(networks) << c.extra;
        EXPECT_EQ(networks->allow(c.address), c.allowed) << c.extra << " and " << c.address;
    }
}

TEST(LoginNetworks, WhatIsNoNetwork) {
    for (const char* wrong : {"", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8",
                              "::/129", "/8", "LOCAL", "mail.example.test"}) {
        const auto networks = LoginNetworks::of(cat({"allow_nets=192.0.2.1,", wrong}));
        ASSERT_FALSE(networks) << wrong;
        EXPECT_EQ(networks.error().what,
                  cat({"allow_nets=192.0.2.1,", wrong, ": \"", wrong, "\" is no network"}));
    }
    EXPECT_FALSE(LoginNetworks::of("allow_nets"));
    EXPECT_FALSE(LoginNetworks::of("allow_nets="));
}

TEST(LoginFields, ThoseThatCannotBeIgnored) {
    for (const char* field : {"proxy=y", "proxy_maybe", "user=other", "username=x", "domain=d",
                              "allow_real_nets=10.0.0.0/8", "noauthenticate"})
        EXPECT_EQ(check_login_fields(cat({"nologin ", field})).error().what,
                  cat({"the extra field ", field, " is not supported"}));
    for (const char* field : {"", "allow_nets=::1", "userdb_user=x", "proxyish", "nologin"})
        EXPECT_TRUE(check_login_fields(field)) << field;
}

TEST(LoginFields, ThoseThatHaveNoEffect) {
    const auto names = fields_without_effect(
        "userdb_mail=maildir:~/M userdb_nice=5 proxy=y nodelay allow_nets=::1 reason=a=b");
    EXPECT_EQ(names, (std::vector<std::string_view>{"userdb_nice", "nodelay", "reason"}));
    EXPECT_TRUE(fields_without_effect("").empty());
}

}  // namespace
}  // namespace postern::sasl
