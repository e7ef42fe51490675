// DANE from the records in the DNS to the server's certificate.
#include "lib/service/key_files.h"

#include "forwarder/delivery_fixture.h"

namespace postern::forwarder {
namespace {

using smtp::TlsLevel;

TlsSettings dane_settings(const std::string& level, const std::string& more = "") {
    const auto config = config::Config::parse(
        "smtp_dns_support_level = dnssec\n"
        "smtp_tls_security_level = " +
        level + "\n" + more);
    EXPECT_TRUE(config) << config.error().what;
    return TlsSettings::from(*config, false, {}).value();
}

std::string tlsa_3_1_1() { return std::string("\3\1\1", 3) + std::string(32, 'x'); }

// The level that comes out, or why the host must not be used.
std::string settled(const TlsSettings& settings, Tlsa tlsa) {
    const TlsPolicies policies(settings);
    TlsPolicies finder(settings);
    auto policy = finder.find("far.test").value();
    if (const auto why = policies.settle_dane(policy, tlsa, "mx.far.test", 25)) return *why;
    EXPECT_EQ(policy.level == TlsLevel::dane, !policy.tlsa.records.empty());
    return policy.level == TlsLevel::dane      ? "dane"
           : policy.level == TlsLevel::encrypt ? "encrypt"
           : policy.level == TlsLevel::may     ? "may"
                                               : "another";
}

TEST(SettleDane, EachStateAtBothLevels) {
    using enum Tlsa::State;
    struct Case {
        Tlsa tlsa;
        const char* dane;
        const char* dane_only;
    };
    const std::string unusable = std::string("\1\1\1", 3) + std::string(32, 'x');
    const Case cases[] = {
        {{insecure, "", {}, false}, "may", "non DNSSEC destination"},
        {{none, "", {}, false}, "may", "no TLSA records found"},
        {{failed, "", {}, false},
         "TLSA lookup error for mx.far.test:25",
         "TLSA lookup error for mx.far.test:25"},
        {{found, "mx.far.test", {unusable}, false}, "encrypt", "TLSA records unusable"},
        {{found, "mx.far.test", {unusable, tlsa_3_1_1()}, false}, "dane", "dane"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(settled(dane_settings("dane"), c.tlsa), c.dane);
        EXPECT_EQ(settled(dane_settings("dane-only"), c.tlsa), c.dane_only);
        EXPECT_EQ(settled(dane_settings("encrypt"), c.tlsa), "encrypt");
    }
}

TEST(SettleDane, WithoutDnssecThereIsNone) {
    auto settings = dane_settings("dane");
    settings.dnssec = false;
    EXPECT_EQ(settled(settings, {Tlsa::State::found, "mx.far.test", {tlsa_3_1_1()}, false}), "may");
    settings = dane_settings("dane-only");
    settings.dnssec = false;
    EXPECT_EQ(settled(settings, {}), "dane configured with dnssec lookups disabled");
}

TEST(SettleDane, MxRecordsThatAreNotSigned) {
    const Tlsa mx{Tlsa::State::insecure, "", {}, true};
    EXPECT_EQ(settled(dane_settings("dane", "smtp_tls_dane_insecure_mx_policy = encrypt\n"), mx),
              "encrypt");
    EXPECT_EQ(settled(dane_settings("dane", "smtp_tls_dane_insecure_mx_policy = may\n"), mx),
              "may");
    EXPECT_EQ(dane_settings("dane").insecure_mx, TlsLevel::dane);  // the default
    EXPECT_EQ(dane_settings("may").insecure_mx, TlsLevel::may);
    const auto config =
        config::Config::parse("smtp_tls_dane_insecure_mx_policy = secure\n").value();
    EXPECT_FALSE(TlsSettings::from(config, false, {}));
}

TEST(SettleDane, DigestsThatAreNotAllowed) {
    const Tlsa tlsa{Tlsa::State::found, "mx.far.test", {tlsa_3_1_1()}, false};
    EXPECT_EQ(settled(dane_settings("dane", "tls_dane_digests = sha512\n"), tlsa), "encrypt");
}

// ---- which records are asked for
// ------------------------------------------------------------------

class DaneLookup : public testing::Test {
  protected:
    // "host: state base" of each target.
    std::string find(std::string_view zone, std::string_view next_hop) {
        dns_ = std::make_unique<tests::FakeAsyncDns>(loop_, zone);
        SystemRandom& random = SystemRandom::instance();
        TargetFinder finder(loop_, *dns_, options_, random);
        std::string result;
        auto search = finder.find(
            *parse_next_hops(next_hop, true),
            [&](TargetsOrVerdict found) {
                if (auto* verdict = std::get_if<Verdict>(&found)) result = verdict->text;
                if (auto* targets = std::get_if<std::vector<Target>>(&found)) {
                    constexpr const char* kStates[] = {"insecure", "none", "failed", "found"};
                    for (const Target& t : *targets)
                        result += cat({t.host, ": ", kStates[static_cast<int>(t.tlsa.state)], " ",
                                       t.tlsa.base, "; "});
                }
                loop_.stop();
            },
            true);
        loop_.run_for(Seconds{5});
        return result;
    }
    loop::Loop loop_;
    std::unique_ptr<tests::FakeAsyncDns> dns_;
    Options options_ = [] {
        Options options;
        options.randomize = false;
        options.ask_ipv6 = false;
        return options;
    }();
};

TEST_F(DaneLookup, SignedAllTheWay) {
    EXPECT_EQ(find("far.test MX 10 mx.far.test\nfar.test SECURE\nmx.far.test A 192.0.2.1\n"
                   "mx.far.test SECURE\n_25._tcp.mx.far.test TLSA 3 1 1 00\n"
                   "_25._tcp.mx.far.test SECURE\n",
                   "far.test"),
              "mx.far.test: found mx.far.test; ");
    EXPECT_EQ(find("mx.far.test A 192.0.2.1\nmx.far.test SECURE\n"
                   "_587._tcp.mx.far.test TLSA 3 1 1 00\n_587._tcp.mx.far.test SECURE\n",
                   "[mx.far.test]:587"),
              "mx.far.test: found mx.far.test; ");
}

TEST_F(DaneLookup, AWeakLinkBreaksTheChain) {
    const std::string tlsa = "_25._tcp.mx.far.test TLSA 3 1 1 00\n";
    const std::string mx = "far.test MX 10 mx.far.test\nmx.far.test A 192.0.2.1\n";
    EXPECT_EQ(find(mx + "far.test SECURE\n" + tlsa + "_25._tcp.mx.far.test SECURE\n", "far.test"),
              "mx.far.test: insecure ; ")
        << "the address is not signed";
    EXPECT_EQ(find(mx + "far.test SECURE\nmx.far.test SECURE\n" + tlsa, "far.test"),
              "mx.far.test: none mx.far.test; ")
        << "the record is not signed";
    EXPECT_EQ(find(mx + "far.test SECURE\nmx.far.test SECURE\n", "far.test"),
              "mx.far.test: none mx.far.test; ");
    EXPECT_EQ(
        find(mx + "far.test SECURE\nmx.far.test SECURE\n_25._tcp.mx.far.test FAIL\n", "far.test"),
        "mx.far.test: failed mx.far.test; ");
    const std::string unsigned_mx =
        mx + "mx.far.test SECURE\n" + tlsa + "_25._tcp.mx.far.test SECURE\n";
    options_.tls.insecure_mx = TlsLevel::may;
    EXPECT_EQ(find(unsigned_mx, "far.test"), "mx.far.test: insecure ; ");
    options_.tls.insecure_mx = TlsLevel::dane;
    EXPECT_EQ(find(unsigned_mx, "far.test"), "mx.far.test: found mx.far.test; ");
    EXPECT_EQ(find("", "[192.0.2.1]"), "192.0.2.1: insecure ; ");
}

// RFC 7672 2.2.2.
TEST_F(DaneLookup, AliasesOfHosts) {
    const std::string alias =
        "mx.far.test CNAME real.test\nmx.far.test SECURE\nreal.test A 192.0.2.1\nreal.test "
        "SECURE\n";
    EXPECT_EQ(find(alias + "_25._tcp.real.test TLSA 3 1 1 00\n_25._tcp.real.test SECURE\n",
                   "[mx.far.test]"),
              "mx.far.test: found real.test; ");
    EXPECT_EQ(find(alias + "_25._tcp.mx.far.test TLSA 3 1 1 00\n_25._tcp.mx.far.test SECURE\n",
                   "[mx.far.test]"),
              "mx.far.test: found mx.far.test; ");
}

// ---- whole deliveries
// -----------------------------------------------------------------------------

class DaneDelivery : public DeliveryTest {
  protected:
    DaneDelivery() {
        options_.tls = dane_settings("dane");
        options_.tls_loglevel = 1;
        options_.ask_ipv6 = false;
        pair_ = tls::make_self_signed("mx.far.test").value();
        server_options_.certificate_pem = pair_.certificate_pem;
        server_options_.key_pem = pair_.key_pem;
        set_content("x\r\n");
    }
    // A server for [mx.far.test]:port whose key has this digest in the DNS.
    ipc::RecipientReport send(const std::string& digest) {
        FakeServer server(loop_,
                          {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"}, {"STARTTLS", "220 go\r\n"}});
        server.tls.emplace(*tls::ServerContext::make(server_options_));
        const std::string name = "_" + std::to_string(server.port()) + "._tcp.mx.far.test";
        dns_.zone =
            tests::FakeDns("mx.far.test A 127.0.0.1\nmx.far.test SECURE\n" + name + " SECURE\n" +
                           (digest.empty() ? "" : name + " TLSA 3 1 1 " + digest + "\n"));
        const auto report =
            deliver(request("[mx.far.test]:" + std::to_string(server.port()), {"a@far.test"}));
        messages_ = server.messages;
        return report.recipients.at(0);
    }
    // Of the public key, as a client sees it.
    std::string digest_of_key() const {
        tls::ClientOptions client_options;
        client_options.fingerprint_digest = "sha256";
        const auto context = tls::ClientContext::make(client_options).value();
        const auto server_context = tls::ServerContext::make(server_options_).value();
        auto client = tls::Engine::client(context, "mx.far.test").value();
        auto server = tls::Engine::server(server_context).value();
        std::string to_server, to_client, plain;
        EXPECT_TRUE(client.start(to_server));
        for (int turn = 0; turn < 10 && !client.established(); ++turn) {
            EXPECT_TRUE(server.feed(std::exchange(to_server, {}), plain, to_client));
            EXPECT_TRUE(client.feed(std::exchange(to_client, {}), plain, to_server));
        }
        std::string digest = client.info().peer_fingerprints.at(1);
        std::erase(digest, ':');
        return digest;
    }
    tls::CertificatePair pair_;
    tls::ServerOptions server_options_;
    int messages_ = 0;
};

TEST_F(DaneDelivery, GoesToTheServerThatTheDnsMeans) {
    const auto report = send(digest_of_key());
    EXPECT_EQ(report.outcome, ipc::Outcome::accept) << report.text;
    EXPECT_THAT(log_, testing::HasSubstr("Verified TLS connection established to mx.far.test"));
}

TEST_F(DaneDelivery, WaitsWhileAnotherOneAnswers) {
    const auto report = send(std::string(64, '0'));
    EXPECT_EQ(report.outcome, ipc::Outcome::defer);
    EXPECT_EQ(report.status, "4.7.5");
    EXPECT_EQ(report.text, "Server certificate not verified");
    EXPECT_EQ(messages_, 0);
}

TEST_F(DaneDelivery, WithoutRecordsTlsIsOptionalOrTheHostIsSkipped) {
    EXPECT_EQ(send("").outcome, ipc::Outcome::accept);
    EXPECT_THAT(log_, testing::Not(testing::HasSubstr("Verified TLS")));
    options_.tls = dane_settings("dane-only");
    pool_.reset();
    const auto report = send("");
    EXPECT_EQ(report.outcome, ipc::Outcome::defer);
    EXPECT_EQ(report.status, "4.7.5");
    EXPECT_EQ(report.text, "no TLSA records found");
}

}  // namespace
}  // namespace postern::forwarder
