// The examples of the RFCs about what comes before a login: RFC 9051 6.2 and 8, STARTTLS (2595),
// SASL-IR (4959), LITERAL+ (7888), response codes (5530); POP3 (1939, 2449, 3206, 5034, 6856);
// SCRAM (5802, 7677), OAUTHBEARER (7628). What auth says is lib/sasl's word here, with the nonces
// of the RFCs; the OK of a login is the worker's, and ours in this test.
#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/sasl/oauth.h"
#include "lib/sasl/scram.h"
#include "tests/support/dialogue.h"

#include "login/login_engine.h"

namespace postern::login {
namespace {

// What auth says to a message of the client: nothing for a good one, or a challenge.
struct Verdict {
    bool good = true;
    std::string challenge;
};
using FakeAuth = std::function<Verdict(const sasl::ServerExchange::Question&)>;

// A client, the engine, and auth.
class Conversation {
  public:
    Conversation(std::unique_ptr<LoginEngine> engine, FakeAuth auth)
        : engine_(std::move(engine)), auth_(std::move(auth)), said_(engine_->greet().reply) {}

    void play(std::string_view script) {
        const bool as_printed = dialogue_.play(
            script, [this](std::string_view bytes) { hear(bytes); }, [this] { return line(); });
        if (as_printed) {
            EXPECT_EQ(said_, "") << "after the last line of the script";
        }
    }
    std::string& value(const std::string& name) { return dialogue_.values[name]; }

  private:
    void hear(std::string_view bytes) {
        heard_ += bytes;
        for (;;) {
            std::string_view rest = heard_;
            const auto step = engine_->feed(rest);
            heard_.erase(0, heard_.size() - rest.size());
            if (!step) return;
            said_ += step->reply;
            if (step->then == Step::Then::start_tls)
                engine_->on_tls({.channel_binding = false, .certificate = true});
            if (step->then == Step::Then::authenticate) answer(auth_(step->question));
        }
    }
    void answer(const Verdict& verdict) {
        if (!verdict.challenge.empty())
            said_ += engine_->on_challenge(verdict.challenge).reply;
        else if (!verdict.good)
            said_ += engine_->on_auth_failed(false).reply;
        else if (engine_->protocol() == ipc::AuthProtocol::imap)
            said_ += engine_->tag() + " OK Logged in\r\n";
        else
            said_ += "+OK Logged in.\r\n";
    }
    std::string line() {
        const auto end = said_.find('\n');
        if (end == std::string::npos) return std::exchange(said_, "");
        std::string out = said_.substr(0, end + 1);
        said_.erase(0, end + 1);
        return out;
    }

