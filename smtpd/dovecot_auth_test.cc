// AUTH with a Dovecot server, played by a script on a stream socket.
#include <sys/un.h>

#include "lib/sys/socket.h"

#include "smtpd/smtpd_fixture.h"

namespace postern::smtpd {
namespace {

constexpr const char* kServerHello =
    "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tCRAM-"
    "MD5\tdictionary\tactive\n"
    "SPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n";

class DovecotTest : public SmtpdTest {
  protected:
    DovecotTest() {
        path_ = folder.path() + "/dovecot";
        options.engine.auth_enabled = options.engine.auth_relayed = true;
        Options::SaslServer server;
        server.address = sys::SocketAddress::unix_path(path_).value();
        server.name = path_;
        options.sasl_rules = options.sasl_tls_rules = {"noanonymous"};
        options.sasl_filter = {"!external", "static:rest"};
        options.sasl_server = server;
    }
    void serve() {
        listener_ = sys::listen_on(options.sasl_server->address).value();
        watch_ = std::make_unique<loop::Watch>(loop, listener_.get(), [this] {
            auto accepted = sys::accept_from(listener_.get());
            if (!accepted || !*accepted) return;
            ++connections;
            server_ = std::move((*accepted)->fd);
            say(hello);
            reading_ = std::make_unique<loop::Watch>(loop, server_.get(), [this] { read(); });
            reading_->want_read(true);
        });
        watch_->want_read(true);
    }
    void say(const std::string& text) {
        EXPECT_EQ(::send(server_.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    void read() {
        char bytes[4096];
        const ssize_t n = ::recv(server_.get(), bytes, sizeof bytes, 0);
        if (n <= 0) return hang_up();
        heard.append(bytes, static_cast<std::size_t>(n));
        if (!answers.empty() && heard.find(answers.front().first) != std::string::npos) {
            const auto answer = answers.front().second;
            answers.erase(answers.begin());
            answer.empty() ? hang_up() : say(answer);
        }
    }
    void hang_up() {
        reading_.reset();
        server_.reset();
    }
    std::string path_, heard, hello = kServerHello;
    std::vector<std::pair<std::string, std::string>> answers;  // when that was heard, this is said
    int connections = 0;

  private:
    Fd listener_, server_;
    std::unique_ptr<loop::Watch> watch_, reading_;
};

TEST_F(DovecotTest, OffersWhatTheServerAnnounces) {
    serve();
    begin();
    answers = {{"resp=AG1lAHNlY3JldA==\n", "OK\t1\tuser=me@example.test\n"}};
    EXPECT_THAT(talk("EHLO x\r\n", "8BITMIME\r\n"),
                testing::HasSubstr("AUTH PLAIN LOGIN CRAM-MD5\r\n"));
    EXPECT_EQ(talk("AUTH PLAIN AG1lAHNlY3JldA==\r\n", "\r\n"),
              "235 2.7.0 Authentication successful\r\n");
    EXPECT_THAT(heard, testing::MatchesRegex(
                           "VERSION\t1\t1\nCPID\t[0-9]+\nAUTH\t1\tPLAIN\tservice=smtp\tnologin"
                           "\tlip=[0-9.]+\trip=[0-9.]+(\tsecured)?\tresp=AG1lAHNlY3JldA==\n"));
    EXPECT_EQ(auth->requests.size(), 0U) << "our own service is not asked";
}

TEST_F(DovecotTest, CarriesChallenges) {
    serve();
    begin();
    answers = {{"AUTH\t1\tCRAM-MD5", "CONT\t1\tPDFAeD4=\n"},
               {"CONT\t1\tbWUgMDE=\n", "FAIL\t1\tuser=me\treason=not you\n"}};
    talk("EHLO x\r\n", "8BITMIME\r\n");
    EXPECT_EQ(talk("AUTH CRAM-MD5\r\n", "\r\n"), "334 PDFAeD4=\r\n");
    EXPECT_EQ(talk("bWUgMDE=\r\n", "\r\n"), "535 5.7.8 Error: authentication failed: not you\r\n");
    EXPECT_THAT(logged(), testing::HasSubstr("SASL CRAM-MD5 authentication failed: not you"));
    EXPECT_EQ(talk("AUTH NTLM\r\n", "\r\n"),
              "535 5.7.8 Error: authentication failed: Invalid authentication mechanism\r\n");
    EXPECT_EQ(talk("AUTH PLAIN ???\r\n", "\r\n"), "501 5.5.2 Error: cannot decode response\r\n");
}

TEST_F(DovecotTest, AnExchangeThatIsGivenUpIsCancelled) {
    serve();
    begin();
    answers = {{"AUTH\t1\tCRAM-MD5", "CONT\t1\tPDFAeD4=\n"}};
    talk("EHLO x\r\n", "8BITMIME\r\n");
    talk("AUTH CRAM-MD5\r\n", "\r\n");
    EXPECT_EQ(talk("*\r\n", "\r\n"), "501 5.7.0 Authentication aborted\r\n");
    EXPECT_TRUE(wait_for([this] { return heard.ends_with("CANCEL\t1\n"); })) << heard;
}

TEST_F(DovecotTest, AServerThatEndsIsTriedAgain) {
    serve();
    begin();
    answers = {{"AUTH\t1\tPLAIN", ""}, {"AUTH\t2\tPLAIN", "FAIL\t2\ttemp\n"}};
    talk("EHLO x\r\n", "8BITMIME\r\n");
    EXPECT_EQ(talk("AUTH PLAIN AGEAYg==\r\n", "\r\n"),
              "454 4.7.0 Temporary authentication failure\r\n");
    connect();
    EXPECT_THAT(talk("EHLO x\r\n", "8BITMIME\r\n"), testing::HasSubstr("AUTH PLAIN LOGIN"));
    EXPECT_EQ(talk("AUTH PLAIN AGEAYg==\r\n", "\r\n"),
              "454 4.7.0 Temporary authentication failure\r\n");
    EXPECT_EQ(connections, 2);
}

TEST_F(DovecotTest, WithoutAServerThereIsMailAndNoAuth) {
    begin();  // nobody listens
    EXPECT_THAT(talk("EHLO x\r\n", "8BITMIME\r\n"), testing::Not(testing::HasSubstr("AUTH")));
    EXPECT_THAT(logged(),
                testing::HasSubstr("warning SASL: Dovecot's authentication server at " + path_));
    EXPECT_THAT(talk("MAIL FROM:<a@b.test>\r\n", "\r\n"), testing::StartsWith("250 "));
}

TEST_F(DovecotTest, AServerThatIsSomethingElse) {
    hello = "220 some.test ESMTP\nDONE\n";
    serve();
    begin();
    EXPECT_THAT(talk("EHLO x\r\n", "8BITMIME\r\n"), testing::Not(testing::HasSubstr("AUTH")));
    EXPECT_THAT(logged(), testing::HasSubstr("does not name its version"));
}

}  // namespace
}  // namespace postern::smtpd
