#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/sasl/server_exchange.h"

#include "login/login_engine.h"

namespace postern::login {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using namespace std::string_literals;

// Feeds everything, in pieces of that size, and gathers the steps until authenticate, start_tls or
// close.
struct Played {
    std::string replies;
    Step last;
};

Played play(LoginEngine& engine, const std::string& input, std::size_t piece = 1000) {
    Played played;
    std::string buffer;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        buffer += input.substr(at, piece);
        for (;;) {
            std::string_view rest = buffer;
            auto step = engine.feed(rest);
            buffer.erase(0, buffer.size() - rest.size());
            if (!step) break;
            played.replies += step->reply;
            played.last = *std::move(step);
            if (played.last.then != Step::Then::go_on) return played;
        }
    }
    return played;
}

std::unique_ptr<LoginEngine> imap(bool tls = true, bool plaintext = true) {
    return make_imap_login({tls, plaintext, "Postern ready."});
}

TEST(ImapLogin, GreetingAndCapabilities) {
    auto engine = imap();
    EXPECT_EQ(engine->greet().reply,
              "* OK [CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE STARTTLS AUTH=PLAIN AUTH=LOGIN] "
              "Postern ready.\r\n");
    EXPECT_EQ(play(*engine, "a CAPABILITY\r\nb noop\r\nc ID NIL\r\n").replies,
              "* CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID ENABLE IDLE STARTTLS AUTH=PLAIN AUTH=LOGIN\r\n"
              "a OK CAPABILITY completed.\r\nb OK NOOP completed.\r\n* ID (\"name\" "
              "\"Postern\")\r\nc OK ID completed.\r\n");
    const auto logout = play(*engine, "d LOGOUT\r\n");
    EXPECT_EQ(logout.replies, "* BYE Logging out\r\nd OK Logout completed.\r\n");
    EXPECT_EQ(logout.last.then, Step::Then::close);
}

TEST(ImapLogin, LoginInEveryForm) {
    const struct {
        std::string input, user, password, replies;
    } cases[] = {
        {"a1 LOGIN u1 secret\r\n", "u1", "secret", ""},
        {"a1 login \"u1\" \"se cret\\\"\"\r\n", "u1", "se cret\"", ""},
        {"a1 LOGIN {2}\r\nu1 {6}\r\nsecret\r\n", "u1", "secret", "+ OK\r\n+ OK\r\n"},
        {"a1 LOGIN {2+}\r\nu1 {6+}\r\nsecret\r\n", "u1", "secret", ""},
        {"a1 LOGIN u1 {8+}\r\nse\r\ncret\r\n", "u1", "se\r\ncret", ""},
        {"a1 LOGIN u1@example.test secret\n", "u1@example.test", "secret", ""},
    };
    for (const auto& c : cases)
        for (const std::size_t piece : {1U, 7U, 1000U}) {
            auto engine = imap();
            const auto played = play(*engine, c.input, piece);
            EXPECT_EQ(played.last.then, Step::Then::authenticate) << c.input << played.replies;
            EXPECT_EQ(played.replies, c.replies) << c.input;
            EXPECT_EQ(played.last.question.response, sasl::make_plain(c.user, c.password))
                << c.input;
            EXPECT_EQ(played.last.mechanism, "LOGIN");
            EXPECT_EQ(engine->tag(), "a1");
        }
}

TEST(ImapLogin, LoginThatCannotBe) {
    const std::string cases[] = {
        "a LOGIN\r\n",        "a LOGIN u1\r\n",     "a LOGIN u1 p extra\r\n",
        "a LOGIN (u1) p\r\n", "a LOGIN \"u1 p\r\n",
    };
    for (const auto& input : cases) {
        auto engine = imap();
        const auto played = play(*engine, input);
        EXPECT_THAT(played.replies, StartsWith("a BAD ")) << input;
        EXPECT_EQ(played.last.then, Step::Then::go_on);
    }
    for (const auto& input :
         {"a LOGIN \"\" \"\"\r\n"s, "a LOGIN u1 \"\"\r\n"s, "a LOGIN {3+}\r\nu\0x p\r\n"s})
        EXPECT_THAT(play(*imap(), input).replies, StartsWith("a ")) << input;
}

