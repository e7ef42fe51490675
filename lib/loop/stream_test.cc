// Streams over socket pairs: the peer is either the raw end of the pair or a second stream.
#include "lib/loop/stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include "lib/loop/listener.h"
#include "lib/sys/socket.h"
#include "lib/tls/certificate.h"
#include "lib/tls/context.h"

namespace postern::loop {
namespace {

using Kind = Stream::Line::Kind;

std::pair<Fd, Fd> socket_pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    return {Fd(ends[0]), Fd(ends[1])};
}

struct Peer : StreamHandler {
    explicit Peer(Loop& l) : loop(l) {}
    Peer(Loop& l, Fd fd) : loop(l), stream(std::make_unique<Stream>(l, std::move(fd), *this)) {}

    void on_input() override {
        ++inputs;
        if (input) input();
        loop.stop();
    }
    void on_closed(const Error* error) override {
        closed = true;
        if (error) failure = error->what;
        loop.stop();
    }
    void on_drained() override {
        drained = true;
        loop.stop();
    }
    void on_connected() override {
        connected = true;
        loop.stop();
    }
    void on_secured() override {
        secured = true;
        if (when_secured) when_secured();
        loop.stop();
    }

    Loop& loop;
    std::unique_ptr<Stream> stream;
    std::function<void()> input, when_secured;
    int inputs = 0;
    bool closed = false, drained = false, connected = false, secured = false;
    std::string failure;
};

// Runs the loop until the condition holds or five seconds have gone.
template <class Condition>
bool run_until(Loop& loop, Condition condition) {
    const auto deadline = Deadline::in(Millis(5000));
    while (!condition()) {
        if (deadline.passed()) return false;
        loop.run_for(Millis(50));
    }
    return true;
}

void send_raw(const Fd& fd, std::string_view bytes) {
    ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
}

std::string read_raw(const Fd& fd) {
    std::string all;
    char bytes[65536];
    ssize_t size = 0;
    while ((size = ::recv(fd.get(), bytes, sizeof bytes, 0)) > 0)
        all.append(bytes, static_cast<std::size_t>(size));
    return all;
}

TEST(Stream, TakesLines) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer peer(loop, std::move(ours));
    send_raw(theirs, "one\r\ntwo\n\r\nxxxxxxxxxxxxxxxxxxxxxxxx\r\nfour\r\npart");
    ASSERT_TRUE(run_until(loop, [&] { return peer.inputs == 1; }));
    auto line = peer.stream->take_line(20);
    EXPECT_EQ(line.kind, Kind::line);
    EXPECT_EQ(line.text, "one");
    EXPECT_TRUE(line.crlf);
    line = peer.stream->take_line(20);
    EXPECT_EQ(line.text, "two");
    EXPECT_FALSE(line.crlf);
    line = peer.stream->take_line(20);
    EXPECT_EQ(line.kind, Kind::line);
    EXPECT_EQ(line.text, "");
    EXPECT_EQ(peer.stream->take_line(20).kind, Kind::too_long);
    EXPECT_EQ(peer.stream->take_line(20).text, "four");
    EXPECT_EQ(peer.stream->take_line(20).kind, Kind::need_more);
    send_raw(theirs, "ial\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return peer.inputs == 2; }));
    EXPECT_EQ(peer.stream->take_line(20).text, "partial");
}

// The same bytes, however they are cut, are the same lines: at the limit, with half a line end,
// with NULs.
TEST(Stream, LinesDoNotDependOnHowTheBytesArrive) {
    constexpr std::size_t kLimit = 8;
    std::string input;
    for (std::size_t size : {0U, 1U, 7U, 8U, 9U, 10U, 11U, 40U}) {
        for (const char* end : {"\r\n", "\n", "\r\r\n", "\rx\n"})
            input += std::string(size, 'a') + end;
    }
    input += std::string("\0b\0\r\n", 5) + "QUIT\r\n";
    const auto lines_of = [&](std::size_t chunk) {
        Loop loop;
        auto [raw, fd] = socket_pair();
        std::string seen;
        Peer peer(loop, std::move(fd));
        peer.input = [&] {
            for (auto line = peer.stream->take_line(kLimit); line.kind != Kind::need_more;
                 line = peer.stream->take_line(kLimit))
                seen += line.kind == Kind::too_long
                            ? "[long]"
                            : "[" + std::string(line.text) + (line.crlf ? "]" : "|]");
        };
        for (std::size_t at = 0; at < input.size(); at += chunk) {
            const int before = peer.inputs;
            send_raw(raw, std::string_view(input).substr(at, chunk));
            EXPECT_TRUE(run_until(loop, [&] { return peer.inputs > before; }));
        }
        return seen;
    };
    const auto whole = lines_of(input.size());
    EXPECT_NE(whole.find("[aaaaaaaa][aaaaaaaa|]"), std::string::npos)
        << whole << ": exactly the limit is good";
    EXPECT_NE(whole.find(std::string("[\0b\0][QUIT]", 11)), std::string::npos) << whole;
    for (std::size_t chunk = 1; chunk <= 25; ++chunk) EXPECT_EQ(lines_of(chunk), whole) << chunk;
}

TEST(Stream, AnEndlessLineCostsNoMemory) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer peer(loop, std::move(ours));
    std::vector<Kind> seen;
    peer.input = [&] {
        for (;;) {
            auto kind = peer.stream->take_line(100).kind;
            if (kind == Kind::need_more) break;
            seen.push_back(kind);
        }
        EXPECT_LE(peer.stream->input().size(), 100u);
    };
    for (int i = 0; i < 5; ++i) {
        send_raw(theirs, std::string(5000, 'y'));
        const int before = peer.inputs;
        ASSERT_TRUE(run_until(loop, [&] { return peer.inputs > before; }));
    }
    send_raw(theirs, "end\r\nnext\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return seen.size() == 2; }));
    EXPECT_EQ(seen[0], Kind::too_long);
    EXPECT_EQ(seen[1], Kind::line);
}

TEST(Stream, EndOfInputKeepsWhatCameBefore) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer peer(loop, std::move(ours));
    send_raw(theirs, "a\r\nb\r\nQUIT\r\n");
    ::shutdown(theirs.get(), SHUT_WR);
    ASSERT_TRUE(run_until(loop, [&] { return peer.stream->at_eof(); }));
    EXPECT_EQ(peer.stream->take_line(9).text, "a");
    peer.stream->write("answer\r\n");
    EXPECT_EQ(peer.stream->take_line(9).text, "b");
    EXPECT_EQ(peer.stream->take_line(9).text, "QUIT");
    peer.stream->close_after_flush();
    ASSERT_TRUE(run_until(loop, [&] { return peer.closed; }));
    EXPECT_EQ(peer.failure, "");
    EXPECT_EQ(read_raw(theirs), "answer\r\n");
}

