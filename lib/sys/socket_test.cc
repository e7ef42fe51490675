#include "lib/sys/socket.h"

#include <poll.h>
#include <unistd.h>

namespace postern::sys {
namespace {

TEST(SocketAddress, ParsesAndPrints) {
    struct Case {
        const char* text;
        bool good;
    };
    const Case cases[] = {
        {"192.0.2.1:25", true},     {"[2001:db8::1]:587", true},
        {"unix:private/x", true},   {"0.0.0.0:0", true},
        {"2001:db8::1:25", false},  {"192.0.2.1", false},
        {"192.0.2.1:65536", false}, {"host:25", false},
        {"unix:", false},           {"", false},
    };
    for (const auto& c : cases) {
        const auto address = SocketAddress::parse(c.text);
        ASSERT_EQ(address.has_value(), c.good) << c.text;
        if (address) {
            EXPECT_EQ(address->str(), c.text);
        }
    }
    EXPECT_FALSE(SocketAddress::unix_path(std::string(200, 'x')));
    EXPECT_EQ(SocketAddress().str(), "unknown");
    const auto mapped = SocketAddress::inet(*IpAddress::parse("::ffff:192.0.2.7"), 25);
    EXPECT_EQ(mapped.ip().str(), "192.0.2.7") << "IPv4 in IPv6 is shown as IPv4";
}

void wait_for(int fd, short events) {
    pollfd poll{fd, events, 0};
    ASSERT_EQ(::poll(&poll, 1, 5000), 1);
}

TEST(Socket, ConnectsAndAccepts) {
    for (const char* text : {"127.0.0.1:0", "unix:/tmp/postern-socket-test"}) {
        auto at = *SocketAddress::parse(text);
        if (at.is_unix())
            at = SocketAddress::unix_path(at.path() + std::to_string(::getpid())).value();
        Fd listener = listen_on(at).value();
        at = local_address(listener.get());
        EXPECT_FALSE(accept_from(listener.get()).value()) << "nobody there";
        Fd client = start_connect(at).value();
        wait_for(client.get(), POLLOUT);
        EXPECT_TRUE(connect_outcome(client.get(), at));
        wait_for(listener.get(), POLLIN);
        auto accepted = accept_from(listener.get()).value();
        ASSERT_TRUE(accepted);
        if (at.is_inet()) {
            EXPECT_EQ(accepted->peer.str(), local_address(client.get()).str());
            EXPECT_EQ(peer_address(client.get()).str(), at.str());
        } else {
            ::unlink(at.path().c_str());
        }
    }
}

TEST(Socket, RefusedAndBoundErrorsNameTheAddress) {
    const auto any = *SocketAddress::parse("127.0.0.1:0");
    Fd listener = listen_on(any).value();
    const auto at = local_address(listener.get());
    auto again = listen_on(at);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().what, "bind " + at.str() + ": Address already in use");
    listener.reset();
    const auto from = *SocketAddress::parse("127.0.0.2:0");
    auto client = start_connect(at, &from);
    if (client) {
        wait_for(client->get(), POLLOUT);
        const auto outcome = connect_outcome(client->get(), at);
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().what, "connect to " + at.str() + ": Connection refused");
    }
}

}  // namespace
}  // namespace postern::sys