TEST(ImapLogin, Authenticate) {
    const std::string message = sasl::make_plain("u1", "p");
    auto engine = imap();
    const auto initial = play(*engine, "t AUTHENTICATE PLAIN " + base64_encode(message) + "\r\n");
    EXPECT_EQ(initial.last.then, Step::Then::authenticate);
    EXPECT_EQ(initial.last.question.response, message);
    EXPECT_EQ(initial.last.mechanism, "PLAIN");
    const auto asked =
        play(*engine, "t authenticate plain\r\n" + base64_encode(message) + "\r\n", 3);
    EXPECT_EQ(asked.replies, "+ \r\n");
    EXPECT_EQ(asked.last.question.response, message);
    const auto login = play(*engine, "t AUTHENTICATE LOGIN\r\n" + base64_encode("u1") + "\r\n" +
                                         base64_encode("p") + "\r\n");
    EXPECT_EQ(login.last.question.response, message);
    EXPECT_EQ(play(*engine, "t AUTHENTICATE PLAIN\r\n*\r\n").replies,
              "+ \r\nt BAD Authentication aborted by client.\r\n");
    EXPECT_THAT(play(*engine, "t AUTHENTICATE PLAIN\r\n!!\r\n").replies,
                HasSubstr("t BAD Invalid base64"));
    EXPECT_THAT(play(*engine, "t AUTHENTICATE PLAIN !!\r\n").replies,
                StartsWith("t BAD Invalid base64"));
    EXPECT_THAT(play(*engine, "t AUTHENTICATE PLAIN =\r\n").replies,
                StartsWith("t NO [AUTHENTICATIONFAILED]"));
    EXPECT_THAT(play(*engine, "t AUTHENTICATE GSSAPI\r\n").replies, StartsWith("t NO Unsupported"));
    EXPECT_THAT(play(*engine, "t AUTHENTICATE\r\n").replies, StartsWith("t BAD"));
    EXPECT_THAT(play(*engine,
                     "t AUTHENTICATE PLAIN\r\n" + std::string(40'000, 'A') + "\r\nu NOOP\r\n", 5000)
                    .replies,
                EndsWith("t BAD Response too long.\r\nu OK NOOP completed.\r\n"));
}

EngineOptions scram_options(bool plaintext) {
    std::vector<std::string> unknown;
    return {true, plaintext, "ready",
            sasl::Mechanisms::parse({"scram-sha-256", "plain", "login"}, unknown)};
}

// What is not gathered goes to auth message by message, and auth's challenges to the client.
TEST(ImapLogin, MechanismsOfSeveralMessages) {
    auto engine = make_imap_login(scram_options(false));
    EXPECT_THAT(engine->greet().reply, HasSubstr(" STARTTLS LOGINDISABLED AUTH=SCRAM-SHA-256]"));
    EXPECT_THAT(play(*engine, "a AUTHENTICATE PLAIN\r\n").replies,
                StartsWith("a NO [PRIVACYREQUIRED]"));
    EXPECT_THAT(play(*engine, "a AUTHENTICATE SCRAM-SHA-256-PLUS\r\n").replies,
                StartsWith("a NO Unsupported"));
    const auto first =
        play(*engine, "t AUTHENTICATE scram-sha-256 " + base64_encode("one") + "\r\n");
    EXPECT_EQ(first.last.then, Step::Then::authenticate);
    EXPECT_EQ(first.last.question.mechanism, "SCRAM-SHA-256");
    EXPECT_EQ(first.last.question.response, "one");
    EXPECT_TRUE(first.last.question.has_response && !first.last.question.goes_on);
    EXPECT_EQ(engine->on_challenge("two").reply, "+ " + base64_encode("two") + "\r\n");
    const auto second = play(*engine, base64_encode("three") + "\r\n", 2);
    EXPECT_EQ(second.last.then, Step::Then::authenticate);
    EXPECT_EQ(second.last.question.response, "three");
    EXPECT_TRUE(second.last.question.goes_on);
    EXPECT_EQ(second.last.mechanism, "SCRAM-SHA-256");
    (void)engine->on_challenge("four");
    EXPECT_EQ(play(*engine, "*\r\nu NOOP\r\n").replies,
              "t BAD Authentication aborted by client.\r\nu OK NOOP completed.\r\n");
    // Without an initial response auth is asked all the same: it decides who speaks first.
    EXPECT_FALSE(play(*engine, "t AUTHENTICATE SCRAM-SHA-256\r\n").last.question.has_response);
    EXPECT_THAT(engine->on_auth_failed(false).reply, StartsWith("t NO [AUTHENTICATIONFAILED]"));
    engine->on_tls({.channel_binding = true});
    EXPECT_THAT(
        engine->greet().reply,
        HasSubstr(" IDLE AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN]"));
}

TEST(ImapLogin, NothingWithoutTlsWhereItIsRequired) {
    auto options = scram_options(false);
    options.tls_required = true;
    for (auto& engine : {make_imap_login(options), make_pop3_login(options)}) {
        const bool imap = engine->protocol() == ipc::AuthProtocol::imap;
        const std::string tag = imap ? "a " : "";
        const std::string authenticate =
            tag + (imap ? "AUTHENTICATE" : "AUTH") + " SCRAM-SHA-256\r\n";
        EXPECT_THAT(play(*engine, tag + (imap ? "CAPABILITY\r\n" : "CAPA\r\n")).replies,
                    Not(HasSubstr("SCRAM")));
        EXPECT_THAT(play(*engine, authenticate).replies,
                    StartsWith(imap ? "a NO [PRIVACYREQUIRED]" : "-ERR [AUTH] Plaintext"));
        engine->on_tls({});
        EXPECT_EQ(play(*engine, authenticate).last.then, Step::Then::authenticate);
    }
}

TEST(ImapLogin, NoPasswordsAtAll) {
    std::vector<std::string> unknown;
    auto engine =
        make_imap_login({true, true, "ready", sasl::Mechanisms::parse({"scram-sha-1"}, unknown)});
    EXPECT_THAT(engine->greet().reply, HasSubstr(" LOGINDISABLED AUTH=SCRAM-SHA-1]"));
    EXPECT_THAT(play(*engine, "a LOGIN u p\r\n").replies, StartsWith("a NO LOGIN is disabled"));
    EXPECT_THAT(play(*engine, "a AUTHENTICATE PLAIN\r\n").replies, StartsWith("a NO Unsupported"));
    auto pop3 =
        make_pop3_login({true, true, "ready", sasl::Mechanisms::parse({"scram-sha-1"}, unknown)});
    EXPECT_THAT(play(*pop3, "CAPA\r\n").replies, HasSubstr("\r\nSASL SCRAM-SHA-1\r\n"));
    EXPECT_THAT(play(*pop3, "CAPA\r\n").replies, Not(HasSubstr("\r\nUSER")));
    EXPECT_THAT(play(*pop3, "USER u\r\n").replies, StartsWith("-ERR [AUTH] USER is disabled"));
}

TEST(Pop3Login, MechanismsOfSeveralMessages) {
    auto engine = make_pop3_login(scram_options(false));
    EXPECT_THAT(play(*engine, "CAPA\r\n").replies, HasSubstr("\r\nSASL SCRAM-SHA-256\r\nSTLS\r\n"));
    EXPECT_EQ(play(*engine, "AUTH\r\n").replies, "+OK\r\nSCRAM-SHA-256\r\n.\r\n");
    EXPECT_THAT(play(*engine, "AUTH PLAIN\r\n").replies, StartsWith("-ERR [AUTH] Plaintext"));
    const auto first = play(*engine, "AUTH SCRAM-SHA-256 " + base64_encode("one") + "\r\n");
    EXPECT_EQ(first.last.question.mechanism, "SCRAM-SHA-256");
    EXPECT_EQ(first.last.question.response, "one");
    EXPECT_EQ(engine->on_challenge("two").reply, "+ " + base64_encode("two") + "\r\n");
    const auto second = play(*engine, base64_encode("three") + "\r\n");
    EXPECT_EQ(second.last.question.response, "three");
    EXPECT_TRUE(second.last.question.goes_on);
    EXPECT_THAT(engine->on_auth_failed(false).reply, StartsWith("-ERR [AUTH]"));
    engine->on_tls({.channel_binding = true});
    EXPECT_THAT(play(*engine, "CAPA\r\n").replies,
                HasSubstr("\r\nSASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n"));
    EXPECT_EQ(play(*engine, "USER u\r\n").replies, "+OK\r\n");
    const auto user = play(*engine, "PASS p\r\n");
    EXPECT_EQ(user.last.question.mechanism, "PLAIN");
    EXPECT_FALSE(user.last.question.goes_on);
}

TEST(ImapLogin, PlaintextNeedsTls) {
    auto engine = imap(true, false);
    EXPECT_THAT(engine->greet().reply, HasSubstr("LOGINDISABLED"));
    EXPECT_THAT(engine->greet().reply, Not(HasSubstr("AUTH=")));
    EXPECT_THAT(play(*engine, "a LOGIN u p\r\n").replies, StartsWith("a NO [PRIVACYREQUIRED]"));
    EXPECT_THAT(play(*engine, "a AUTHENTICATE PLAIN\r\n").replies,
                StartsWith("a NO [PRIVACYREQUIRED]"));
    EXPECT_EQ(play(*engine, "a STARTTLS\r\n").last.then, Step::Then::start_tls);
    engine->on_tls({});
    EXPECT_THAT(play(*engine, "b CAPABILITY\r\n").replies, Not(HasSubstr("STARTTLS")));
    EXPECT_THAT(play(*engine, "b STARTTLS\r\n").replies, StartsWith("b BAD"));
    EXPECT_EQ(play(*engine, "b LOGIN u p\r\n").last.then, Step::Then::authenticate);
}

TEST(ImapLogin, TlsForgetsHalfACommand) {
    auto engine = imap();
    (void)play(*engine, "a LOGIN u");
    engine->on_tls({});
    EXPECT_EQ(play(*engine, "b NOOP\r\n").replies, "b OK NOOP completed.\r\n");
}

TEST(ImapLogin, RubbishIsBadAndEndsAtSomeTime) {
    auto engine = imap(false);
    EXPECT_THAT(play(*engine, "\r\n").replies, StartsWith("* BAD"));
    EXPECT_THAT(play(*engine, "a\r\n").replies, HasSubstr(" BAD"));
    EXPECT_THAT(play(*engine, "a SELECT inbox\r\n").replies, StartsWith("a BAD"));
    EXPECT_THAT(play(*engine, "a STARTTLS\r\n").replies, StartsWith("a BAD"));
    EXPECT_THAT(play(*engine, "a LOGIN {1000000}\r\n").replies,
                StartsWith("a BAD Literal too long"));
    EXPECT_THAT(
        play(*engine, "a LOGIN {10000+}\r\n" + std::string(10'000, 'x') + " y\r\nb NOOP\r\n")
            .replies,
        EndsWith("b OK NOOP completed.\r\n"));
    EXPECT_THAT(play(*engine, "a NOOP " + std::string(100'000, 'x') + "\r\n", 4096).replies,
                StartsWith("a BAD"));
    std::string nonsense;
    for (int i = 0; i < 30; ++i) nonsense += "x XYZZY\r\n";
    const auto played = play(*engine, nonsense);
    EXPECT_EQ(played.last.then, Step::Then::close);
    EXPECT_THAT(played.replies, EndsWith("* BYE Too many invalid commands.\r\n"));
}

TEST(ImapLogin, WhatAuthSays) {
    auto engine = imap();
    (void)play(*engine, "a LOGIN u p\r\n");
    EXPECT_EQ(engine->on_auth_failed(false).reply,
              "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
    EXPECT_EQ(engine->on_auth_failed(true).reply,
              "a NO [UNAVAILABLE] Temporary authentication failure.\r\n");
    EXPECT_EQ(engine->on_no_worker().then, Step::Then::close);
    EXPECT_EQ(engine->protocol(), ipc::AuthProtocol::imap);
}

TEST(Pop3Login, TheEngineOfLibPop3WithRealMechanisms) {
    auto engine = make_pop3_login({true, true, "Postern ready."});
    EXPECT_EQ(engine->greet().reply, "+OK Postern ready.\r\n");
    const auto user = play(*engine, "USER u1\r\nPASS p w\r\n", 4);
    EXPECT_EQ(user.replies, "+OK\r\n");
    EXPECT_EQ(user.last.question.response, sasl::make_plain("u1", "p w"));
    const auto login = play(
        *engine, "AUTH LOGIN\r\n" + base64_encode("u1") + "\r\n" + base64_encode("p") + "\r\n");
    EXPECT_EQ(login.last.question.response, sasl::make_plain("u1", "p"));
    EXPECT_EQ(login.last.mechanism, "LOGIN");
    EXPECT_THAT(play(*engine, "AUTH PLAIN " + base64_encode("nonsense") + "\r\n").replies,
                StartsWith("-ERR [AUTH]"));
    EXPECT_THAT(play(*engine, "AUTH NTLM\r\n").replies, StartsWith("-ERR Unsupported"));
    EXPECT_EQ(play(*engine, std::string(50'000, 'x') + "\r\nNOOP\r\n", 1000).replies,
              "-ERR Input line too long.\r\n+OK\r\n");
    EXPECT_EQ(play(*engine, "STLS\r\n").last.then, Step::Then::start_tls);
    EXPECT_EQ(engine->protocol(), ipc::AuthProtocol::pop3);
}

}  // namespace
}  // namespace postern::login