TEST(Stream, WritesMoreThanTheKernelTakes) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer peer(loop, std::move(ours));
    const std::string big(3 << 20, 'z');
    peer.stream->write(big);
    peer.stream->flush();
    EXPECT_GT(peer.stream->queued(), 0u);
    std::string got;
    ASSERT_TRUE(run_until(loop, [&] {
        got += read_raw(theirs);
        return peer.drained;
    }));
    got += read_raw(theirs);
    EXPECT_EQ(got.size(), big.size());
    EXPECT_EQ(peer.stream->queued(), 0u);
}

TEST(Stream, MakesThePeerWaitWhenNobodyReads) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer peer(loop, std::move(ours));
    std::size_t sent = 0;
    const std::string chunk(32 * 1024, 'q');
    for (int i = 0; i < 200; ++i) {
        const ssize_t n = ::send(theirs.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
        if (n > 0) sent += static_cast<std::size_t>(n);
        loop.run_for(Millis(1));
    }
    EXPECT_LE(peer.stream->input().size(), 2 * Stream::kDefaultInputLimit);
    std::size_t taken = 0;
    ASSERT_TRUE(run_until(loop, [&] {
        taken += peer.stream->input().size();
        peer.stream->consume(peer.stream->input().size());
        return taken == sent;
    }));
}

TEST(Stream, ABrokenConnectionIsToldOnce) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer peer(loop, std::move(ours));
    peer.stream->pause_reading();
    theirs.reset();
    peer.stream->write("into the void");
    peer.stream->flush();
    EXPECT_FALSE(peer.closed) << "a method calls no callback";
    ASSERT_TRUE(run_until(loop, [&] { return peer.closed; }));
    EXPECT_NE(peer.failure, "");
}

TEST(Stream, MayBeDestroyedByItsCallbacks) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer peer(loop, std::move(ours));
    peer.input = [&] { peer.stream.reset(); };
    send_raw(theirs, "x");
    ASSERT_TRUE(run_until(loop, [&] { return peer.inputs == 1; }));
    auto [ours2, theirs2] = socket_pair();
    Peer second(loop, std::move(ours2));
    second.stream->close_after_flush();
    second.stream.reset();
    loop.run_for(Millis(5));
    EXPECT_FALSE(second.closed);
}

TEST(Stream, GivesItsSocketAway) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer peer(loop, std::move(ours));
    send_raw(theirs, "taken\r\nrest");
    ASSERT_TRUE(run_until(loop, [&] { return peer.inputs == 1; }));
    EXPECT_EQ(peer.stream->take_line(100).text, "taken");
    std::string pending;
    Fd fd = peer.stream->detach(pending);
    EXPECT_EQ(pending, "rest");
    peer.stream.reset();
    send_raw(theirs, "more");
    EXPECT_EQ(read_raw(fd), "more");
}

struct Contexts {
    tls::ServerContext server;
    tls::ClientContext client;
};

