#include "lib/table/address_options.h"

namespace postern::table {
namespace {

TEST(AddressOptions, ComeFromMainCf) {
    auto config = config::Config::parse(
        "myhostname = mail.here.test\nmydestination = $myhostname\nrelay_domains = relay.test\n"
        "virtual_alias_maps = inline:{a@va.test=b}\ninet_interfaces = loopback-only\n"
        "proxy_interfaces = 192.0.2.5\nmyorigin = here.test\nappend_dot_mydomain = yes\n");
    ASSERT_TRUE(config) << config.error().what;
    const auto lists = class_lists(*config);
    EXPECT_EQ(lists.mydestination, "mail.here.test");
    EXPECT_EQ(lists.virtual_alias_domains, "inline:{a@va.test=b}");
    EXPECT_EQ(lists.relay_domains, "relay.test");
    EXPECT_EQ(lists.relay_parents, Parents::plain);
    ASSERT_EQ(lists.local_addresses.size(), 3u);
    EXPECT_EQ(lists.local_addresses[2].str(), "192.0.2.5");
    EXPECT_EQ(complete_address("u", completion(*config)), "u@here.test");
    EXPECT_EQ(complete_address("u@h", completion(*config)), "u@h.here.test");
    EXPECT_EQ(parents_of(*config, "transport_maps"), Parents::dotted);
}

}  // namespace
}  // namespace postern::table
