// OAUTHBEARER and XOAUTH2 in the service: tokens that keys judge, tokens that somebody else does.
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>

#include "auth/auth_fixture.h"
#include "auth/token_checker.h"
#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/token.h"

namespace postern::auth {
namespace {

using ipc::AuthOutcome;
using testing::HasSubstr;

constexpr std::string_view kKey = "0123456789abcdef0123456789abcdef";

std::string base64url(std::string_view bytes) {
    std::string out = base64_encode(bytes);
    std::replace(out.begin(), out.end(), '+', '-');
    std::replace(out.begin(), out.end(), '/', '_');
    std::erase(out, '=');
    return out;
}

// Good until 2100, unless the claims say more.
std::string token(std::string_view claims, std::string_view key = kKey) {
    const std::string text =
        cat({base64url(R"({"alg":"HS256","kid":"one"})"), ".",
             base64url(cat({R"({"exp":4102444800,)", claims, "}"}))});
    return cat({text, ".", base64url(crypto::hmac(crypto::Digest::sha256, key, text))});
}

std::string key_set(std::string_view key = kKey) {
    return cat({R"({"keys":[{"kty":"oct","kid":"one","k":")", base64url(key), "\"}]}"});
}

class BearerTest : public ServiceTest {
  protected:
    BearerTest() {
        bearer_.keys = folder_.path() + "/keys.json";
        bearer_.rules.scopes = {"mail"};
        bearer_.openid_configuration = "https://issuer.test/.well-known/openid-configuration";
        write_keys(key_set());
    }
    void write_keys(const std::string& text) const { std::ofstream(bearer_.keys) << text; }

    static ipc::AuthRequest bearer_request(const std::string& user, const std::string& token,
                                           const SessionId& session) {
        ipc::AuthRequest r;
        r.session = session;
        r.protocol = ipc::AuthProtocol::imap;
        r.mechanism = "OAUTHBEARER";
        r.client_address = "127.0.0.1";
        r.has_response = true;
        const std::string authorization = user.empty() ? "" : "a=" + user;
        r.response = cat({"n,", authorization, ",\x01", "auth=Bearer ", token, "\x01\x01"});
        return r;
    }

    // The last answer; a challenge, which tells what is wrong, is kept and answered as RFC 7628
    // 3.2.3 has it.
    ipc::AuthAnswer log_in(const std::string& user, const std::string& token) {
        auto channel = connect();
        auto answer = ask<ipc::AuthAnswer>(channel, bearer_request(user, token, session_)).value();
        challenge_.clear();
        if (answer.outcome != AuthOutcome::challenge) return answer;
        challenge_ = answer.challenge;
        return ask<ipc::AuthAnswer>(channel, ipc::AuthResponse{"\x01"}).value();
    }

