// Blocking streams: the other side is the raw end of a socket pair or a forked child with TLS.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

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

// The same bytes, however they are cut, are the same lines.
TEST(NetStream, LinesDoNotDependOnHowTheBytesArrive) {
    constexpr std::size_t kLimit = 8;
    std::string input;
    for (std::size_t size : {0U, 1U, 7U, 8U}) {
        for (const char* end : {"\r\n", "\n"}) input += std::string(size, 'a') + end;
    }
    input += std::string("\0b\0\r\n", 5);
    for (const std::string& tail : {std::string("123456789\r\n"), std::string("12345678\r\r\n"),
                                    std::string("12345678\rx\n"), std::string(40, 'x')}) {
        for (std::size_t chunk = 1; chunk <= 20; ++chunk) {
            auto [stream, peer] = connected();
            const std::string all = input + tail;
            std::size_t sent = 0;
            std::string seen;
            for (;;) {
                // A chunk more whenever no whole line is there.
                auto line = stream.read_line(kLimit, Deadline::in(Millis(0)));
                if (line) {
                    seen += "[" + *line + "]";
                    continue;
                }
                if (line.error().code == Errc::invalid) break;
                ASSERT_EQ(line.error().code, Errc::timeout);
                ASSERT_LT(sent, all.size()) << tail << chunk;
                send_raw(peer, std::string_view(all).substr(sent, chunk));
                sent += chunk;
            }
            EXPECT_EQ(seen, "[][][a][a][aaaaaaa][aaaaaaa][aaaaaaaa][aaaaaaaa][" +
                                std::string("\0b\0]", 4))
                << chunk;
        }
    }
}

TEST(NetStream, HalfALineAtTheEndIsNoLine) {
    auto [stream, peer] = connected();
    send_raw(peer, "whole\r\nhalf");
    peer.reset();
    EXPECT_EQ(stream.read_line(100, soon()).value(), "whole");
    EXPECT_EQ(stream.read_line(100, soon()).error().code, Errc::closed);
    EXPECT_EQ(stream.read_some(soon()).value(), "half") << "but it can be had";
    EXPECT_EQ(stream.read_some(soon()).value(), "");
}

TEST(NetStream, ReadsJustTheBytesAskedFor) {
    auto [stream, peer] = connected();
    send_raw(peer, "0123456789");
    EXPECT_EQ(stream.read_bytes(0, soon()).value(), "");
    EXPECT_EQ(stream.read_bytes(3, soon()).value(), "012");
    EXPECT_EQ(stream.read_bytes(6, soon()).value(), "345678");
    EXPECT_TRUE(stream.has_input());
    EXPECT_EQ(stream.read_bytes(2, Deadline::in(Millis(5))).error().code, Errc::timeout);
    peer.reset();
    EXPECT_EQ(stream.read_bytes(1, soon()).error().code, Errc::closed);
}

TEST(NetStream, AGonePeerIsAnErrorAndNoSignal) {
    auto [stream, peer] = connected();
    peer.reset();
    auto written = stream.write("x", soon());
    if (written) written = stream.write("y", soon());
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::closed);
    EXPECT_TRUE(stream.write("", soon()));
}

struct Tls {
    Tls() {
        const auto pair = tls::make_self_signed("mail.test").value();
        tls::ServerOptions options;
        options.certificate_pem = pair.certificate_pem;
        options.key_pem = pair.key_pem;
        server.emplace(tls::ServerContext::make(options).value());
        client.emplace(tls::ClientContext::make({}).value());
    }
    std::optional<tls::ServerContext> server;
    std::optional<tls::ClientContext> client;
};

TEST(NetStreamTls, CloseNotifyEndsTheInputThoughTheSocketStaysOpen) {
    Tls tls;
    auto [stream, peer] = connected();
    const pid_t child = ::fork();
    if (child == 0) {
        stream = Stream(Fd());  // the parent's end
        Stream server(std::move(peer));
        if (!server.start_tls_server(*tls.server, soon())) ::_exit(1);
        if (!server.write("bye\n", soon())) ::_exit(2);
        server.finish(soon());
        char byte = 0;  // until the test has seen it
        sys::set_blocking(server.fd(), true);
        while (::read(server.fd(), &byte, 1) > 0) continue;
        ::_exit(0);
    }
    peer.reset();
    ASSERT_TRUE(stream.start_tls_client(*tls.client, "mail.test", soon()));
    EXPECT_EQ(stream.read_line(100, soon()).value(), "bye");
    EXPECT_EQ(stream.read_some(soon()).value(), "") << "an end, not a wait";
    EXPECT_EQ(stream.read_some(Deadline::in(Millis(0))).value(), "") << "and again";
    stream = Stream(Fd());
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST(NetStreamTls, SilenceGarbageAndEndsInTheHandshakeAreErrors) {
    Tls tls;
    const struct {
        const char* name;
        std::function<void(Fd&)> act;
        Errc code;
    } cases[] = {
        {"silence", [](Fd&) {}, Errc::timeout},
        {"end", [](Fd& peer) { peer.reset(); }, Errc::closed},
        {"garbage", [](Fd& peer) { send_raw(peer, "HELO I am no TLS client\r\n"); }, Errc::closed},
    };
    for (const auto& c : cases) {
        auto [stream, peer] = connected();
        c.act(peer);
        const auto limit = Deadline::in(Millis(c.code == Errc::timeout ? 20 : 5000));
        const auto started = stream.start_tls_server(*tls.server, limit);
        ASSERT_FALSE(started) << c.name;
        EXPECT_EQ(started.error().code, c.code) << c.name << ": " << started.error().what;
    }
}

TEST(NetStreamTls, RefusesInjectedPlaintext) {
    Tls tls;
    auto [stream, peer] = connected();
    send_raw(peer, "STLS\r\nUSER evil\r\n");
    ASSERT_TRUE(stream.read_line(100, soon()));
    EXPECT_EQ(stream.start_tls_server(*tls.server, soon()).error().code, Errc::denied);
}

TEST(Connect, WaitsOnlyUntilTheDeadline) {
    // A listener whose backlog is full does not answer.
    const Fd listener = sys::listen_on(*sys::SocketAddress::parse("127.0.0.1:0"), 0).value();
    const auto at = sys::local_address(listener.get());
    std::vector<Fd> waiting;
    Result<Stream> last = Error{};
    for (int i = 0; i < 10; ++i) {
        last = connect(at, Deadline::in(Millis(50)));
        if (!last) break;
        waiting.emplace_back(::dup(last->fd()));
    }
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().what, "connect to " + at.str() + ": timed out");
}

TEST(Resolve, AddressesNamesAndPaths) {
    const auto of = [](const char* text) { return resolve(*parse_endpoint(text, 25)); };
    EXPECT_EQ(of("192.0.2.1:26").value().at(0).str(), "192.0.2.1:26");
    EXPECT_EQ(of("[2001:db8::1]").value().at(0).str(), "[2001:db8::1]:25");
    EXPECT_EQ(of("unix:/run/x").value().at(0).str(), "unix:/run/x");
    EXPECT_FALSE(resolve({.host = {}, .port = 0, .unix_path = std::string(200, 'x')}));
    const auto local = of("localhost:1234");
    ASSERT_TRUE(local);
    EXPECT_EQ(local->at(0).port(), 1234);
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