const Contexts& contexts() {
    static const Contexts made = [] {
        auto pair = tls::make_self_signed("mail.test").value();
        tls::ServerOptions options;
        options.certificate_pem = pair.certificate_pem;
        options.key_pem = pair.key_pem;
        return Contexts{tls::ServerContext::make(options).value(),
                        tls::ClientContext::make({}).value()};
    }();
    return made;
}

TEST(StreamTls, UpgradesInTheMiddle) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer server(loop, std::move(ours)), client(loop, std::move(theirs));
    client.stream->write("STARTTLS\r\n");
    client.stream->flush();
    ASSERT_TRUE(run_until(loop, [&] { return server.inputs == 1; }));
    EXPECT_EQ(server.stream->take_line(100).text, "STARTTLS");
    server.stream->write("220 go\r\n");
    ASSERT_TRUE(server.stream->start_tls_server(contexts().server));
    server.stream->flush();
    ASSERT_TRUE(run_until(loop, [&] { return client.inputs == 1; }));
    EXPECT_EQ(client.stream->take_line(100).text, "220 go");
    ASSERT_TRUE(client.stream->start_tls_client(contexts().client, "mail.test"));
    client.stream->flush();
    const std::string big(1 << 20, 'd');
    client.when_secured = [&] { client.stream->write("EHLO x\r\n"); };
    ASSERT_TRUE(run_until(loop, [&] { return server.secured && server.inputs == 2; }));
    EXPECT_EQ(server.stream->take_line(100).text, "EHLO x");
    EXPECT_EQ(server.stream->tls_info().protocol, "TLSv1.3");
    server.stream->write(big);
    server.stream->close_after_flush();
    std::size_t got = 0;
    client.input = [&] {
        got += client.stream->input().size();
        client.stream->consume(client.stream->input().size());
    };
    ASSERT_TRUE(run_until(loop, [&] { return client.stream->at_eof() && server.closed; }));
    EXPECT_EQ(got, big.size());
}

TEST(StreamTls, WrapperModeSendsTheGreetingAfterTheHandshake) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer server(loop, std::move(ours)), client(loop, std::move(theirs));
    ASSERT_TRUE(server.stream->start_tls_server(contexts().server));
    server.stream->write("220 hello\r\n");
    server.stream->flush();
    ASSERT_TRUE(client.stream->start_tls_client(contexts().client, ""));
    client.stream->flush();
    ASSERT_TRUE(run_until(loop, [&] { return client.inputs == 1; }));
    EXPECT_EQ(client.stream->take_line(100).text, "220 hello");
}

TEST(StreamTls, RefusesInjectedPlaintext) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer server(loop, std::move(ours));
    send_raw(theirs, "STARTTLS\r\nRSET\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return server.inputs == 1; }));
    EXPECT_EQ(server.stream->take_line(100).text, "STARTTLS");
    auto started = server.stream->start_tls_server(contexts().server);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::denied);
}

TEST(StreamTls, AFailedHandshakeCloses) {
    Loop loop;
    auto [ours, theirs] = socket_pair();
    Peer server(loop, std::move(ours));
    ASSERT_TRUE(server.stream->start_tls_server(contexts().server));
    send_raw(theirs, "EHLO no tls here\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return server.closed; }));
    EXPECT_NE(server.failure, "");

    auto [ours2, theirs2] = socket_pair();
    Peer cut(loop, std::move(ours2));
    ASSERT_TRUE(cut.stream->start_tls_server(contexts().server));
    theirs2.reset();
    ASSERT_TRUE(run_until(loop, [&] { return cut.closed; }));
}

TEST(Listener, AcceptsAndStreamsConnect) {
    Loop loop;
    auto at = sys::SocketAddress::parse("127.0.0.1:0");
    Fd listener = sys::listen_on(*at).value();
    const auto bound = sys::local_address(listener.get());
    std::unique_ptr<Peer> server;
    Listener accepting(loop, listener.get(), [&](Fd fd, const sys::SocketAddress& peer) {
        EXPECT_TRUE(peer.ip().is_loopback());
        server = std::make_unique<Peer>(loop, std::move(fd));
    });
    Peer client(loop);
    client.stream =
        Stream::connecting(loop, sys::start_connect(bound).value(), bound.str(), client);
    client.stream->write("hello\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return client.connected && server && server->inputs == 1; }));
    EXPECT_EQ(server->stream->take_line(99).text, "hello");
    accepting.pause();
    listener.reset();
    Peer refused(loop);
    auto fd = sys::start_connect(bound);
    if (fd) {
        refused.stream = Stream::connecting(loop, std::move(fd).value(), bound.str(), refused);
        ASSERT_TRUE(run_until(loop, [&] { return refused.closed; }));
        EXPECT_EQ(refused.failure, "connect to " + bound.str() + ": Connection refused");
    }
}

}  // namespace
}  // namespace postern::loop
