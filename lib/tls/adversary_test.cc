// Engines whose wire somebody else has in hand: cut, flipped, repeated, ended.
#include "lib/tls/certificate.h"
#include "lib/tls/context.h"
#include "lib/tls/engine.h"

namespace postern::tls {
namespace {

struct Pairing {
    explicit Pairing(Version maximum = Version::tls1_3, bool ask_client = false) {
        const auto made = make_self_signed("mail.example.test").value();
        ServerOptions options;
        options.certificate_pem = made.certificate_pem;
        options.key_pem = made.key_pem;
        options.maximum = maximum;
        options.ask_client_certificate = ask_client;
        server_context.emplace(ServerContext::make(options).value());
        ClientOptions client_options;
        if (ask_client) {
            client_options.certificate_pem = made.certificate_pem;
            client_options.key_pem = made.key_pem;
        }
        client_context.emplace(ClientContext::make(client_options).value());
        again();
    }
    void again() {
        client.emplace(Engine::client(*client_context, "mail.example.test").value());
        server.emplace(Engine::server(*server_context).value());
    }
    // Until both are silent. What was said goes to the logs, for the next test to change.
    void shake_hands() {
        std::string to_server, to_client, none;
        ASSERT_TRUE(client->start(to_server));
        while (!to_server.empty() || !to_client.empty()) {
            if (!to_server.empty()) {
                ASSERT_TRUE(server->feed(std::exchange(to_server, ""), none, to_client));
            }
            if (!to_client.empty()) {
                ASSERT_TRUE(client->feed(std::exchange(to_client, ""), none, to_server));
            }
        }
        ASSERT_TRUE(client->established() && server->established());
    }
    std::optional<ServerContext> server_context;
    std::optional<ClientContext> client_context;
    std::optional<Engine> client, server;
};

class BothVersions : public testing::TestWithParam<Version> {};
INSTANTIATE_TEST_SUITE_P(Versions, BothVersions, testing::Values(Version::tls1_2, Version::tls1_3));

// A changed byte anywhere in a record is an error, and not a byte of it is believed.
TEST_P(BothVersions, AFlippedBitIsNeverPlaintext) {
    Pairing p(GetParam());
    p.shake_hands();
    std::string record;
    ASSERT_TRUE(p.client->write("RCPT TO:<a@b.test>\r\n", record));
    for (std::size_t i = 0; i < record.size(); ++i) {
        p.again();
        p.shake_hands();
        std::string bytes, plain, alert;
        ASSERT_TRUE(p.client->write("RCPT TO:<a@b.test>\r\n", bytes));
        bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
        const auto fed = p.server->feed(bytes, plain, alert);
        EXPECT_EQ(plain, "") << i;
        // A length that has grown may wait for bytes that never come; everything else is an error.
        EXPECT_TRUE(!fed || i == 3 || i == 4) << i;
        if (!fed) {
            EXPECT_EQ(fed.error().code, Errc::closed) << i;
        }
    }
}

TEST_P(BothVersions, RepeatedAndReorderedRecordsAreErrors) {
    Pairing p(GetParam());
    p.shake_hands();
    std::string first, second, plain, out;
    ASSERT_TRUE(p.client->write("one", first));
    ASSERT_TRUE(p.server->feed(first, plain, out));
    EXPECT_FALSE(p.server->feed(first, plain, out)) << "played again";
    EXPECT_EQ(plain, "one");
    p.again();
    p.shake_hands();
    first.clear();
    ASSERT_TRUE(p.client->write("one", first));
    ASSERT_TRUE(p.client->write("two", second));
    plain.clear();
    EXPECT_FALSE(p.server->feed(second + first, plain, out));
    EXPECT_EQ(plain, "");
}

TEST_P(BothVersions, AHandshakeMayBeCutAnywhere) {
    Pairing p(GetParam());
    std::string hello;
    ASSERT_TRUE(p.client->start(hello));
    for (std::size_t size = 0; size < hello.size(); ++size) {
        auto server = Engine::server(*p.server_context).value();
        std::string plain, out;
        EXPECT_TRUE(server.feed(hello.substr(0, size), plain, out)) << size << ": it waits";
        EXPECT_FALSE(server.established());
        EXPECT_FALSE(server.peer_closed());
        EXPECT_EQ(out, "");
    }
}

TEST_P(BothVersions, OnlyCloseNotifyIsAnEnd) {
    Pairing p(GetParam());
    p.shake_hands();
    std::string bytes, more, plain, out;
    ASSERT_TRUE(p.client->write("last", bytes));
    ASSERT_TRUE(p.server->feed(bytes, plain, out));
    EXPECT_FALSE(p.server->peer_closed()) << "an end of the connection here is a cut";
    bytes.clear();
    p.client->close(bytes);
    p.client->close(more);
    EXPECT_EQ(more, "") << "once";
    ASSERT_TRUE(p.server->feed(bytes + "and garbage", plain, out));
    EXPECT_TRUE(p.server->peer_closed());
    EXPECT_EQ(plain, "last") << "nothing behind it is read";
    EXPECT_TRUE(p.server->write("we may still answer", out));
}

TEST_P(BothVersions, EverySizeComesThrough) {
    Pairing p(GetParam());
    p.shake_hands();
    for (const std::size_t size : {0U, 1U, 16383U, 16384U, 16385U, 50000U}) {
        const std::string text(size, static_cast<char>('a' + size % 26));
        std::string wire, plain, out;
        ASSERT_TRUE(p.server->write(text, wire));
        EXPECT_EQ(wire.empty(), size == 0);
        ASSERT_TRUE(p.client->feed(wire, plain, out));
        EXPECT_EQ(plain, text) << size;
    }
}

TEST_P(BothVersions, AClientCertificateIsReportedAndNotJudged) {
    Pairing p(GetParam(), true);
    p.shake_hands();
    EXPECT_TRUE(p.server->info().peer_certificate);
    EXPECT_EQ(p.server->info().peer_name, "mail.example.test");
    EXPECT_FALSE(p.server->info().peer_verified);
    EXPECT_NE(p.server->info().verify_error, "");
    Pairing none(GetParam());
    none.shake_hands();
    EXPECT_FALSE(none.server->info().peer_certificate);
    EXPECT_EQ(none.server->info().peer_name, "");
}

TEST(Engine, SaysOfItselfWhatItIs) {
    Pairing p;
    EXPECT_FALSE(p.client->established());
    std::string out;
    p.client->close(out);
    EXPECT_EQ(out, "") << "nothing to close before the handshake";
    p.shake_hands();
    Engine moved = std::move(*p.client);
    EXPECT_TRUE(moved.established()) << "engines can be moved";
    EXPECT_EQ(moved.info().protocol, "TLSv1.3");
    ASSERT_TRUE(moved.write("x", out));
}

TEST(EngineDeathTest, WritingBeforeTheHandshakeIsABug) {
    Pairing p;
    std::string out;
    EXPECT_DEATH((void)p.client->write("x", out), "check failed: established");
}

TEST(Engine, GarbageOfEverySizeIsSurvived) {
    Pairing p;
    std::uint64_t seed = 99;
    for (std::size_t size = 1; size < 400; size += 7) {
        auto server = Engine::server(*p.server_context).value();
        std::string garbage, plain, out;
        for (std::size_t i = 0; i < size; ++i) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            garbage += static_cast<char>(seed >> 56);
        }
        static_cast<void>(server.feed(garbage, plain, out).has_value());
        static_cast<void>(server.feed(garbage, plain, out).has_value());
        EXPECT_EQ(plain, "");
        EXPECT_FALSE(server.established());
    }
}

TEST(Client, NamesThatCannotBeAreRefusedOrLeftOut) {
    Pairing p;
    const struct {
        std::string name;
        bool good;
    } cases[] = {{"", true},
                 {"192.0.2.1", true},
                 {"::1", true},
                 {"host.test", true},
                 {std::string(300, 'x'), false}};
    for (const auto& c : cases)
        EXPECT_EQ(Engine::client(*p.client_context, c.name).has_value(), c.good) << c.name;
}

TEST(Certificate, IsFreshEachTime) {
    const auto one = make_self_signed("a.test", 1).value(),
               two = make_self_signed("a.test", 1).value();
    EXPECT_NE(one.key_pem, two.key_pem);
    EXPECT_NE(one.certificate_pem, two.certificate_pem);
    EXPECT_TRUE(one.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----\n"));
    EXPECT_NE(one.key_pem.find("PRIVATE KEY-----\n"), std::string::npos);
}

}  // namespace
}  // namespace postern::tls
