// Blocking streams: the other side is the raw end of a socket pair or a forked child with TLS.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/net/stream.h"
#include "lib/tls/certificate.h"
#include "lib/tls/context.h"

namespace postern::net {
namespace {

Deadline soon() { return Deadline::in(Millis(5000)); }

std::pair<Stream, Fd> connected() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return {Stream(Fd(ends[0])), Fd(ends[1])};
}

void send_raw(const Fd& fd, std::string_view bytes) {
    ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
}

TEST(NetStream, ReadsLinesAndBytes) {
    auto [stream, peer] = connected();
    send_raw(peer, "one\r\ntwo\n12345rest");
    EXPECT_EQ(stream.read_line(100, soon()).value(), "one");
    EXPECT_TRUE(stream.has_input());
    EXPECT_EQ(stream.read_line(100, soon()).value(), "two");
    EXPECT_EQ(stream.read_bytes(5, soon()).value(), "12345");
    EXPECT_EQ(stream.read_some(soon()).value(), "rest");
    peer.reset();
    EXPECT_EQ(stream.read_some(soon()).value(), "");
    EXPECT_EQ(stream.read_line(100, soon()).error().code, Errc::closed);
}

TEST(NetStream, BoundsLinesAndWaits) {
    auto [stream, peer] = connected();
    EXPECT_EQ(stream.read_some(Deadline::in(Millis(5))).error().code, Errc::timeout);
    send_raw(peer, std::string(500, 'x'));
    EXPECT_EQ(stream.read_line(100, soon()).error().code, Errc::invalid);
    EXPECT_EQ(stream.write(std::string(8 << 20, 'y'), Deadline::in(Millis(20))).error().code,
              Errc::timeout);
}

TEST(NetStream, SpeaksTlsOnBothSides) {
    auto pair = tls::make_self_signed("mail.test").value();
    tls::ServerOptions options;
    options.certificate_pem = pair.certificate_pem;
    options.key_pem = pair.key_pem;
    auto server_context = std::move(tls::ServerContext::make(options)).value();
    auto [stream, peer] = connected();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        Stream server(std::move(peer));
        bool good = server.start_tls_server(server_context, soon()).has_value();
        auto line = server.read_line(100, soon());
        good = good && line && *line == "ping" && server.write("pong\r\n", soon());
        server.finish(soon());
        ::_exit(good ? 0 : 1);
    }
    peer.reset();
    auto client_context = std::move(tls::ClientContext::make({})).value();
    ASSERT_TRUE(stream.start_tls_client(client_context, "mail.test", soon()));
    EXPECT_EQ(stream.tls_info().peer_name, "mail.test");
    ASSERT_TRUE(stream.write("ping\r\n", soon()));
    EXPECT_EQ(stream.read_line(100, soon()).value(), "pong");
    EXPECT_EQ(stream.read_some(soon()).value(), "");
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST(Connect, RefusedIsAnError) {
    Fd listener = sys::listen_on(*sys::SocketAddress::parse("127.0.0.1:0")).value();
    const auto at = sys::local_address(listener.get());
    EXPECT_TRUE(connect(at, soon()));
    listener.reset();
    EXPECT_FALSE(connect(at, soon()));
}

TEST(Endpoint, Forms) {
    struct Case {
        const char* text;
        const char* host;  // null: must not parse
        int port;
    };
    const Case cases[] = {
        {"mail.test", "mail.test", 25},
        {"mail.test:2525", "mail.test", 2525},
        {"[::1]:2525", "::1", 2525},
        {"[mail.test]", "mail.test", 25},
        {"inet:127.0.0.1:99", "127.0.0.1", 99},
        {"", nullptr, 0},
        {":25", nullptr, 0},
        {"a:99999", nullptr, 0},
        {"[::1", nullptr, 0},
        {"[::1]x", nullptr, 0},
    };
    for (const auto& c : cases) {
        auto endpoint = parse_endpoint(c.text, 25);
        ASSERT_EQ(endpoint.has_value(), c.host != nullptr) << c.text;
        if (!endpoint) continue;
        EXPECT_EQ(endpoint->host, c.host);
        EXPECT_EQ(endpoint->port, c.port);
    }
    EXPECT_EQ(parse_endpoint("unix:private/x", 25)->unix_path, "private/x");
    EXPECT_EQ(resolve(*parse_endpoint("127.0.0.1:7", 25))->at(0).str(), "127.0.0.1:7");
}

}  // namespace
}  // namespace postern::net
