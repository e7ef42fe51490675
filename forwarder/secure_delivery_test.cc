// Whole deliveries under TLS and with passwords.
#include "forwarder/delivery_fixture.h"

namespace postern::forwarder {
namespace {

TEST_F(DeliveryTest, StartTls) {
    auto pair = tls::make_self_signed("fake");
    ASSERT_TRUE(pair);
    tls::ServerOptions server_options;
    server_options.certificate_pem = pair->certificate_pem;
    server_options.key_pem = pair->key_pem;
    options_.tls.level = smtp::TlsLevel::may;
    set_content("x\r\n");

    FakeServer server(loop_,
                      {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"}, {"STARTTLS", "220 go\r\n"}});
    server.tls.emplace(*tls::ServerContext::make(server_options));
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept)
        << report.recipients.at(0).text;
    EXPECT_THAT(server.lines,
                testing::ElementsAre("EHLO me.test", "STARTTLS", "EHLO me.test",
                                     "MAIL FROM:<s@x.test>", "RCPT TO:<a@y.test>", "DATA"));
    deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(server.connections, 1);
}

TEST_F(DeliveryTest, BrokenTlsFallsBackToPlaintext) {
    options_.tls.level = smtp::TlsLevel::may;
    set_content("x\r\n");
    FakeServer server(loop_, {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"}, {"STARTTLS", "CLOSE"}});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);

    FakeServer garbage(loop_, {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"},
                               {"STARTTLS", "220 go\r\nthis is no handshake\r\n"}});
    report = deliver(request(garbage.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(garbage.connections, 2);
}

TEST_F(DeliveryTest, TlsRequired) {
    options_.tls.level = smtp::TlsLevel::encrypt;
    set_content("x\r\n");
    FakeServer server(loop_, {});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).status, "4.7.4");
    EXPECT_EQ(server.messages, 0);
}

// RFC 8689 5: the sender would rather have it read than lost. The next message has its policy
// still.
TEST_F(DeliveryTest, TlsRequiredNo) {
    for (const auto level : {smtp::TlsLevel::encrypt, smtp::TlsLevel::dane_only,
                             smtp::TlsLevel::secure, smtp::TlsLevel::fingerprint}) {
        pool_.reset();
        options_.tls.level = level;
        set_content("x\r\n");
        FakeServer server(loop_, {});
        auto optional = request(server.hop(), {"a@y.test"});
        optional.tls_optional = true;
        EXPECT_EQ(deliver(optional).recipients.at(0).outcome, ipc::Outcome::accept);
        EXPECT_EQ(deliver(request(server.hop(), {"a@y.test"})).recipients.at(0).outcome,
                  ipc::Outcome::defer);
        EXPECT_EQ(server.messages, 1);
    }
}

TEST_F(DeliveryTest, RulesForSingleServers) {
    options_.ignored_extension_maps = "inline:{{127.0.0.1=size, dsn}}";
    options_.reply_filter = "inline:{{550 5.7.1 odd=450 4.7.1 later}, {250 nonsense=250 2.1.5 ok}}";
    set_content("x\r\n");
    FakeServer server(loop_, {{"EHLO", "250-fake\r\n250-DSN\r\n250 SIZE 1\r\n"},
                              {"MAIL", "250 nonsense\r\n"},
                              {"RCPT", "550 5.7.1 odd\r\n"}});
    const auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_EQ(report.recipients.at(0).status, "4.7.1");
    EXPECT_EQ(server.lines.at(1), "MAIL FROM:<s@x.test>") << "without SIZE, and no limit of 1";
    EXPECT_EQ(server.lines.at(2), "RCPT TO:<a@y.test>");
}

TEST_F(DeliveryTest, AFilterThatFailsMakesMailWait) {
    options_.reply_filter = "fail:x";
    set_content("x\r\n");
    FakeServer server(loop_, {});
    const auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_EQ(server.messages, 0);
}

TEST_F(DeliveryTest, TellsWhereTheMessageComesFrom) {
    options_.send_xforward = true;
    set_content("x\r\n");
    FakeServer server(loop_, {{"EHLO", "250-fake\r\n250 XFORWARD NAME ADDR PROTO HELO IDENT\r\n"},
                              {"XFORWARD", "501 5.5.4 Bad HELO\r\n"}});
    auto what = request(server.hop(), {"a@y.test"});
    what.client_name = "c.test";
    what.client_address = "192.0.2.7";
    what.client_port = "99";
    what.helo = "my host";
    what.log_ident = "4cQ1a";
    what.from_network = true;
    auto report = deliver(what);
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_THAT(server.lines,
                testing::ElementsAre("EHLO me.test", "XFORWARD NAME=c.test ADDR=192.0.2.7",
                                     "XFORWARD HELO=my+20host IDENT=4cQ1a", "MAIL FROM:<s@x.test>",
                                     "RCPT TO:<a@y.test>", "DATA"));
    FakeServer plain(loop_, {});
    deliver(request(plain.hop(), {"a@y.test"}));
    EXPECT_EQ(plain.lines.at(1), "MAIL FROM:<s@x.test>") << "where it is not offered";
}

// The login of RFC 4954, as a relay host with a password wants it.
TEST_F(DeliveryTest, LogsInWithPlain) {
    options_.sasl.enabled = true;
    options_.sasl.password_maps = "static:tim:tanstaaf";
    set_content("x\r\n");
    FakeServer server(
        loop_, {{"EHLO", "250-fake\r\n250 AUTH LOGIN PLAIN\r\n"}, {"AUTH", "235 2.7.0 ok\r\n"}});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept)
        << report.recipients.at(0).text;
    EXPECT_THAT(server.lines,
                testing::ElementsAre("EHLO me.test", "AUTH PLAIN AHRpbQB0YW5zdGFhZg==",
                                     "MAIL FROM:<s@x.test>", "RCPT TO:<a@y.test>", "DATA"));
    deliver(request(server.hop(), {"a@y.test"}));  // the same login rides on the same connection
    EXPECT_EQ(server.connections, 1);
}

TEST_F(DeliveryTest, ARefusedLoginMakesMailWait) {
    options_.sasl.enabled = true;
    options_.sasl.password_maps = "static:tim:wrong";
    set_content("x\r\n");
    FakeServer server(loop_,
                      {{"EHLO", "250-fake\r\n250 AUTH PLAIN\r\n"}, {"AUTH", "535 5.7.8 no\r\n"}});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_EQ(report.recipients.at(0).status, "4.7.8");
    EXPECT_THAT(report.recipients.at(0).text,
                testing::HasSubstr(
                    "SASL authentication failed; server 127.0.0.1[127.0.0.1] said: 535 5.7.8 no"));
    EXPECT_EQ(server.messages, 0);
}

TEST_F(DeliveryTest, NoMechanismNoMail) {
    options_.sasl.enabled = true;
    options_.sasl.plain.plaintext = false;
    options_.sasl.password_maps = "static:tim:x";
    set_content("x\r\n");
    FakeServer server(loop_, {{"EHLO", "250-fake\r\n250 AUTH PLAIN\r\n"}});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_THAT(report.recipients.at(0).text, testing::HasSubstr("no mechanism available"));
    EXPECT_EQ(server.messages, 0);
    for (const auto& line : server.lines) EXPECT_FALSE(line.starts_with("AUTH"));
}

TEST_F(DeliveryTest, APasswordNeverFollowsAFailedHandshakeInPlaintext) {
    options_.tls.level = smtp::TlsLevel::may;
    options_.sasl.enabled = true;
    options_.sasl.password_maps = "static:tim:x";
    set_content("x\r\n");
    FakeServer garbage(loop_, {{"EHLO", "250-fake\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"},
                               {"STARTTLS", "220 go\r\nthis is no handshake\r\n"}});
    auto report = deliver(request(garbage.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_EQ(garbage.connections, 1);
}

TEST_F(DeliveryTest, SendersWithPasswordsOfTheirOwnShareNoConnection) {
    options_.sasl.enabled = options_.sasl.by_sender = true;
    options_.sasl.password_maps = "inline:{{s@x.test=one:p},{t@x.test=two:p}}";
    set_content("x\r\n");
    FakeServer server(loop_, {{"EHLO", "250-fake\r\n250 AUTH PLAIN\r\n"}, {"AUTH", "235 ok\r\n"}});
    deliver(request(server.hop(), {"a@y.test"}));
    auto second = request(server.hop(), {"a@y.test"});
    second.sender = "t@x.test";
    deliver(second);
    EXPECT_EQ(server.connections, 2);
    deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(server.connections, 2);
}

class SecureDeliveryTest : public DeliveryTest {
  protected:
    SecureDeliveryTest() {
        auto pair = tls::make_self_signed("fake.test");
        server_options_.certificate_pem = pair->certificate_pem;
        server_options_.key_pem = pair->key_pem;
        char name[] = "/tmp/forwarder-ca-XXXXXX";
        Fd file(::mkstemp(name));
        ca_ = name;
        EXPECT_GT(::write(file.get(), pair->certificate_pem.data(), pair->certificate_pem.size()),
                  0);
        options_.tls_loglevel = 1;
        set_content("x\r\n");
    }
    ~SecureDeliveryTest() override { ::unlink(ca_.c_str()); }
    ipc::DeliverReport deliver_to(FakeServer& server) {
        server.tls.emplace(*tls::ServerContext::make(server_options_));
        return deliver(request(server.hop(), {"a@y.test"}));
    }
    FakeServer starttls() {
        return FakeServer(loop_,
                          {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"}, {"STARTTLS", "220 go\r\n"}});
    }

    tls::ServerOptions server_options_;
    std::string ca_;
};

TEST_F(SecureDeliveryTest, VerifyNeedsTrustAndName) {
    options_.tls.level = smtp::TlsLevel::secure;
    options_.tls.secure_match = {"fake.test"};
    FakeServer stranger = starttls();
    auto report = deliver_to(stranger);
    EXPECT_EQ(report.recipients.at(0).text, "Server certificate not trusted");
    EXPECT_EQ(report.recipients.at(0).status, "4.7.5");
    EXPECT_EQ(stranger.messages, 0);
    EXPECT_THAT(log_, testing::HasSubstr(
                          "server certificate verification failed for 127.0.0.1[127.0.0.1]:"));
    EXPECT_THAT(
        log_, testing::HasSubstr("Untrusted TLS connection established to 127.0.0.1[127.0.0.1]:"));
}

TEST_F(SecureDeliveryTest, TrustedAndNamed) {
    options_.tls.level = smtp::TlsLevel::secure;
    options_.tls.secure_match = {"fake.test"};
    options_.tls.base.trusted_ca_file = ca_;
    FakeServer server = starttls();
    auto report = deliver_to(server);
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept)
        << report.recipients.at(0).text;
    EXPECT_THAT(log_,
                testing::HasSubstr("Verified TLS connection established to 127.0.0.1[127.0.0.1]:"));
    EXPECT_THAT(log_, testing::HasSubstr(
                          "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange "
                          "X25519 server-signature ECDSA (P-256) server-digest SHA256"));
}

TEST_F(SecureDeliveryTest, TrustedAndNamedOtherwise) {
    options_.tls.level = smtp::TlsLevel::verify;  // hostname: 127.0.0.1
    options_.tls.base.trusted_ca_file = ca_;
    FakeServer server = starttls();
    EXPECT_EQ(deliver_to(server).recipients.at(0).text, "Server certificate not verified");
    EXPECT_EQ(server.messages, 0);
}

TEST_F(SecureDeliveryTest, Fingerprint) {
    options_.tls.level = smtp::TlsLevel::fingerprint;
    options_.tls.base.fingerprint_digest = "sha256";
    options_.tls.fingerprints = {"00:11"};
    FakeServer server = starttls();
    EXPECT_EQ(deliver_to(server).recipients.at(0).text, "Server certificate not verified");
}

TEST_F(SecureDeliveryTest, Wrapper) {
    options_.tls.level = smtp::TlsLevel::encrypt;
    options_.tls_wrapper = true;
    FakeServer server(loop_, {});
    server.wrapper = true;
    auto report = deliver_to(server);
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept)
        << report.recipients.at(0).text;
    EXPECT_THAT(server.lines, testing::ElementsAre("EHLO me.test", "MAIL FROM:<s@x.test>",
                                                   "RCPT TO:<a@y.test>", "DATA"));
}

TEST_F(SecureDeliveryTest, WrapperAgainstAServerThatSpeaksPlainly) {
    options_.tls.level = smtp::TlsLevel::encrypt;
    options_.tls_wrapper = true;
    FakeServer server(loop_, {});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_THAT(report.recipients.at(0).text,
                testing::HasSubstr("Cannot start TLS: handshake failure"));
}

TEST_F(SecureDeliveryTest, OffersNoted) {
    options_.note_starttls_offer = true;
    FakeServer server = starttls();
    deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_THAT(log_, testing::HasSubstr("Host offered STARTTLS: [127.0.0.1]"));
}

// smtp_sasl_auth_cache_name: a server is not asked again and again with a password that it refused.
TEST_F(DeliveryTest, RefusedLoginsAreRemembered) {
    options_.sasl.enabled = true;
    options_.sasl.password_maps = "static:u:p";
    set_content("x\r\n");
    for (const bool remember : {false, true}) {
        for (const std::string answer : {"535 5.7.8 wrong", "454 4.7.0 later"}) {
            options_.sasl.remember_refusals = Millis{remember ? 60'000 : 0};
            options_.sasl.soft_bounce = answer.starts_with("4");
            pool_.reset();
            FakeServer server(
                loop_, {{"EHLO", "250-fake\r\n250 AUTH PLAIN\r\n"}, {"AUTH", answer + "\r\n"}});
            const auto first = deliver(request(server.hop(), {"a@y.test"})).recipients.at(0);
            const auto second = deliver(request(server.hop(), {"a@y.test"})).recipients.at(0);
            const bool cached = remember && answer.starts_with("5");
            EXPECT_EQ(server.connections, cached ? 1 : 2) << answer;
            EXPECT_EQ(second.outcome, first.outcome);
            EXPECT_EQ(second.status, first.status);
            EXPECT_EQ(second.text.starts_with("SASL [CACHED] authentication failed; server "
                                              "127.0.0.1[127.0.0.1] said: 535 5.7.8 wrong"),
                      cached)
                << second.text;
        }
    }
}

}  // namespace
}  // namespace postern::forwarder
