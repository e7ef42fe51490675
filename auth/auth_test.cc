#include "auth/auth_fixture.h"
#include "auth/hash_pool.h"
#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/sasl/password.h"
#include "lib/sasl/server_exchange.h"
#include "tests/support/fake_clock.h"

namespace postern::auth {
namespace {

using ipc::AuthOutcome;
using ipc::AuthProtocol;
using namespace std::string_literals;

// --- Tokens

TEST(Tokens, AreGoodOnceForTheirSessionAndProtocol) {
    support::FakeClock clock;
    Tokens tokens(clock, SystemRandom::instance(), Seconds{60});
    const auto a = session_id();
    const auto b = session_id();
    const auto token = tokens.mint("u1", a, AuthProtocol::imap);
    EXPECT_EQ(token.size(), ipc::kAuthTokenSize);
    EXPECT_EQ(tokens.redeem(token, a, AuthProtocol::imap), "u1");
    EXPECT_FALSE(tokens.redeem(token, a, AuthProtocol::imap)) << "once";
    EXPECT_FALSE(tokens.redeem(tokens.mint("u1", a, AuthProtocol::imap), b, AuthProtocol::imap));
    EXPECT_FALSE(tokens.redeem(tokens.mint("u1", a, AuthProtocol::imap), a, AuthProtocol::pop3));
    EXPECT_FALSE(tokens.redeem("", a, AuthProtocol::imap));
    const auto tried = tokens.mint("u1", a, AuthProtocol::imap);
    EXPECT_FALSE(tokens.redeem(tried, b, AuthProtocol::imap));
    EXPECT_FALSE(tokens.redeem(tried, a, AuthProtocol::imap)) << "a misuse ends it";
}

TEST(Tokens, Expire) {
    support::FakeClock clock;
    Tokens tokens(clock, SystemRandom::instance(), Seconds{60});
    const auto a = session_id();
    const auto token = tokens.mint("u1", a, AuthProtocol::imap);
    clock.advance(Seconds{59});
    EXPECT_EQ(tokens.outstanding(), 1U);
    clock.advance(Seconds{1});
    EXPECT_EQ(tokens.outstanding(), 0U);
    EXPECT_FALSE(tokens.redeem(token, a, AuthProtocol::imap));
}

TEST(Tokens, AreBounded) {
    support::FakeClock clock;
    Tokens tokens(clock, SystemRandom::instance(), Seconds{60});
    const auto a = session_id();
    const auto first = tokens.mint("u1", a, AuthProtocol::imap);
    for (std::size_t i = 0; i < Tokens::kMaxOutstanding; ++i)
        (void)tokens.mint("u1", a, AuthProtocol::imap);
    EXPECT_LE(tokens.outstanding(), Tokens::kMaxOutstanding);
    EXPECT_FALSE(tokens.redeem(first, a, AuthProtocol::imap));
}

// --- HashPool

TEST(HashPool, VerifyPacket) {
    EXPECT_EQ(answer_packet("v{PLAIN}x\0x"s), "y");
    EXPECT_EQ(answer_packet("v{PLAIN}x\0y"s), "n");
    EXPECT_EQ(answer_packet("v{NOPE}x\0y"s), "e");
    EXPECT_EQ(answer_packet("vx"), "e");
    EXPECT_EQ(answer_packet("x"), "e");
    EXPECT_EQ(answer_packet("d2short"), "e");
    EXPECT_EQ(answer_packet("d1" + std::string(sasl::kScramSaltSize, 's') + "pw").size(),
              1U + 2 * 20);
    EXPECT_EQ(answer_packet("d2" + std::string(sasl::kScramSaltSize, 's') + "pw").size(),
              1U + 2 * 32);
}

TEST(HashPool, AnswersAllFromAFewProcesses) {
    loop::Loop loop;
    HashPool pool(loop, 2);
    int right = 0, wrong = 0, broken = 0;
    constexpr int kEach = 20;
    const auto count = [&](Result<bool> fits) {
        ++(!fits ? broken : *fits ? right : wrong);
        if (right + wrong + broken == 3 * kEach) loop.stop();
    };
    for (int i = 0; i < kEach; ++i) {
        pool.verify("{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "test", count);
        pool.verify("{PLAIN}x", "y", count);
        pool.verify("{NOPE}x", "y", count);
    }
    EXPECT_EQ(right + wrong + broken, 0) << "never from inside verify()";
    loop.run_for(Seconds{20});
    EXPECT_EQ(right, kEach);
    EXPECT_EQ(wrong, kEach);
    EXPECT_EQ(broken, kEach);
    EXPECT_LE(pool.workers(), 2U);
}

// --- The service, with real conversations

TEST_F(ServiceTest, LoginTokenGrant) {
    auto login = connect();
    const auto answer = ask<ipc::AuthAnswer>(login, request("U1", "secret"));
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(answer->outcome, AuthOutcome::success);
    EXPECT_EQ(answer->user, "u1");
    EXPECT_TRUE(service_->busy());
    auto imapd = connect(true);
    const auto grant =
        ask<ipc::Grant>(imapd, ipc::RedeemToken{answer->token, session_, AuthProtocol::imap});
    ASSERT_TRUE(grant) << grant.error().what;
    EXPECT_TRUE(grant->ok);
    EXPECT_EQ(grant->user, "u1");
    EXPECT_EQ(grant->uid, 1001U);
    EXPECT_EQ(grant->gid, 1002U);
    EXPECT_EQ(grant->home, "/home/u1");
    EXPECT_EQ(grant->mailbox, "/home/u1/Maildir");
    EXPECT_EQ(grant->session, session_);
    EXPECT_FALSE(
        ask<ipc::Grant>(imapd, ipc::RedeemToken{answer->token, session_, AuthProtocol::imap})->ok);
    EXPECT_FALSE(service_->busy());
}

TEST_F(ServiceTest, WhoMayLogInFromHereOnly) {
    write("u1:{PLAIN}secret:1001:1002::/home/u1::allow_nets=10.0.0.0/8,2001:db8::1\n");
    auto login = connect();
    const auto from = [&](const std::string& address, const std::string& mechanism) {
        auto question = request("u1", "secret");
        question.client_address = address;
        question.mechanism = mechanism;
        question.certificate_user = "u1";
        if (mechanism == "EXTERNAL") question.response.clear();
        return ask<ipc::AuthAnswer>(login, question).value();
    };
    for (const char* mechanism : {"PLAIN", "EXTERNAL"}) {
        EXPECT_EQ(from("10.1.2.3", mechanism).outcome, AuthOutcome::success) << mechanism;
        EXPECT_EQ(from("2001:db8::1", mechanism).outcome, AuthOutcome::success) << mechanism;
        const auto refused = from("192.0.2.1", mechanism);
        EXPECT_EQ(refused.outcome, AuthOutcome::failure) << mechanism;
        EXPECT_EQ(refused.text, "the client is in none of the user's allow_nets");
    }
}

// --- SCRAM

// A client of SCRAM-SHA-256 who knows a password.
struct ScramClient {
    std::string user, password;
    std::string gs2 = "n,,";
    std::string bound = {};
    std::string first_bare = {}, server_signature = {};

    std::string first() {
        first_bare = cat({"n=", user, ",r=client"});
        return gs2 + first_bare;
    }
    std::string last(const std::string& challenge) {
        const auto parts = split(challenge, ',');
        const auto salt = base64_decode(parts[1].substr(2)).value();
        const auto rounds = parse_number<unsigned>(parts[2].substr(2)).value();
        const auto digest = crypto::Digest::sha256;
        const auto salted = crypto::pbkdf2(digest, password, salt, rounds, 32);
        const auto key = crypto::hmac(digest, salted, "Client Key");
        const std::string without = cat({"c=", base64_encode(gs2 + bound), ",", parts[0]});
        const std::string all = cat({first_bare, ",", challenge, ",", without});
        std::string proof = crypto::hmac(digest, crypto::digest(digest, key), all);
        for (std::size_t i = 0; i < proof.size(); ++i)
            proof[i] = static_cast<char>(proof[i] ^ key[i]);
        server_signature = "v=" + base64_encode(crypto::hmac(
                                      digest, crypto::hmac(digest, salted, "Server Key"), all));
        return cat({without, ",p=", base64_encode(proof)});
    }
};

class ScramTest : public ServiceTest {
  protected:
    void SetUp() override {
        ServiceTest::SetUp();
        write(
            cat({"plain:{PLAIN}secret:1001:1002::/home/u1\n", "scram:",
                 sasl::make_password("SCRAM-SHA-256", "secret", SystemRandom::instance()).value(),
                 ":1001:1002::/home/u1\n", "sha1:",
                 sasl::make_password("SCRAM-SHA-1", "secret", SystemRandom::instance()).value(),
                 ":1001:1002::/home/u1\n", "broken:{SCRAM-SHA-256}4096,x:1001:1002::/home/u1\n"}));
    }
    ipc::AuthRequest scram_request(ScramClient& client) {
        auto r = request("", "");
        r.mechanism = "SCRAM-SHA-256";
        r.response = client.first();
        return r;
    }
    // To the end, which is the answer to the client's proof when that is wrong.
    ipc::AuthAnswer converse(ScramClient client, ipc::Channel& channel) {
        auto answer = ask<ipc::AuthAnswer>(channel, scram_request(client)).value();
        if (answer.outcome != AuthOutcome::challenge) return answer;
        answer =
            ask<ipc::AuthAnswer>(channel, ipc::AuthResponse{client.last(answer.challenge)}).value();
        if (answer.outcome != AuthOutcome::challenge) return answer;
        EXPECT_EQ(answer.challenge, client.server_signature);
        return ask<ipc::AuthAnswer>(channel, ipc::AuthResponse{""}).value();
    }
};

TEST_F(ScramTest, WithStoredSecretAndWithStoredPassword) {
    auto channel = connect();
    for (const char* user : {"scram", "Scram", "plain"}) {
        const auto answer = converse({user, "secret"}, channel);
        EXPECT_EQ(answer.outcome, AuthOutcome::success) << user << answer.text;
        EXPECT_EQ(answer.user, to_lower(user));
        EXPECT_EQ(answer.token.size(), ipc::kAuthTokenSize);
    }
    EXPECT_THAT(log::take_captured(), testing::Not(testing::HasSubstr("secret")));
    // PLAIN works with all of them.
    for (const char* user : {"scram", "sha1", "plain"})
        EXPECT_EQ(ask<ipc::AuthAnswer>(channel, request(user, "secret"))->outcome,
                  AuthOutcome::success);
    EXPECT_EQ(ask<ipc::AuthAnswer>(channel, request("scram", "other"))->outcome,
              AuthOutcome::failure);
}

TEST_F(ScramTest, FailuresLookAlike) {
    auto channel = connect();
    const struct {
        const char* user;
        const char* text;
    } cases[] = {{"scram", "password mismatch"},
                 {"plain", "password mismatch"},
                 {"nobody", "unknown user"},
                 {"sha1", "the stored password is of another scheme than SCRAM can use"}};
    for (const auto& c : cases) {
        ScramClient client{c.user, "wrong"};
        const auto first = ask<ipc::AuthAnswer>(channel, scram_request(client)).value();
        ASSERT_EQ(first.outcome, AuthOutcome::challenge) << c.user;
        EXPECT_EQ(first.challenge.size(), 2 + 6 + 24 + 3 + 24 + 7U) << first.challenge;
        const auto answer =
            ask<ipc::AuthAnswer>(channel, ipc::AuthResponse{client.last(first.challenge)}).value();
        EXPECT_EQ(answer.outcome, AuthOutcome::failure);
        EXPECT_EQ(answer.text, c.text);
        EXPECT_EQ(answer.user, c.user);
        // The salt is the same each time.
        const auto again = ask<ipc::AuthAnswer>(channel, scram_request(client)).value();
        EXPECT_EQ(again.challenge.substr(32), first.challenge.substr(32)) << c.user;
        EXPECT_NE(again.challenge, first.challenge) << "the nonce is not";
    }
}

TEST_F(ScramTest, WhoMayNotLogInFromHere) {
    write(
        "in:{PLAIN}secret:1001:1002::/h::allow_nets=127.0.0.1\n"
        "out:{PLAIN}secret:1001:1002::/h::allow_nets=10.0.0.0/8\n");
    auto channel = connect();
    EXPECT_NE(converse({"in", "secret"}, channel).outcome, AuthOutcome::failure);
    ScramClient client{"out", "secret"};
    const auto first = ask<ipc::AuthAnswer>(channel, scram_request(client)).value();
    ASSERT_EQ(first.outcome, AuthOutcome::challenge);
    const auto answer =
        ask<ipc::AuthAnswer>(channel, ipc::AuthResponse{client.last(first.challenge)}).value();
    EXPECT_EQ(answer.outcome, AuthOutcome::failure)
        << "nor does it hear that the password is right";
    EXPECT_EQ(answer.text, "the client is in none of the user's allow_nets");
}

TEST_F(ScramTest, WhatIsRefusedAtOnce) {
    auto channel = connect();
    ScramClient other{"plain", "secret", "n,a=scram,"};
    EXPECT_EQ(converse(other, channel).text, "acting as another user is not allowed");
    ScramClient self{"plain", "secret", "n,a=Plain,"};
    EXPECT_EQ(converse(self, channel).outcome, AuthOutcome::success);
    EXPECT_EQ(converse({"broken", "secret"}, channel).outcome, AuthOutcome::temporary);
    auto nonsense = request("", "");
    nonsense.mechanism = "SCRAM-SHA-256";
    nonsense.response = "nonsense";
    EXPECT_EQ(ask<ipc::AuthAnswer>(channel, nonsense)->outcome, AuthOutcome::failure);
    nonsense.mechanism = "GSSAPI";
    EXPECT_EQ(ask<ipc::AuthAnswer>(channel, nonsense)->text, "unsupported mechanism");
    // Without an initial response it is asked for.
    ScramClient late{"plain", "secret"};
    auto request = scram_request(late);
    request.has_response = false;
    request.response.clear();
    EXPECT_EQ(ask<ipc::AuthAnswer>(channel, request)->challenge, "");
    EXPECT_THAT(ask<ipc::AuthAnswer>(channel, ipc::AuthResponse{late.first()})->challenge,
                testing::StartsWith("r=client"));
}

TEST_F(ScramTest, ChannelBinding) {
    auto channel = connect();
    const auto outcome = [&](ScramClient client, const char* mechanism) {
        auto r = scram_request(client);
        r.mechanism = mechanism;
        r.tls_exporter = "exporter";
        r.binding_offered = true;
        const auto first = ask<ipc::AuthAnswer>(channel, r).value();
        if (first.outcome != AuthOutcome::challenge) return first.outcome;
        return ask<ipc::AuthAnswer>(channel, ipc::AuthResponse{client.last(first.challenge)})
            ->outcome;
    };
    const std::string gs2 = "p=tls-exporter,,";
    EXPECT_EQ(outcome({"scram", "secret", gs2, "exporter"}, "SCRAM-SHA-256-PLUS"),
              AuthOutcome::challenge);
    EXPECT_EQ(outcome({"scram", "secret", gs2, "another"}, "SCRAM-SHA-256-PLUS"),
              AuthOutcome::failure);
    EXPECT_EQ(outcome({"scram", "secret", "y,,"}, "SCRAM-SHA-256"), AuthOutcome::failure)
        << "downgrade";
    EXPECT_EQ(outcome({"scram", "secret"}, "SCRAM-SHA-256"), AuthOutcome::challenge);
}

TEST_F(ServiceTest, ExternalIsTheCertificatesUser) {
    auto channel = connect();
    const auto outcome = [&](const char* certificate, std::optional<std::string> wanted) {
        auto r = request("", "");
        r.mechanism = "EXTERNAL";
        r.certificate_user = certificate;
        r.has_response = wanted.has_value();
        r.response = wanted.value_or("");
        auto answer = ask<ipc::AuthAnswer>(channel, r).value();
        if (answer.outcome == AuthOutcome::challenge) {
            EXPECT_EQ(answer.challenge, "");
            answer = ask<ipc::AuthAnswer>(channel, ipc::AuthResponse{""}).value();
        }
        return answer;
    };
    EXPECT_EQ(outcome("U1", "").user, "u1");
    EXPECT_EQ(outcome("u1", std::nullopt).outcome, AuthOutcome::success);
    EXPECT_EQ(outcome("u1", "U1").token.size(), ipc::kAuthTokenSize);
    EXPECT_EQ(outcome("u1", "bad").text, "acting as another user is not allowed");
    EXPECT_EQ(outcome("nobody", "").text, "unknown user");
    EXPECT_EQ(outcome("", "u1").text, "no client certificate that is trusted and names a user");
}

TEST_F(ScramTest, AResponseWithoutAnExchangeEndsTheConversation) {
    auto channel = connect();
    EXPECT_FALSE(ask<ipc::AuthAnswer>(channel, ipc::AuthResponse{"x"}));
}

TEST(Resume, TokenIsOfOneUserSessionAndProtocol) {
    const Resume resume(std::string(32, 'k'));
    const Resume other(std::string(32, 'l'));
    const SessionId a = session_id();
    const SessionId b = session_id();
    const std::string token = resume.token("u1", a, AuthProtocol::imap);
    EXPECT_EQ(resume.redeem(token, a, AuthProtocol::imap), "u1");
    EXPECT_EQ(resume.redeem(token, a, AuthProtocol::imap), "u1") << "as often as it sleeps";
    EXPECT_EQ(Resume(std::string(32, 'k')).redeem(token, a, AuthProtocol::imap), "u1") << "a reload";
    EXPECT_FALSE(resume.redeem(token, b, AuthProtocol::imap));
    EXPECT_FALSE(resume.redeem(token, a, AuthProtocol::pop3));
    EXPECT_FALSE(resume.redeem(token, SessionId(), AuthProtocol::imap));
    EXPECT_FALSE(other.redeem(token, a, AuthProtocol::imap)) << "another boot";
    EXPECT_FALSE(resume.redeem(token + "0", a, AuthProtocol::imap)) << "another user";
    for (std::size_t size = 0; size < token.size(); ++size)
        EXPECT_FALSE(resume.redeem(token.substr(0, size), a, AuthProtocol::imap)) << size;
    EXPECT_NE(resume.session_key("u1", a), resume.session_key("u1", b));
    EXPECT_NE(resume.session_key("u1", a), resume.session_key("u2", a));
    EXPECT_NE(resume.session_key("u1", a), token.substr(0, 32)) << "login has the token";
}

TEST_F(ServiceTest, AHibernatedSessionComesBackWithItsToken) {
    auto login = connect();
    const auto answer = ask<ipc::AuthAnswer>(login, request("U1", "secret"));
    auto imapd = connect(true);
    const auto grant =
        ask<ipc::Grant>(imapd, ipc::RedeemToken{answer->token, session_, AuthProtocol::imap});
    ASSERT_TRUE(grant && grant->ok);
    for (int i = 0; i < 2; ++i) {
        const auto again = ask<ipc::Grant>(
            imapd, ipc::RedeemToken{grant->resume_token, session_, AuthProtocol::imap});
        ASSERT_TRUE(again && again->ok);
        EXPECT_EQ(again->user, "u1");
        EXPECT_EQ(again->session_key, grant->session_key);
    }
    const ipc::RedeemToken forged{grant->resume_token + "0", session_, AuthProtocol::imap};
    EXPECT_FALSE(ask<ipc::Grant>(imapd, forged)->ok);
    const ipc::RedeemToken elsewhere{grant->resume_token, session_id(), AuthProtocol::imap};
    EXPECT_FALSE(ask<ipc::Grant>(imapd, elsewhere)->ok);
    EXPECT_FALSE(ask<ipc::Grant>(login, ipc::RedeemToken{grant->resume_token, session_,
                                                         AuthProtocol::imap})
                     .has_value())
        << "login turns no token into a grant";
}

TEST_F(ServiceTest, WrongAndUnknownLookAlike) {
    auto login = connect();
    const auto wrong = ask<ipc::AuthAnswer>(login, request("u1", "wrong"));
    const auto unknown = ask<ipc::AuthAnswer>(login, request("nobody", "wrong"));
    EXPECT_EQ(wrong->outcome, AuthOutcome::failure);
    EXPECT_EQ(unknown->outcome, AuthOutcome::failure);
    EXPECT_EQ(wrong->token, "");
    const auto log = log::take_captured();
    EXPECT_THAT(log, testing::HasSubstr("unknown user"));
    EXPECT_THAT(log, testing::Not(testing::HasSubstr("wrong")));
}

TEST_F(ServiceTest, MistakesOfTheAdministratorAreTemporary) {
    auto login = connect();
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, request("bad", "x"))->outcome, AuthOutcome::temporary);
}

TEST_F(ServiceTest, MalformedAndForeignIdentities) {
    auto login = connect();
    auto malformed = request("u1", "secret");
    malformed.response = "rubbish";
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, malformed)->outcome, AuthOutcome::failure);
    auto other = request("u1", "secret");
    other.response = "admin"s + other.response;
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, other)->outcome, AuthOutcome::failure);
    auto same = request("u1", "secret");
    same.response = "u1"s + same.response;
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, same)->outcome, AuthOutcome::success);
}

