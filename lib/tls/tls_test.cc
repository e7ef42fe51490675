// Two engines connected by strings: no socket.
#include "lib/tls/certificate.h"
#include "lib/tls/context.h"
#include "lib/tls/engine.h"

namespace postern::tls {
namespace {

const CertificatePair& pair() {
    static const CertificatePair made = make_self_signed("mail.example.test").value();
    return made;
}

ServerContext server_context(Version maximum = Version::tls1_3) {
    ServerOptions options;
    options.certificate_pem = pair().certificate_pem;
    options.key_pem = pair().key_pem;
    options.maximum = maximum;
    return std::move(ServerContext::make(options)).value();
}

ClientContext client_context(Version minimum = Version::tls1_2) {
    ClientOptions options;
    options.minimum = minimum;
    return std::move(ClientContext::make(options)).value();
}

struct Connection {
    Engine client;
    Engine server;
    std::string to_server, to_client;  // on the wire
    std::string at_server, at_client;  // decrypted
    std::optional<Error> failed;

    Connection(const ServerContext& s, const ClientContext& c, const std::string& host)
        : client(Engine::client(c, host).value()), server(Engine::server(s).value()) {
        note(client.start(to_server));
    }
    void note(Result<void> result) {
        if (!result && !failed) failed = std::move(result).error();
    }
    // Carries what is on the wire, `step` bytes at a time, until both are silent.
    void carry(std::size_t step = 100000) {
        while (!failed && (!to_server.empty() || !to_client.empty())) {
            std::string part = to_server.substr(0, step);
            to_server.erase(0, part.size());
            if (!part.empty()) note(server.feed(part, at_server, to_client));
            part = to_client.substr(0, step);
            to_client.erase(0, part.size());
            if (!part.empty()) note(client.feed(part, at_client, to_server));
        }
    }
};

class EveryVersion : public testing::TestWithParam<std::pair<Version, const char*>> {};

TEST_P(EveryVersion, CarriesBytesBothWays) {
    auto s = server_context(GetParam().first);
    auto c = client_context();
    for (std::size_t step : {1u, 7u, 100000u}) {
        Connection both(s, c, "mail.example.test");
        both.carry(step);
        ASSERT_FALSE(both.failed) << both.failed->what;
        ASSERT_TRUE(both.client.established() && both.server.established());
        EXPECT_EQ(both.server.info().protocol, GetParam().second);
        EXPECT_GE(both.server.info().cipher_bits, 128);
        EXPECT_EQ(both.client.info().peer_name, "mail.example.test");
        EXPECT_FALSE(both.client.info().peer_verified);
        EXPECT_NE(both.client.info().verify_error, "");
        const std::string big(100000, 'x');
        both.note(both.client.write("EHLO there\r\n", both.to_server));
        both.note(both.server.write(big, both.to_client));
        both.carry(step);
        EXPECT_EQ(both.at_server, "EHLO there\r\n");
        EXPECT_EQ(both.at_client, big);
        EXPECT_FALSE(both.server.peer_closed());
        both.client.close(both.to_server);
        both.carry(step);
        EXPECT_TRUE(both.server.peer_closed());
    }
}

INSTANTIATE_TEST_SUITE_P(Versions, EveryVersion,
                         testing::Values(std::pair{Version::tls1_2, "TLSv1.2"},
                                         std::pair{Version::tls1_3, "TLSv1.3"}));

TEST(Engine, DataRightBehindTheHandshakeIsNotLost) {
    auto s = server_context();
    auto c = client_context();
    Connection both(s, c, "x.test");
    both.note(both.server.feed(std::exchange(both.to_server, ""), both.at_server, both.to_client));
    both.note(both.client.feed(std::exchange(both.to_client, ""), both.at_client, both.to_server));
    ASSERT_TRUE(both.client.established());
    ASSERT_FALSE(both.server.established());
    both.note(both.client.write("early bird", both.to_server));
    both.carry();
    EXPECT_EQ(both.at_server, "early bird");
}

TEST(Engine, VerifiesTheNameWhenAskedTo) {
    const std::string path = testing::TempDir() + "/tls_test_ca.pem";
    FILE* file = fopen(path.c_str(), "w");
    ASSERT_TRUE(file);
    fputs(pair().certificate_pem.c_str(), file);
    fclose(file);
    ClientOptions options;
    options.verify = true;
    options.trusted_ca_file = path;
    auto trusting = std::move(ClientContext::make(options)).value();
    auto s = server_context();

    Connection good(s, trusting, "mail.example.test");
    good.carry();
    EXPECT_FALSE(good.failed);
    EXPECT_TRUE(good.client.info().peer_verified);

    Connection other_name(s, trusting, "other.example.test");
    other_name.carry();
    ASSERT_TRUE(other_name.failed);
    EXPECT_EQ(other_name.failed->code, Errc::denied);
    remove(path.c_str());

    options.trusted_ca_file = "/nonexistent/ca.pem";
    EXPECT_FALSE(ClientContext::make(options));
}

TEST(Engine, GarbageIsAnErrorAndAnAlert) {
    auto s = server_context();
    Engine server = Engine::server(s).value();
    std::string plain, out;
    EXPECT_FALSE(server.feed("EHLO this is no TLS\r\n", plain, out));
    EXPECT_EQ(plain, "");
}

TEST(Engine, VersionsThatDoNotMeetFail) {
    auto s = server_context(Version::tls1_2);
    auto c = client_context(Version::tls1_3);
    Connection both(s, c, "x.test");
    both.carry();
    EXPECT_TRUE(both.failed);
}

TEST(Context, RefusesBadPairs) {
    ServerOptions options;
    EXPECT_FALSE(ServerContext::make(options));
    options.certificate_pem = pair().certificate_pem;
    EXPECT_FALSE(ServerContext::make(options));
    options.key_pem = make_self_signed("other.test")->key_pem;
    auto mismatch = ServerContext::make(options);
    ASSERT_FALSE(mismatch);
    EXPECT_EQ(mismatch.error().code, Errc::invalid);
    options.key_pem = pair().key_pem;
    options.ciphers = "no such cipher";
    EXPECT_FALSE(ServerContext::make(options));
}

TEST(Certificate, RefusesBadNames) {
    EXPECT_FALSE(make_self_signed(""));
    EXPECT_FALSE(make_self_signed("a,DNS:b"));
    EXPECT_TRUE(make_self_signed(std::string(100, 'a') + ".test"));
}

TEST(Versions, AsPostfixWritesThem) {
    struct Case {
        const char* text;
        std::optional<std::pair<Version, Version>> range;
    };
    const Case cases[] = {
        {"", std::pair{Version::tls1_0, Version::tls1_3}},
        {">=TLSv1", std::pair{Version::tls1_0, Version::tls1_3}},
        {">=TLSv1.2", std::pair{Version::tls1_2, Version::tls1_3}},
        {">=TLSv1.2, <=TLSv1.2", std::pair{Version::tls1_2, Version::tls1_2}},
        {"!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", std::pair{Version::tls1_2, Version::tls1_3}},
        {"TLSv1.3", std::pair{Version::tls1_3, Version::tls1_3}},
        {"!TLSv1,!TLSv1.1,!TLSv1.2,!TLSv1.3", std::nullopt},
        {"TLSv9", std::nullopt},
    };
    for (const auto& c : cases) {
        auto range = parse_versions(c.text);
        ASSERT_EQ(range.has_value(), c.range.has_value()) << c.text;
        if (range) {
            EXPECT_EQ(range->minimum, c.range->first) << c.text;
            EXPECT_EQ(range->maximum, c.range->second) << c.text;
        }
    }
}

TEST(Options, MistakesAreNamed) {
    EXPECT_EQ(cipher_list("HIGH:@STRENGTH", {"aNULL", "", "RC4"}), "HIGH:@STRENGTH:!aNULL:!RC4");
    struct Case {
        std::function<void(ClientOptions&)> spoil;
        std::string what;
    };
    const Case cases[] = {
        {[](ClientOptions& o) { o.ciphers = "NOSUCH"; }, "TLS versions or ciphers"},
        {[](ClientOptions& o) { o.groups = "circle"; }, "TLS groups circle"},
        {[](ClientOptions& o) {
             o.ssl_options = {"no_ticket", "no_sense"};
         },
         "unknown TLS option no_sense"},
        {[](ClientOptions& o) { o.ssl_options = {"0x4q"}; }, "unknown TLS option 0x4q"},
        {[](ClientOptions& o) { o.fingerprint_digest = "crc9"; }, "unknown digest crc9"},
        {[](ClientOptions& o) {
             o.verify = true;
             o.trusted_ca_file = "/nonexistent/ca";
         },
         "trusted certificates /nonexistent/ca"},
    };
    for (const auto& c : cases) {
        ClientOptions options;
        c.spoil(options);
        auto made = ClientContext::make(options);
        ASSERT_FALSE(made) << c.what;
        EXPECT_THAT(made.error().what, testing::HasSubstr(c.what));
    }
    ClientOptions good;
    good.ssl_options = {"NO_TICKET", "0x4"};
    good.groups = "X25519:prime256v1";
    EXPECT_TRUE(ClientContext::make(good));
}

TEST(Info, NamesFingerprintsAndTheKeyExchange) {
    auto pair = make_self_signed("mx.test");
    ServerOptions server_options;
    server_options.certificate_pem = pair->certificate_pem;
    server_options.key_pem = pair->key_pem;
    const auto server_context = *ServerContext::make(server_options);
    ClientOptions client_options;
    client_options.check_name = false;
    client_options.fingerprint_digest = "sha256";
    const auto client_context = *ClientContext::make(client_options);
    auto server = *Engine::server(server_context);
    auto client = *Engine::client(client_context, "other.test");
    std::string to_server, to_client, plain;
    ASSERT_TRUE(client.start(to_server));
    for (int i = 0; i < 5; ++i) {
        std::string bytes;
        bytes.swap(to_server);
        ASSERT_TRUE(server.feed(bytes, plain, to_client));
        bytes.clear();
        bytes.swap(to_client);
        ASSERT_TRUE(client.feed(bytes, plain, to_server));
    }
    ASSERT_TRUE(client.established());
    const Info info = client.info();
    EXPECT_THAT(info.peer_names, testing::ElementsAre("mx.test"));
    ASSERT_EQ(info.peer_fingerprints.size(), 2u);
    EXPECT_EQ(info.peer_fingerprints[0].size(), 32u * 3 - 1);
    EXPECT_NE(info.peer_fingerprints[0], info.peer_fingerprints[1]);
    EXPECT_FALSE(info.peer_verified);
    const std::string what =
        "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
        "server-signature ECDSA (P-256) server-digest SHA256";
    EXPECT_EQ(info.describe(), what);
    EXPECT_EQ(server.info().describe(), what);
}

}  // namespace
}  // namespace postern::tls