    std::string challenge_;
};

TEST_F(BearerTest, ATokenOfAKnownKeyIsAPassword) {
    const auto answer = log_in("", token(R"("email":"U1","scope":"mail other")"));
    EXPECT_EQ(answer.outcome, AuthOutcome::success);
    EXPECT_EQ(answer.user, "u1");
    EXPECT_EQ(answer.token.size(), ipc::kAuthTokenSize);
    EXPECT_EQ(log_in("u1", token(R"("email":"u1","scope":"mail")")).outcome, AuthOutcome::success);
}

TEST_F(BearerTest, WhatIsWrongIsToldAndThenRefused) {
    const auto refused = [&](const std::string& user, const std::string& text) {
        const auto answer = log_in(user, text);
        EXPECT_EQ(answer.outcome, AuthOutcome::failure);
        EXPECT_THAT(challenge_, HasSubstr("\"openid-configuration\""));
        return answer.text;
    };
    EXPECT_THAT(refused("", token(R"("email":"u1","scope":"mail")", "another key")),
                HasSubstr("no key has signed it (kid \"one\")"));
    EXPECT_THAT(challenge_, HasSubstr("invalid_token"));
    EXPECT_THAT(refused("bad", token(R"("email":"u1","scope":"mail")")),
                HasSubstr("the token is one of user u1"));
    EXPECT_THAT(refused("", token(R"("email":"nobody","scope":"mail")")), HasSubstr("unknown user"));
    EXPECT_THAT(refused("", token(R"("email":"u1","exp":1)")), HasSubstr("the token is not good"));
    EXPECT_THAT(refused("", token(R"("email":"u1","scope":"calendar")")),
                HasSubstr("the token is not good"));
    EXPECT_THAT(challenge_, HasSubstr("insufficient_scope"));
    EXPECT_THAT(refused("", "opaque"), HasSubstr("it is no JWT"));
    EXPECT_THAT(log::take_captured(), testing::Not(HasSubstr("opaque"))) << "tokens are secret";
}

TEST_F(BearerTest, WhoMayNotLogInFromHere) {
    write("u1:{PLAIN}secret:1001:1002::/home/u1::allow_nets=10.0.0.0/8\n");
    const auto answer = log_in("", token(R"("email":"u1","scope":"mail")"));
    EXPECT_EQ(answer.outcome, AuthOutcome::failure);
    EXPECT_EQ(answer.text, "the client is in none of the user's allow_nets");
}

TEST_F(BearerTest, AnAddressThatNobodyHasVerifiedIsNoName) {
    const auto with = [&](const std::string& verified) {
        return log_in("", token(R"("email":"u1","scope":"mail","email_verified":)" + verified))
            .text;
    };
    EXPECT_EQ(with("true"), "");
    EXPECT_EQ(with("false"), "the token is not good: its email is not verified");
}

TEST_F(BearerTest, WhoHasNoTokenIsToldWhereToGetOne) {  // RFC 7628 4.3
    auto channel = connect();
    auto request = bearer_request("u1", "x", session_);
    request.response = "n,a=u1,\x01host=h\x01port=143\x01" "auth=\x01\x01";
    const auto answer = ask<ipc::AuthAnswer>(channel, request).value();
    EXPECT_EQ(answer.challenge,
              "{\"status\":\"invalid_token\",\"scope\":\"mail\",\"openid-configuration\":"
              "\"https://issuer.test/.well-known/openid-configuration\"}");
}

TEST_F(BearerTest, KeysThatCannotBeReadAreNoWrongToken) {
    write_keys("{");
    EXPECT_EQ(log_in("", token(R"("email":"u1","scope":"mail")")).outcome, AuthOutcome::temporary);
    EXPECT_EQ(challenge_, "");
    EXPECT_THAT(log::take_captured(), HasSubstr("auth_oauth2_keys: " + bearer_.keys + ": "));
}

TEST_F(BearerTest, AFolderOfKeys) {
    const std::string folder = folder_.path() + "/keys";
    ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
    EXPECT_EQ(read_token_keys(folder)->size(), 0U);
    std::ofstream(folder + "/a.json") << key_set();
    std::ofstream(folder + "/b.jwk") << key_set("another key that is long enough for it");
    std::ofstream(folder + "/.hidden") << "rubbish";
    EXPECT_EQ(read_token_keys(folder)->size(), 2U);
    std::ofstream(folder + "/c.pem") << "-----BEGIN PUBLIC KEY-----\nrubbish\n";
    EXPECT_THAT(read_token_keys(folder).error().what, HasSubstr(folder + "/c.pem: "));
    EXPECT_FALSE(read_token_keys(folder_.path() + "/none"));
}

// What `introspect` says of tokens that we cannot read ourselves.
class IntrospectTest : public BearerTest {
  protected:
    IntrospectTest() {
        bearer_.keys.clear();
        bearer_.introspects = true;
        bearer_.introspect_path = folder_.path() + "/introspect";
        bearer_.introspect_timeout = Millis{300};
    }
    void SetUp() override {
        BearerTest::SetUp();
        listener_ = sys::listen_unix(bearer_.introspect_path, 0600).value();
        accepting_ = std::make_unique<loop::Watch>(loop_, listener_.get(), [this] { accept(); });
        accepting_->want_read(true);
    }
    void accept() {
        Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        channel_ = std::make_unique<ipc::LoopChannel>(
            loop_, std::move(socket),
            ipc::LoopChannel::Handler{[this](const ipc::Packet& packet) {
                                          tokens_.push_back(packet.as<ipc::TokenQuestion>()->token);
                                          if (answer_) (void)channel_->send(*answer_).has_value();
                                      },
                                      [this](const Error&) { channel_.reset(); }});
    }
    // What becomes of a login when introspect says this.
    ipc::AuthAnswer with(ipc::TokenAnswer answer) {
        answer_ = std::move(answer);
        return log_in("", "opaque");
    }

    Fd listener_;
    std::unique_ptr<loop::Watch> accepting_;
    std::unique_ptr<ipc::LoopChannel> channel_;
    std::optional<ipc::TokenAnswer> answer_;  // nothing: it never answers
    std::vector<std::string> tokens_;
};

TEST_F(IntrospectTest, ItsAnswerCounts) {
    EXPECT_EQ(with({"", true, R"({"email":"u1","scope":"mail"})"}).user, "u1");
    EXPECT_EQ(tokens_, std::vector<std::string>{"opaque"});
    EXPECT_THAT(with({"", false, ""}).text, HasSubstr("it is not active"));
    EXPECT_THAT(with({"", true, R"({"email":"u1","scope":"calendar"})"}).text,
                HasSubstr("the token is not good"));
}

TEST_F(IntrospectTest, WhoCannotTellIsAskedAgainLater) {
    EXPECT_EQ(with({"https://issuer.test: timeout", false, ""}).outcome, AuthOutcome::temporary);
    EXPECT_EQ(with({"", true, "{"}).outcome, AuthOutcome::temporary);
    answer_.reset();
    EXPECT_EQ(log_in("", "opaque").outcome, AuthOutcome::temporary);
    EXPECT_EQ(challenge_, "");
}

}  // namespace
}  // namespace postern::auth