class DomainServiceTest : public ServiceTest {
  protected:
    DomainServiceTest() { drops_domain_ = true; }
};

TEST_F(DomainServiceTest, TheDomainThatClientsAddIsNoPartOfTheName) {
    auto login = connect();
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, request("U1@example.test", "secret"))->user, "u1");
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, request("u1", "secret"))->user, "u1");
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, request("@example.test", "secret"))->outcome,
              AuthOutcome::failure);
    auto same = request("u1@example.test", "secret");
    same.response = "u1"s + same.response;
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, same)->outcome, AuthOutcome::success);
    auto certified = request("", "");
    certified.mechanism = "EXTERNAL";
    certified.certificate_user = "u1@other.test";
    certified.response.clear();
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, certified)->text, "unknown user")
        << "authorities may certify users of several domains";
}

TEST_F(ServiceTest, SmtpGetsNoToken) {
    auto smtpd = connect();
    auto r = request("u1", "secret");
    r.protocol = AuthProtocol::smtp;
    const auto answer = ask<ipc::AuthAnswer>(smtpd, r);
    EXPECT_EQ(answer->outcome, AuthOutcome::success);
    EXPECT_EQ(answer->token, "");
}

TEST_F(ServiceTest, TellsWhoExists) {
    write("u1:{PLAIN}x:1:1::/h\nmailonly::1:1::/h\n");
    auto policy = connect();
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"U1"})->outcome, ipc::UserOutcome::known);
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"mailonly"})->outcome, ipc::UserOutcome::known);
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"u2"})->outcome, ipc::UserOutcome::unknown);
    ASSERT_EQ(::unlink(options_.passwd_file.c_str()), 0);
    ASSERT_EQ(::mkdir(options_.passwd_file.c_str(), 0700), 0);
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"u1"})->outcome, ipc::UserOutcome::temporary);
}