    std::unique_ptr<LoginEngine> engine_;
    FakeAuth auth_;
    std::string heard_, said_;
    support::Dialogue dialogue_;
};

EngineOptions offering(const std::vector<std::string>& mechanisms, bool in_clear) {
    std::vector<std::string> unknown;
    EngineOptions options{true, in_clear, "ready", sasl::Mechanisms::parse(mechanisms, unknown)};
    EXPECT_TRUE(unknown.empty());
    return options;
}

// auth that lets those in who say this.
FakeAuth who_says(const std::string& message) {
    return [message](const auto& question) { return Verdict{question.response == message, {}}; };
}

const std::string kTest("test\0test\0test", 14);

TEST(LoginRfcExamples, StartTls) {  // RFC 9051 6.1.1, 6.2.1, 6.2.2 (2); RFC 2595 3.1
    Conversation c(make_imap_login(offering({"plain"}, false)), who_says(kTest));
    c.play(R"(
        S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 ... STARTTLS LOGINDISABLED] ...
        C: a001 CAPABILITY
        S: * CAPABILITY IMAP4rev1 IMAP4rev2 ... STARTTLS LOGINDISABLED
        S: a001 OK ...
        C: a002 STARTTLS
        S: a002 OK ...
        C: a003 CAPABILITY
        S: * CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR ... AUTH=PLAIN
        S: a003 OK ...
        C: a004 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=
        S: a004 OK ...
    )");
}

TEST(LoginRfcExamples, WithoutAnInitialResponse) {  // RFC 9051 6.2.2 (3), RFC 4959 5
    Conversation c(make_imap_login(offering({"plain"}, true)), who_says(kTest));
    c.play("S: * OK ...\nC: A01 AUTHENTICATE PLAIN\nS: + \nC: dGVzdAB0ZXN0AHRlc3Q=\nS: A01 OK ...");
}

TEST(LoginRfcExamples, AnEmptyInitialResponse) {  // RFC 9051 6.2.2 (4), RFC 4959 5
    Conversation c(make_imap_login(offering({"plain", "external"}, false)), [](const auto& q) {
        return Verdict{q.mechanism == "EXTERNAL" && q.response.empty(), {}};
    });
    c.play(R"(
        S: * OK ...
        C: C00 STARTTLS
        S: C00 OK ...
        C: C01 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ... AUTH=EXTERNAL...
        S: C01 OK ...
        C: A01 AUTHENTICATE EXTERNAL =
        S: A01 OK ...
    )");
}

TEST(LoginRfcExamples, Login) {  // RFC 9051 6.2.3, 7.6; RFC 7888 3
    for (const char* script :
         {"S: * OK ...\nC: A001 LOGIN {11}\nS: + ...\nC: FRED FOOBAR {7}\nS: + ...\nC: fat man\n"
          "S: A001 OK ...",
          "S: * OK ...\nC: A001 LOGIN {11+}\nC: FRED FOOBAR {7+}\nC: fat man\nS: A001 OK ...",
          "S: * OK ...\nC: A001 LOGIN \"FRED FOOBAR\" \"fat man\"\nS: A001 OK ...",
          "S: * OK ...\nC: A044 BLURDYBLOOP {102856}\nS: A044 BAD ..."}) {
        Conversation c(make_imap_login(offering({"plain"}, true)),
                       who_says(sasl::make_plain("FRED FOOBAR", "fat man")));
        c.play(script);
    }
}

TEST(LoginRfcExamples, ResponseCodes) {  // RFC 5530 3, RFC 9051 7.1
    Conversation c(make_imap_login(offering({"plain"}, true)), who_says("nobody"));
    c.play(R"(
        S: * OK ...
        C: b LOGIN "fred" "foo"
        S: b NO [AUTHENTICATIONFAILED] ...
        C: c1 AUTHENTICATE PLAIN
        S: +...
        C: am9lAGZyZWQAZm9v
        S: c1 NO [AUTHENTICATIONFAILED] ...
    )");
    Conversation in_clear(make_imap_login(offering({"plain"}, false)), who_says("nobody"));
    in_clear.play("S: * OK ...\nC: d login \"fred\" \"foo\"\nS: d NO [PRIVACYREQUIRED] ...");
}

// --- SCRAM

struct ScramExample {
    std::string mechanism, salt, server_nonce;
};
const ScramExample kSha1{"SCRAM-SHA-1", "QSXCR+Q6sek8bf92", "3rfcNHYJY1ZVvWVs7j"};
const ScramExample kSha256{"SCRAM-SHA-256",
                           "W22ZaJ0SNY7soEsUEjb6gQ==", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"};

// auth with the RFCs' part of the nonce: user "user", password "pencil"
FakeAuth scram(const ScramExample& e) {
    const auto kind = *sasl::scram_kind(e.mechanism);
    auto server =
        std::make_shared<sasl::ScramServer>(kind, sasl::ChannelBindings{}, false, e.server_nonce);
    return [server, kind, e](const sasl::ServerExchange::Question& question) -> Verdict {
        if (question.response.empty()) return {};
        if (question.goes_on) {
            const auto last = server->last(question.response);
            return last ? Verdict{true, *last} : Verdict{false, {}};
        }
        EXPECT_EQ(question.mechanism, e.mechanism);
        const auto first = server->first(question.response);
        EXPECT_TRUE(first && first->user == "user");
        return {true, server->challenge(
                          sasl::derive_scram(kind.digest, "pencil", *base64_decode(e.salt), 4096))};
    };
}

TEST(LoginRfcExamples, ScramSha256) {  // RFC 9051 8, RFC 7677 3
    Conversation c(make_imap_login(offering({"scram-sha-256"}, false)), scram(kSha256));
    c.play(R"(
        S: * OK [CAPABILITY ... STARTTLS LOGINDISABLED AUTH=SCRAM-SHA-256] ...
        C: a000 starttls
        S: a000 OK ...
        C: A001 AUTHENTICATE SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=
        S: + cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTlk3c29Fc1VFamI2Z1E9PSxpPTQwOTY=
        C: Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGSWxqKWhObEYkazAscD1kSHpiWmFwV0lrNGpVaE4rVXRlOXl0YWc5empmTUhnc3FtbWl6N0FuZFZRPQ==
        S: + dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ==
        C:
        S: A001 OK ...
    )");
}

// RFC 5802 5, whose messages are printed before they are put into base64; in POP3, where nothing is
// in clear either
TEST(LoginRfcExamples, ScramSha1) {
    const struct {
        const char *name, *message;
    } messages[] = {
        {"client-first", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"},
        {"server-first", "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"},
        {"client-final",
         "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="},
        {"server-final", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="}};
    Conversation c(make_pop3_login(offering({"scram-sha-1"}, false)), scram(kSha1));
    for (const auto& [name, message] : messages) c.value(name) = base64_encode(message);
    c.play(R"(
        S: +OK ...
        C: AUTH SCRAM-SHA-1 <<client-first>>
        S: + <<server-first>>
        C: <<client-final>>
        S: + <<server-final>>
        C:
        S: +OK ...
    )");
}

// --- Bearer tokens

FakeAuth bearer() {
    return [](const sasl::ServerExchange::Question& question) -> Verdict {
        if (question.goes_on) return {false, {}};
        const auto message = sasl::parse_oauthbearer(question.response);
        if (message && message->token == "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==") return {};
        return {false,
                sasl::oauthbearer_error(sasl::BearerError::invalid_token, "example_scope",
                                        "https://example.com/.well-known/openid-configuration")};
    };
}

TEST(LoginRfcExamples, BearerToken) {  // RFC 7628 4.1
    Conversation c(make_imap_login(offering({"oauthbearer"}, true)), bearer());
    c.play(R"(
        S: * OK ...
        C: t0 CAPABILITY
        S: * CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR ... AUTH=OAUTHBEARER
        S: t0 OK ...
        C: t1 AUTHENTICATE OAUTHBEARER bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB
        S: t1 OK ...
    )");
}

// RFC 7628 4.3, 4.4. Whoever cancels hears BAD, which RFC 9051 6.2.2 demands, and not the example's
// NO.
TEST(LoginRfcExamples, BearerTokenThatFails) {
    Conversation c(make_imap_login(offering({"oauthbearer"}, true)), bearer());
    c.play(R"(
        S: * OK ...
        C: t1 AUTHENTICATE OAUTHBEARER bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE=
        S: + eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIiwib3BlbmlkLWNvbmZpZ3VyYXRpb24iOiJodHRwczovL2V4YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0aW9uIn0=
        C: AQ==
        S: t1 NO ...
        C: t2 AUTHENTICATE OAUTHBEARER bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE=
        S: + eyJ...
        C: *
        S: t2 BAD ...
    )");
}

// --- POP3

TEST(LoginRfcExamples, Pop3Authorization) {  // RFC 1939 4, 7 (QUIT, USER, PASS); RFC 3206 4
    Conversation c(make_pop3_login(offering({"plain"}, true)),
                   who_says(sasl::make_plain("mrose", "secret")));
    // that there is no frated is not told before the password
    c.play(R"(
        S: +OK ...
        C: USER frated
        S: +OK
        C: PASS secret
        S: -ERR [AUTH] ...
        C: USER mrose
        S: +OK
        C: PASS secret
        S: +OK ...
    )");
    Conversation quits(make_pop3_login(offering({"plain"}, true)), who_says(""));
    quits.play("S: +OK ...\nC: QUIT\nS: +OK ...");
}

TEST(LoginRfcExamples, Pop3Capabilities) {  // RFC 2449 5, 6
    auto options = offering({"plain"}, true);
    options.login_delay = 900;
    Conversation c(make_pop3_login(options), who_says(""));
    c.play(R"(
        S: +OK ...
        C: CAPA
        S: +OK
        S: CAPA
        S: TOP
        S: UIDL
        S: RESP-CODES
        S: PIPELINING
        S: AUTH-RESP-CODE
        S: EXPIRE NEVER
        S: LOGIN-DELAY 900
        S: UTF8 USER
        S: USER
        S: SASL PLAIN
        S: STLS
        S: IMPLEMENTATION Postern
        S: .
    )");
}

TEST(LoginRfcExamples,
     Pop3StartTls) {  // RFC 2595 4; RFC 5034 4, 6: with and without an initial response
    for (const char* end : {"C: AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=\nS: +OK ...",
                            "C: AUTH PLAIN\nS: + \nC: dGVzdAB0ZXN0AHRlc3Q=\nS: +OK ..."}) {
        Conversation c(make_pop3_login(offering({"scram-sha-256", "plain"}, false)),
                       who_says(kTest));
        c.play(R"(
            S: +OK ready
            C: CAPA
            S: +OK...
            S: ...
            S: SASL SCRAM-SHA-256
            S: STLS
            S: ...
            S: .
            C: STLS
            S: +OK ...
            C: STLS
            S: -ERR ...
            C: CAPA
            S: +OK...
            S: ...
            S: SASL SCRAM-SHA-256 PLAIN
            S: ...
            S: .
        )");
        c.play(end);
    }
}

// RFC 6856 2; its examples are about LANG, which ours does not announce
TEST(LoginRfcExamples, Pop3Utf8) {
    Conversation c(make_pop3_login(offering({"plain"}, true)), who_says(""));
    c.play("S: +OK ...\nC: UTF8\nS: +OK\nC: LANG MUL\nS: -ERR ...");
}

}  // namespace
}  // namespace postern::login
