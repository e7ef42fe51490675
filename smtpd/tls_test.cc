// STARTTLS and TLS from the first byte.
#include <sys/socket.h>

#include <unistd.h>

#include "lib/log/log.h"
#include "lib/sys/file.h"
#include "lib/tls/certificate.h"

#include "smtpd/smtpd_fixture.h"

namespace postern::smtpd {
namespace {

using testing::HasSubstr;

struct TlsClient {
    explicit TlsClient(int fd_in, tls::ClientContext own = tls::ClientContext::make({}).value())
        : fd(fd_in),
          context(std::move(own)),
          engine(tls::Engine::client(context, "mail.test").value()) {
        std::string out;
        EXPECT_TRUE(engine.start(out));
        send(out);
    }
    void send(const std::string& out) {
        EXPECT_EQ(::send(fd, out.data(), out.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(out.size()));
    }
    void take(std::string_view bytes) {
        std::string out;
        EXPECT_TRUE(engine.feed(bytes, plain, out));
        if (!out.empty()) send(out);
    }
    void say(std::string_view text) {
        std::string out;
        EXPECT_TRUE(engine.write(text, out));
        send(out);
    }
    int fd;
    tls::ClientContext context;
    tls::Engine engine;
    std::string plain;
};

class SmtpdTls : public SmtpdTest {
  protected:
    SmtpdTls() {
        auto pair = tls::make_self_signed("mail.test").value();
        tls::ServerOptions server;
        server.certificate_pem = pair.certificate_pem;
        server.key_pem = pair.key_pem;
        options.tls.emplace(tls::ServerContext::make(server).value());
        options.engine.tls_available = true;
        options.tls_loglevel = 1;
        options.tls_received_header = true;
    }
    void run_until(TlsClient& tls, std::string_view text) {
        const auto deadline = Deadline::in(Millis(5000));
        while (!tls.plain.ends_with(text) && !deadline.passed()) {
            loop.run_for(Millis(1));
            char bytes[65536];
            const ssize_t size = ::recv(client.get(), bytes, sizeof bytes, 0);
            if (size > 0) tls.take({bytes, static_cast<std::size_t>(size)});
        }
        EXPECT_TRUE(tls.plain.ends_with(text)) << tls.plain;
    }
};

TEST_F(SmtpdTls, StartTls) {
    begin();
    EXPECT_THAT(talk("EHLO c\r\n", "8BITMIME\r\n"), HasSubstr("250-STARTTLS\r\n"));
    EXPECT_EQ(talk("STARTTLS\r\n", "\n"), "220 2.0.0 Ready to start TLS\r\n");
    TlsClient tls(client.get());
    ASSERT_TRUE(wait_for([&] {
        char bytes[65536];
        const ssize_t size = ::recv(client.get(), bytes, sizeof bytes, 0);
        if (size > 0) tls.take({bytes, static_cast<std::size_t>(size)});
        return tls.engine.established();
    }));
    tls.say("EHLO c\r\n");
    run_until(tls, "8BITMIME\r\n");
    EXPECT_THAT(tls.plain, testing::Not(HasSubstr("STARTTLS")));
    tls.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n");
    run_until(tls, "<CR><LF>\r\n");
    tls.say("secret\r\n.\r\nQUIT\r\n");
    run_until(tls, "Bye\r\n");
    EXPECT_EQ(cleanup->envelopes.at(0).protocol, "ESMTPS");
    EXPECT_EQ(cleanup->envelopes.at(0).tls_protocol, "TLSv1.3");
    EXPECT_EQ(cleanup->messages.at(0), "secret\r\n");
    EXPECT_THAT(
        logged(),
        HasSubstr(
            "Anonymous TLS connection established from unknown[127.0.0.1]: TLSv1.3 with cipher "));
}

TEST_F(SmtpdTls, InjectedPlaintextEndsTheSession) {
    begin();
    talk("EHLO c\r\n", "8BITMIME\r\n");
    EXPECT_EQ(talk("STARTTLS\r\nMAIL FROM:<evil@b.test>\r\n", ""),
              "220 2.0.0 Ready to start TLS\r\n");
    EXPECT_TRUE(wait_for([&] { return ended == 1; }));
}

TEST_F(SmtpdTls, WrapperMode) {
    options.wrapper_mode = options.engine.tls_required = true;
    begin();
    TlsClient tls(client.get());
    run_until(tls, "220 mail.test ESMTP\r\n");
    tls.say("EHLO c\r\n");
    run_until(tls, "8BITMIME\r\n");
    tls.say("MAIL FROM:<a@b.test>\r\n");
    run_until(tls, "250 2.1.0 Ok\r\n");
    client.reset();
    EXPECT_TRUE(wait_for([&] { return ended == 1; }));
}

// As a client with a certificate, or without one; what is left of the session after the greeting.
class SmtpdClientCertificate : public SmtpdTls {
  protected:
    void configure(bool required, const std::string& authority) {
        auto pair = tls::make_self_signed("mail.test").value();
        tls::ServerOptions server;
        server.certificate_pem = pair.certificate_pem;
        server.key_pem = pair.key_pem;
        server.ask_client_certificate = true;
        server.fingerprint_digest = "sha256";
        server.trusted_ca_file = authority;
        options.tls.emplace(tls::ServerContext::make(server).value());
        options.wrapper_mode = options.engine.tls_required = true;
        options.ask_client_certificate = true;
        options.require_client_certificate = required;
        options.tls_loglevel = 2;
    }
    std::string greeting(tls::ClientContext context) {
        begin();
        TlsClient tls(client.get(), std::move(context));
        run_until(tls, "\r\n");
        return tls.plain;
    }
    static tls::ClientContext with(const tls::CertificatePair& pair) {
        tls::ClientOptions client;
        client.certificate_pem = pair.certificate_pem;
        client.key_pem = pair.key_pem;
        return tls::ClientContext::make(client).value();
    }
    const tls::CertificatePair own = tls::make_self_signed("client.test").value();
};

TEST_F(SmtpdClientCertificate, IsRequired) {
    configure(true, "");
    EXPECT_EQ(greeting(tls::ClientContext::make({}).value()),
              "421 4.7.1 mail.test Error: No client certificate presented\r\n");
    EXPECT_THAT(logged(), HasSubstr("NOQUEUE: abort: TLS from unknown[127.0.0.1]: No client "
                                    "certificate presented"));
}

TEST_F(SmtpdClientCertificate, MustBeTrustedWhereRequired) {
    configure(true, "");
    EXPECT_EQ(greeting(with(own)), "421 4.7.1 mail.test Error: Client certificate not trusted\r\n");
    EXPECT_THAT(logged(), HasSubstr("unknown[127.0.0.1]: Untrusted: subject_CN=client.test, "
                                    "issuer=client.test, fingerprint="));
}

TEST_F(SmtpdClientCertificate, IsToldToPolicyAndInReceived) {
    const std::string path = testing::TempDir() + "/smtpd_tls_test_ca.pem";
    ASSERT_TRUE(sys::replace_file(path, own.certificate_pem));
    configure(true, path);
    begin();
    TlsClient tls(client.get(), with(own));
    run_until(tls, "220 mail.test ESMTP\r\n");
    tls.say("EHLO c\r\n");
    run_until(tls, "8BITMIME\r\n");
    tls.say("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n");
    run_until(tls, "<CR><LF>\r\n");
    tls.say("text\r\n.\r\nQUIT\r\n");
    run_until(tls, "Bye\r\n");
    EXPECT_EQ(cleanup->envelopes.at(0).tls_peer,
              "Client CN \"client.test\", Issuer \"client.test\" (verified OK)");
    const auto& question = policy->questions.back();
    EXPECT_TRUE(question.certificate_trusted);
    EXPECT_EQ(question.certificate_subject, "client.test");
    EXPECT_EQ(question.certificate_fingerprint.size(), 32u * 3 - 1);
    EXPECT_EQ(question.key_fingerprint.size(), 32u * 3 - 1);
    EXPECT_GT(question.tls_bits, 0u);
    EXPECT_THAT(logged(), HasSubstr("Trusted TLS connection established from unknown[127.0.0.1]"));
    ::unlink(path.c_str());
}

TEST_F(SmtpdClientCertificate, MayBeMissingWhereItIsOnlyAskedFor) {
    configure(false, "");
    EXPECT_EQ(greeting(tls::ClientContext::make({}).value()), "220 mail.test ESMTP\r\n");
}

TEST_F(SmtpdTls, AFailedHandshakeIsLogged) {
    options.wrapper_mode = true;
    begin();
    talk("EHLO in plaintext\r\n", "");
    EXPECT_TRUE(wait_for([&] { return ended == 1; }));
    EXPECT_THAT(logged(), HasSubstr("SSL_accept error from unknown[127.0.0.1]: "));
}

// However a client's bytes are cut into packets, it hears the same and the same mail comes through.

TEST(Options, TlsAndSaslOfMainCf) {
    const std::string pem = testing::TempDir() + "/smtpd_tls_test.pem";
    const auto pair = *tls::make_self_signed("mail.test");
    ASSERT_TRUE(sys::replace_file(pem, pair.key_pem + pair.certificate_pem));
    const std::string base = "smtpd_tls_chain_files = " + pem + "\nsmtpd_sasl_auth_enable = yes\n";
    const auto read = [&](const std::string& text) {
        log::open_capture();
        return read_options(*config::Config::parse(base + text), "smtp");
    };
    auto good = read(
        "smtpd_tls_security_level = may\nsmtpd_tls_ciphers = high\nsmtpd_tls_exclude_ciphers = "
        "aNULL, RC4\n"
        "tls_preempt_cipherlist = yes\nsmtpd_tls_ask_ccert = yes\nsmtpd_tls_received_header = yes\n"
        "smtpd_sasl_security_options = noanonymous, noplaintext\nsmtpd_sasl_tls_security_options = "
        "noanonymous\n");
    ASSERT_TRUE(good) << good.error().what;
    EXPECT_TRUE(good->tls && good->engine.tls_available && !good->engine.tls_required);
    EXPECT_TRUE(good->engine.auth_enabled && good->engine.auth_tls_only &&
                good->tls_received_header);
    EXPECT_TRUE(read("smtpd_enforce_tls = yes\n")->engine.tls_required);
    // A certificate can be required only of those who must use TLS.
    const std::string required = "smtpd_tls_req_ccert = yes\nsmtpd_tls_security_level = ";
    EXPECT_TRUE(read(required + "encrypt\n")->require_client_certificate);
    EXPECT_FALSE(read(required + "may\n")->require_client_certificate);
    EXPECT_THAT(log::take_captured(),
                testing::HasSubstr("Can't require client certs unless TLS is required"));
    // Tables of certificates: what has them, and what has none.
    EXPECT_TRUE(read("smtpd_tls_security_level = may\ntls_server_sni_maps = hash:/no/such\n")->tls);
    EXPECT_FALSE(read("smtpd_tls_security_level = encrypt\ntls_server_sni_maps = pcre:/etc/x\n"));
    EXPECT_FALSE(read("smtpd_tls_security_level = may\n")->engine.auth_tls_only);
    // noplaintext leaves nothing, in clear and under TLS: AUTH is not offered, and the log says so.
    EXPECT_FALSE(read("smtpd_sasl_security_options = noplaintext\n")->engine.auth_enabled);
    EXPECT_THAT(log::take_captured(),
                testing::HasSubstr("smtpd_sasl_tls_security_options leaves no mechanism"));
    // What cannot be set up is not offered, or an error where it is required.
    for (const char* wrong : {"tls_medium_cipherlist = NONSENSE", "tls_ssl_options = no_such",
                              "tls_eecdh_auto_curves = circle"}) {
        EXPECT_FALSE(read(std::string("smtpd_tls_security_level = may\n") + wrong)->tls) << wrong;
        EXPECT_FALSE(read(std::string("smtpd_tls_security_level = encrypt\n") + wrong)) << wrong;
    }
    EXPECT_FALSE(
        read("smtpd_tls_security_level = encrypt\nsmtpd_tls_mandatory_ciphers = high\n"
             "tls_high_cipherlist = NONSENSE"));
    ::unlink(pem.c_str());
}

}  // namespace
}  // namespace postern::smtpd
