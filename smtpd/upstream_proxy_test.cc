// Whom a load balancer speaks for, over a socket pair and through a whole session.
#include "smtpd/upstream_proxy.h"

#include <sys/socket.h>

#include "lib/log/log.h"
#include "smtpd/smtpd_fixture.h"

namespace postern::smtpd {
namespace {

struct ProxyTest : testing::Test {
    ProxyTest() {
        log::open_capture();
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        balancer = Fd(ends[0]);
        proxy = std::make_unique<UpstreamProxy>(
            loop, Fd(ends[1]), limit, [this](Fd socket, std::optional<smtp::ProxyLine> line) {
                ++calls;
                client = std::move(socket);
                names = line;
            });
    }
    void send(std::string_view bytes) {
        ASSERT_EQ(::send(balancer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
        loop.run_for(Millis(5));
    }
    std::string rest() {
        char bytes[100];
        const ssize_t got = ::recv(client.get(), bytes, sizeof bytes, MSG_DONTWAIT);
        return {bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    }
    loop::Loop loop;
    Millis limit{60'000};
    Fd balancer, client;
    std::unique_ptr<UpstreamProxy> proxy;
    std::optional<smtp::ProxyLine> names;
    int calls = 0;
};

TEST_F(ProxyTest, TakesTheHeaderAndNoMore) {
    send("PROXY TCP4 192.0.2.1 198.51");
    EXPECT_EQ(calls, 0);
    send(".100.2 1234 25\r\nEHLO x\r\n");
    ASSERT_EQ(calls, 1);
    ASSERT_TRUE(client && names);
    EXPECT_EQ(names->client.str(), "192.0.2.1");
    EXPECT_EQ(names->server_port, 25);
    EXPECT_EQ(rest(), "EHLO x\r\n");
}

TEST_F(ProxyTest, ABalancerMaySpeakForItself) {
    send("PROXY UNKNOWN\r\n");
    EXPECT_EQ(calls, 1);
    EXPECT_TRUE(client);
    EXPECT_FALSE(names);
}

TEST_F(ProxyTest, AnythingElseEndsTheConnection) {
    send("EHLO x\r\n");
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(client);
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("haproxy: no PROXY header"));
}

TEST_F(ProxyTest, ItGoesAway) {
    balancer = Fd();
    loop.run_for(Millis(5));
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(client);
}

TEST(UpstreamProxy, Silence) {
    log::open_capture();
    loop::Loop loop;
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const Fd balancer(ends[0]);
    int calls = 0;
    const UpstreamProxy proxy(loop, Fd(ends[1]), Millis(10),
                              [&](const Fd& client, const std::optional<smtp::ProxyLine>&) {
                                  ++calls;
                                  EXPECT_FALSE(client);
                                  loop.stop();
                              });
    loop.run_for(Millis(5000));
    EXPECT_EQ(calls, 1);
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("smtpd_upstream_proxy_timeout"));
}

}  // namespace
}  // namespace postern::smtpd
