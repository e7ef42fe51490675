// Certificates by the name that the client asks for.
#include "lib/tls/certificate.h"
#include "lib/tls/context.h"
#include "lib/tls/engine.h"

namespace postern::tls {
namespace {

std::string pem_of(const CertificatePair& pair) { return pair.key_pem + pair.certificate_pem; }

// Who the server says to be, to a client that asks for that name; or what went wrong.
std::string shown(const ServerOptions& options, const std::string& name,
                  Version version = Version::tls1_3) {
    auto server_context = ServerContext::make(options);
    if (!server_context) return "error: " + server_context.error().what;
    ClientOptions client_options;
    client_options.maximum = version;
    const auto client_context = ClientContext::make(client_options).value();
    auto client = Engine::client(client_context, name).value();
    auto server = Engine::server(*server_context).value();
    std::string to_server, to_client, plain;
    EXPECT_TRUE(client.start(to_server));
    for (int turn = 0; turn < 10 && !(client.established() && server.established()); ++turn) {
        if (!server.feed(std::exchange(to_server, {}), plain, to_client)) return "refused";
        if (!client.feed(std::exchange(to_client, {}), plain, to_server)) return "failed";
    }
    return client.established() ? client.info().peer_name : "nothing";
}

class ServerNames : public testing::Test {
  protected:
    ServerNames() {
        const auto usual = make_self_signed("usual.test").value();
        options_.certificate_pem = usual.certificate_pem;
        options_.key_pem = usual.key_pem;
        options_.identity_for = [this](const std::string& name) -> Lookup<std::string> {
            asked_.push_back(name);
            if (name == "other.test") return pem_of(other_);
            if (name == "bad.test") return std::string("no PEM");
            if (name == "down.test") return Error{Errc::temporary, "away"};
            return NotFound{};
        };
    }
    ServerOptions options_;
    CertificatePair other_ = make_self_signed("other.test").value();
    std::vector<std::string> asked_;
};

TEST_F(ServerNames, TheClientGetsWhatItAskedFor) {
    for (const auto version : {Version::tls1_2, Version::tls1_3}) {
        EXPECT_EQ(shown(options_, "other.test", version), "other.test");
        EXPECT_EQ(shown(options_, "OTHER.Test", version), "other.test");
        EXPECT_EQ(shown(options_, "unknown.test", version), "usual.test");
        EXPECT_EQ(shown(options_, "", version), "usual.test");
        EXPECT_EQ(shown(options_, "192.0.2.1", version), "usual.test");  // RFC 6066 3
    }
}

TEST_F(ServerNames, OddNamesAreNotLookedUp) {
    for (const char* name : {"a b.test", ".other.test", "other.test\n", "x/y"})
        EXPECT_EQ(shown(options_, name), "usual.test") << name;
    EXPECT_TRUE(asked_.empty());
}

TEST_F(ServerNames, WithoutAnAnswerNoHandshake) {
    EXPECT_EQ(shown(options_, "bad.test"), "refused");
    EXPECT_EQ(shown(options_, "down.test"), "refused");
}

TEST(CheckIdentity, KeysWithTheirCertificates) {
    const auto one = make_self_signed("one.test").value();
    const auto two = make_self_signed("two.test").value();
    EXPECT_TRUE(check_identity(pem_of(one)));
    EXPECT_TRUE(check_identity(one.certificate_pem + one.key_pem));  // in any order
    EXPECT_TRUE(check_identity(pem_of(one) + two.certificate_pem));  // as if two had signed one
    EXPECT_TRUE(check_identity(pem_of(one) + pem_of(two)));
    EXPECT_FALSE(check_identity(""));
    EXPECT_FALSE(check_identity("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
    EXPECT_FALSE(check_identity(one.certificate_pem));
    EXPECT_FALSE(check_identity(one.key_pem));
    EXPECT_FALSE(check_identity(one.key_pem + two.certificate_pem));
}

TEST(OpensslConfiguration, Files) {
    EXPECT_TRUE(load_configuration("default", ""));
    EXPECT_TRUE(load_configuration("", ""));
}

// A client's certificate is believed only when somebody has been named to believe.
TEST(ClientCertificate, TheSystemsAuthoritiesAreNotAskedByThemselves) {
    ServerOptions options;
    const auto pair = make_self_signed("mail.test").value();
    options.certificate_pem = pair.certificate_pem;
    options.key_pem = pair.key_pem;
    options.ask_client_certificate = true;
    options.fingerprint_digest = "sha256";
    const auto verified = [&](const std::string& authority) {
        options.trusted_ca_file = authority;
        const auto server_context = ServerContext::make(options).value();
        ClientOptions client_options;
        const auto own = make_self_signed("client.test").value();
        client_options.certificate_pem = own.certificate_pem;
        client_options.key_pem = own.key_pem;
        if (!authority.empty()) {
            FILE* file = fopen(authority.c_str(), "w");
            fputs(own.certificate_pem.c_str(), file);
            fclose(file);
        }
        const auto server_again = ServerContext::make(options).value();
        const auto client_context = ClientContext::make(client_options).value();
        auto client = Engine::client(client_context, "mail.test").value();
        auto server = Engine::server(server_again).value();
        std::string to_server, to_client, plain;
        EXPECT_TRUE(client.start(to_server));
        for (int turn = 0; turn < 10 && !server.established(); ++turn) {
            EXPECT_TRUE(server.feed(std::exchange(to_server, {}), plain, to_client));
            EXPECT_TRUE(client.feed(std::exchange(to_client, {}), plain, to_server));
        }
        const Info info = server.info();
        EXPECT_EQ(info.peer_name, "client.test");
        EXPECT_EQ(info.peer_fingerprints.size(), 2u);
        return info.peer_verified;
    };
    EXPECT_FALSE(verified(""));
    const std::string path = testing::TempDir() + "/server_names_test_ca.pem";
    FILE* file = fopen(path.c_str(), "w");
    ASSERT_TRUE(file);
    fputs(pair.certificate_pem.c_str(), file);
    fclose(file);
    EXPECT_TRUE(verified(path));
    remove(path.c_str());
}

}  // namespace
}  // namespace postern::tls
