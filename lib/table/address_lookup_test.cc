#include "lib/table/address_lookup.h"

namespace postern::table {
namespace {

// "key" for a whole key, "(key)" for a part, "…/+ext" with an unmatched extension.
std::string shown(const std::vector<AddressKey>& keys) {
    std::string out;
    for (const auto& key : keys) {
        if (!out.empty()) out += ' ';
        out += key.kind == KeyKind::whole ? key.key : "(" + key.key + ")";
        if (!key.unmatched_extension.empty()) out += "/" + key.unmatched_extension;
    }
    return out;
}

TEST(AddressLookup, SplitsAddresses) {
    EXPECT_EQ(split_address("a@b").local, "a");
    EXPECT_EQ(split_address("\"a@b\"@c").domain, "c");
    EXPECT_EQ(split_address("a").domain, "");
}

TEST(AddressLookup, CompletesAddresses) {
    Completion how{"origin.test", "domain.test"};
    EXPECT_EQ(complete_address("u", how), "u@origin.test");
    EXPECT_EQ(complete_address("u@", how), "u@");
    how.null_domain = "host.test";
    EXPECT_EQ(complete_address("u@", how), "u@host.test");
    EXPECT_EQ(complete_address("", how), "");
    EXPECT_EQ(complete_address("u@x.test.", how), "u@x.test");
    EXPECT_EQ(complete_address("u@host", how), "u@host");
    how.dot_mydomain = true;
    EXPECT_EQ(complete_address("u@host", how), "u@host.domain.test");
    EXPECT_EQ(complete_address("u@[::1]", how), "u@[::1]");
    how.at_myorigin = false;
    EXPECT_EQ(complete_address("u", how), "u");
}

TEST(AddressLookup, SplitsExtensions) {
    struct Case {
        std::string_view local, delimiters, user, extension;
    };
    for (const auto& c : std::vector<Case>{
             {"u+a", "+", "u", "+a"},
             {"u-a+b", "+-", "u", "-a+b"},
             {"u+", "+", "u", "+"},
             {"+u", "+", "", ""},
             {"u", "+", "", ""},
             {"u+a", "", "", ""},
             {"MAILER-DAEMON", "-", "", ""},
             {"double-bounce", "-", "", ""},
             {"owner-list", "-", "", ""},
             {"list-request", "-", "", ""},
             {"owner+list", "+", "owner", "+list"},
         }) {
        const auto split = split_extension(c.local, c.delimiters);
        EXPECT_EQ(split ? split->user : "", c.user) << c.local;
        EXPECT_EQ(split ? split->extension : "", c.extension) << c.local;
    }
}

TEST(AddressLookup, OrdersKeysAsPostfixDoes) {
    EXPECT_EQ(shown(rewrite_keys("u+x@d.test", "+", false)),
              "u+x@d.test (u@d.test)/+x (@d.test)/+x");
    EXPECT_EQ(shown(rewrite_keys("u+x@d.test", "+", true)),
              "u+x@d.test (u@d.test)/+x (u+x) (u)/+x (@d.test)/+x");
    EXPECT_EQ(shown(rewrite_keys("u@d.test", "+", false)), "u@d.test (@d.test)");
    EXPECT_EQ(shown(rewrite_keys("u", "+", true)), "u");
    EXPECT_EQ(shown(mailbox_keys("u@d.test", "")), "u@d.test (@d.test)");
    EXPECT_EQ(shown(transport_keys("u+x@a.b.test", "+", false)),
              "u+x@a.b.test (u@a.b.test)/+x (a.b.test) (.b.test) (.test) (*)");
    EXPECT_EQ(shown(transport_keys("u@b.test", "", true)), "u@b.test (b.test) (test) (*)");
    EXPECT_EQ(shown(access_keys("u+x@b.test", "+", true)),
              "u+x@b.test (u@b.test)/+x (b.test) (test) (u+x@) (u@)/+x");
    EXPECT_EQ(shown(domain_keys("a.b.c", true)), "a.b.c (b.c) (c)");
    EXPECT_EQ(shown(client_address_keys("192.0.2.1")), "192.0.2.1 (192.0.2) (192.0) (192)");
    EXPECT_EQ(shown(client_address_keys("2001:db8::1")), "2001:db8::1 (2001:db8) (2001)");
}

TEST(AddressLookup, FindsTheFirst) {
    auto maps = Maps::open("inline:{@d.test=all, u@d.test=one}");
    auto found = find_first(maps, rewrite_keys("U+x@D.test", "+", false));
    ASSERT_TRUE(found.found());
    EXPECT_EQ(found->value, "one");
    EXPECT_EQ(found->key, "U@D.test");
    EXPECT_EQ(found->unmatched_extension, "+x");
    EXPECT_EQ(find_first(maps, rewrite_keys("v@d.test", "+", false))->value, "all");
    EXPECT_TRUE(find_first(maps, rewrite_keys("v@e.test", "+", false)).not_found());
    auto failing = Maps::open("fail:x");
    EXPECT_TRUE(find_first(failing, rewrite_keys("v@e.test", "+", false)).failed());
}

}  // namespace
}  // namespace postern::table
