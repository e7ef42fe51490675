// Lists of clients, of which only addresses and networks count.
#include "lib/service/client_networks.h"

#include "lib/log/log.h"

namespace postern::service {
namespace {

TEST(ClientNetworks, WhatIsNoAddressIsWarnedOf) {
    log::open_capture();
    const auto networks =
        networks_of({"127.0.0.0/8", "hash:/etc/clients", "[2001:db8::]/32"}, "some_exceptions");
    EXPECT_EQ(networks.size(), 2U);
    EXPECT_THAT(log::take_captured(),
                testing::HasSubstr("warning some_exceptions: \"hash:/etc/clients\" is no address "
                                   "and no network; it excepts nobody"));
    EXPECT_TRUE(is_in(networks, *IpAddress::parse("127.1.2.3")));
    EXPECT_TRUE(is_in(networks, *IpAddress::parse("::ffff:127.1.2.3"))) << "the same client";
    EXPECT_TRUE(is_in(networks, *IpAddress::parse("2001:db8::1")));
    EXPECT_FALSE(is_in(networks, *IpAddress::parse("192.0.2.1")));
    EXPECT_FALSE(is_in({}, *IpAddress::parse("127.0.0.1")));
}

}  // namespace
}  // namespace postern::service