TEST_F(ServiceTest, TellsWhereMailGoesToThoseWhoBecomeUsers) {
    write("mailonly::1001:1002::/home/m\n");
    auto local = connect(true);
    const auto answer = ask<ipc::UserAnswer>(local, ipc::UserRequest{"MailOnly"});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->outcome, ipc::UserOutcome::known);
    EXPECT_EQ(answer->user, "mailonly");
    EXPECT_EQ(answer->uid, 1001u);
    EXPECT_EQ(answer->gid, 1002u);
    EXPECT_EQ(answer->home, "/home/m");
    EXPECT_EQ(answer->mailbox, "/home/m/Maildir");
    EXPECT_EQ(ask<ipc::UserAnswer>(local, ipc::UserRequest{"nobody"})->outcome, ipc::UserOutcome::unknown);
    auto policy = connect(false);
    EXPECT_EQ(ask<ipc::UserAnswer>(policy, ipc::UserRequest{"mailonly"})->home, "");
}

TEST_F(ServiceTest, LoginItselfCannotRedeem) {
    auto login = connect(false);
    const auto answer = ask<ipc::AuthAnswer>(login, request("u1", "secret"));
    EXPECT_EQ(ask<ipc::Grant>(login, ipc::RedeemToken{answer->token, session_, AuthProtocol::imap})
                  .error()
                  .code,
              Errc::closed);
    EXPECT_EQ(ended_, 1);
}

class DelayedServiceTest : public ServiceTest {
  protected:
    DelayedServiceTest() { delay_ = Millis{150}; }
};

TEST_F(DelayedServiceTest, FailuresAreHeldBackAndSuccessIsNot) {
    auto login = connect();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(ask<ipc::AuthAnswer>(login, request("u1", "wrong"))->outcome, AuthOutcome::failure);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, Millis{145});
}

TEST_F(DelayedServiceTest, AClientThatLeavesIsForgotten) {
    {
        auto login = connect();
        ASSERT_TRUE(login.send(request("u1", "wrong"), Deadline::in(Seconds{30})));
    }
    const auto deadline = Deadline::in(Seconds{10});
    while (ended_ == 0 && !deadline.passed()) loop_.run_for(Millis{10});
    loop_.run_for(2 * delay_);  // the answer's time comes, and nobody is there
    EXPECT_EQ(ended_, 1);
}

}  // namespace
}  // namespace postern::auth
