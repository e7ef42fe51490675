#include "lib/sasl/scram.h"

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/sasl/mechanisms.h"
#include "lib/sasl/password.h"

namespace postern::sasl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using namespace std::string_literals;

// RFC 5802 5 and RFC 7677 3: the same user and password.
struct Example {
    const char* mechanism;
    const char* salt;
    const char* client_nonce;
    const char* server_nonce;
    const char* proof;
    const char* signature;
};
constexpr Example kExamples[] = {
    {"SCRAM-SHA-1", "QSXCR+Q6sek8bf92", "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j",
     "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    {"SCRAM-SHA-256", "W22ZaJ0SNY7soEsUEjb6gQ==", "rOprNGfwEbeRWgbNEkqO",
     "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="}};

ScramSecret secret_of_pencil(const Example& e) {
    return derive_scram(scram_kind(e.mechanism)->digest, "pencil", *base64_decode(e.salt), 4096);
}

TEST(Scram, TheExamplesOfTheRfcs) {
    for (const Example& e : kExamples) {
        ScramServer server(*scram_kind(e.mechanism), {}, false, e.server_nonce);
        const auto first = server.first(cat({"n,,n=user,r=", e.client_nonce}));
        ASSERT_TRUE(first) << first.error().what;
        EXPECT_EQ(first->user, "user");
        EXPECT_EQ(first->authorization, "");
        const std::string nonce = cat({e.client_nonce, e.server_nonce});
        EXPECT_EQ(server.challenge(secret_of_pencil(e)),
                  cat({"r=", nonce, ",s=", e.salt, ",i=4096"}));
        const auto last = server.last(cat({"c=biws,r=", nonce, ",p=", e.proof}));
        ASSERT_TRUE(last) << last.error().what;
        EXPECT_EQ(*last, cat({"v=", e.signature}));
    }
}

TEST(Scram, WhatIsStored) {
    for (const Example& e : kExamples) {
        const auto digest = scram_kind(e.mechanism)->digest;
        const auto secret = secret_of_pencil(e);
        const std::string text = format_scram(secret);
        EXPECT_THAT(text, StartsWith(cat({"4096,", e.salt, ","})));
        const auto again = parse_scram(digest, text);
        ASSERT_TRUE(again) << again.error().what;
        EXPECT_EQ(format_scram(*again), text);
        EXPECT_TRUE(fits_scram(digest, *again, "pencil"));
        EXPECT_FALSE(fits_scram(digest, *again, "pen"));
        const std::string stored = cat({"{", e.mechanism, "}", text});
        EXPECT_TRUE(verify_password(stored, "pencil").value());
        EXPECT_FALSE(verify_password(stored, "Pencil").value());
        EXPECT_TRUE(stored_scram(stored, digest).value());
        EXPECT_FALSE(stored_plain(stored));
    }
    EXPECT_FALSE(stored_scram("{PLAIN}x", crypto::Digest::sha1).value());
    EXPECT_FALSE(stored_scram("$6$x$y", crypto::Digest::sha1).value());
    EXPECT_EQ(stored_plain("{plain}x"), "x");
    EXPECT_FALSE(stored_plain("{PLAIN}")) << "an account without password";
    const auto made = make_password("scram-sha-256", "p", SystemRandom::instance()).value();
    EXPECT_THAT(made, StartsWith("{SCRAM-SHA-256}4096,"));
    EXPECT_TRUE(verify_password(made, "p").value());
    EXPECT_FALSE(stored_scram(made, crypto::Digest::sha1).value()) << "of another digest";
}

TEST(Scram, WhatIsStoredBadly) {
    const std::string key = base64_encode(std::string(32, 'k'));
    const std::string bad[] = {"",
                               "4096",
                               cat({"0,c2FsdA==,", key, ",", key}),
                               cat({"10000001,c2FsdA==,", key, ",", key}),
                               cat({"x,c2FsdA==,", key, ",", key}),
                               cat({"4096,,", key, ",", key}),
                               cat({"4096,!,", key, ",", key}),
                               cat({"4096,c2FsdA==,c2FsdA==,", key}),
                               cat({"4096,c2FsdA==,", key, ",!"}),
                               cat({"4096,c2FsdA==,", key, ",", key, ",x"})};
    for (const auto& text : bad) {
        EXPECT_EQ(parse_scram(crypto::Digest::sha256, text).error().code, Errc::invalid) << text;
        EXPECT_EQ(verify_password("{SCRAM-SHA-256}" + text, "x").has_value(), text.empty()) << text;
    }
}

// RFC 4013 3: what looks the same is the same.
TEST(Scram, PasswordsArePrepared) {
    const auto digest = crypto::Digest::sha256;
    const auto secret = derive_scram(digest, "I\u00adX\u00aa", "salt", 1);  // soft hyphen, ordinal
    EXPECT_TRUE(fits_scram(digest, secret, "IXa"));
    EXPECT_FALSE(fits_scram(digest, secret, "ixa"));
    // Somebody has stored the password as it was typed.
    const std::string salted = crypto::pbkdf2(digest, "\u2168", "salt", 1, 32);
    const auto raw = crypto::digest(digest, crypto::hmac(digest, salted, "Client Key"));
    EXPECT_TRUE(fits_scram(digest, {1, "salt", raw, std::string(32, 'x')}, "\u2168"));
    // What cannot be prepared is taken as it is.
    const auto odd = derive_scram(digest, "\xff\xfe", "salt", 1);
    EXPECT_TRUE(fits_scram(digest, odd, "\xff\xfe"));
}

TEST(Scram, NamesAreDecoded) {
    const struct {
        const char* message;
        const char* user;
        const char* authorization;
    } cases[] = {{"n,,n=a=2Cb=3Dc,r=x", "a,b=c", ""},
                 {"n,a=bob,n=bob,r=x", "bob", "bob"},
                 {"y,,n=bob,r=x,extension=1", "bob", ""}};
    for (const auto& c : cases) {
        ScramServer server({}, {}, false, "n");
        const auto first = server.first(c.message);
        ASSERT_TRUE(first) << c.message;
        EXPECT_EQ(first->user, c.user);
        EXPECT_EQ(first->authorization, c.authorization);
    }
}

TEST(Scram, MalformedFirstMessages) {
    const std::string bad[] = {"",
                               "n",
                               "n,,",
                               "n,,n=bob",
                               "n,,r=x,n=bob",
                               "x,,n=bob,r=x",
                               ",,n=bob,r=x",
                               "n,b=bob,n=bob,r=x",
                               "n,a=,n=bob,r=x",
                               "n,,m=ext,n=bob,r=x",
                               "n,,n=,r=x",
                               "n,,n=a=2Db,r=x",
                               "n,,n=a=2,r=x",
                               "n,,n=a\nb,r=x",
                               "n,,n=bob,r=",
                               "n,,n=bob,r=a b",
                               "n,,n=" + std::string(256, 'u') + ",r=x",
                               "n,,n=bob,r=" + std::string(5000, 'x')};
    for (const auto& message : bad) {
        ScramServer server({}, {}, false, "n");
        const auto first = server.first(message);
        ASSERT_FALSE(first) << message;
        EXPECT_EQ(first.error().code, Errc::invalid) << message;
    }
}

TEST(Scram, LastMessages) {
    const auto secret = derive_scram(crypto::Digest::sha256, "p", "salt", 1);
    const std::string proof = base64_encode(std::string(32, 'p'));
    const struct {
        std::string message;
        Errc code;
    } cases[] = {{"c=biws,r=xn,p=" + proof, Errc::denied},
                 {"c=biws,r=xn,ext=1,p=" + proof, Errc::denied},
                 {"c=eSws,r=xn,p=" + proof, Errc::invalid},  // "y,,"
                 {"c=!,r=xn,p=" + proof, Errc::invalid},
                 {"c=biws,r=x,p=" + proof, Errc::invalid},
                 {"c=biws,r=xn,p=eA==", Errc::invalid},
                 {"c=biws,r=xn,p=!", Errc::invalid},
                 {"c=biws,r=xn", Errc::invalid},
                 {"c=biws,r=xn,p=" + proof + ",x=y", Errc::invalid},
                 {"r=xn,c=biws,p=" + proof, Errc::invalid},
                 {"", Errc::invalid}};
    for (const auto& c : cases) {
        ScramServer server({}, {}, false, "n");
        ASSERT_TRUE(server.first("n,,n=bob,r=x"));
        server.challenge(secret);
        const auto last = server.last(c.message);
        ASSERT_FALSE(last) << c.message;
        EXPECT_EQ(last.error().code, c.code) << c.message;
    }
}

// --- Channel binding

// What a client says that knows the password "p".
std::string client_last(const ScramServer::First&, std::string_view gs2, std::string_view bound,
                        std::string_view first_bare, const std::string& challenge) {
    const auto digest = crypto::Digest::sha256;
    const auto nonce = challenge.substr(2, challenge.find(',') - 2);
    const std::string without = cat({"c=", base64_encode(cat({gs2, bound})), ",r=", nonce});
    const std::string message = cat({first_bare, ",", challenge, ",", without});
    const std::string key =
        crypto::hmac(digest, crypto::pbkdf2(digest, "p", "salt", 1, 32), "Client Key");
    std::string proof = crypto::hmac(digest, crypto::digest(digest, key), message);
    for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ key[i]);
    return cat({without, ",p=", base64_encode(proof)});
}

TEST(Scram, BindsToTheChannel) {
    const ChannelBindings bindings{"unique", "exporter", "end point"};
    const struct {
        const char* type;
        const char* sent;
        bool good;
    } cases[] = {{"tls-exporter", "exporter", true},
                 {"tls-unique", "unique", true},
                 {"tls-server-end-point", "end point", true},
                 {"tls-exporter", "of another connection", false},
                 {"tls-exporter", "", false}};
    for (const auto& c : cases) {
        ScramServer server(*scram_kind("SCRAM-SHA-256-PLUS"), bindings, true, "n");
        const std::string gs2 = cat({"p=", c.type, ",,"});
        const auto first = server.first(gs2 + "n=bob,r=x");
        ASSERT_TRUE(first) << first.error().what;
        const auto challenge =
            server.challenge(derive_scram(crypto::Digest::sha256, "p", "salt", 1));
        const auto last = server.last(client_last(*first, gs2, c.sent, "n=bob,r=x", challenge));
        EXPECT_EQ(last.has_value(), c.good) << c.type << " " << c.sent;
    }
}

TEST(Scram, FlagsOfChannelBinding) {
    const struct {
        const char* mechanism;
        bool plus_offered;
        const char* message;
        const char* trouble;
    } cases[] = {
        {"SCRAM-SHA-256", false, "y,,n=bob,r=x", ""},
        {"SCRAM-SHA-256", true, "y,,n=bob,r=x", "was told that there is no channel binding"},
        {"SCRAM-SHA-256", true, "n,,n=bob,r=x", ""},
        {"SCRAM-SHA-256", true, "p=tls-exporter,,n=bob,r=x", "without a -PLUS mechanism"},
        {"SCRAM-SHA-256-PLUS", true, "n,,n=bob,r=x", "no channel binding with a -PLUS"},
        {"SCRAM-SHA-256-PLUS", true, "y,,n=bob,r=x", "no channel binding with a -PLUS"},
        {"SCRAM-SHA-256-PLUS", true, "p=tls-unique,,n=bob,r=x", "tls-unique is not there"},
        {"SCRAM-SHA-256-PLUS", true, "p=nonsense,,n=bob,r=x", "nonsense is not there"}};
    for (const auto& c : cases) {
        ScramServer server(*scram_kind(c.mechanism), {{}, "exporter", {}}, c.plus_offered, "n");
        const auto first = server.first(c.message);
        EXPECT_EQ(first.has_value(), c.trouble[0] == '\0') << c.message;
        if (!first) {
            EXPECT_THAT(first.error().what, HasSubstr(c.trouble));
        }
    }
}

// --- Which mechanisms

TEST(Mechanisms, WhatIsOfferedWhere) {
    std::vector<std::string> unknown;
    const auto all =
        Mechanisms::parse({"scram-sha-256", "Plain", "digest-md5", "LOGIN", "plain"}, unknown);
    EXPECT_THAT(unknown, ElementsAre("digest-md5"));
    EXPECT_THAT(all.offered(true, {.channel_binding = true}),
                ElementsAre("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"));
    EXPECT_THAT(all.offered(true, {}), ElementsAre("SCRAM-SHA-256", "PLAIN", "LOGIN"));
    EXPECT_THAT(all.offered(false, {}), ElementsAre("SCRAM-SHA-256"));
    EXPECT_TRUE(all.offers("plain", true, {}));
    EXPECT_FALSE(all.offers("plain", false, {}));
    EXPECT_TRUE(all.has_passwords() && all.binds());
    EXPECT_THAT(Mechanisms().offered(true, {true, true}), ElementsAre("PLAIN", "LOGIN"));
    EXPECT_FALSE(Mechanisms().binds());
    const auto none = Mechanisms::parse({}, unknown);
    EXPECT_TRUE(none.offered(true, {true, true}).empty());
    EXPECT_FALSE(none.has_passwords());
    const auto bound = Mechanisms::parse({"scram-sha-1-plus"}, unknown);
    EXPECT_THAT(bound.offered(true, {.channel_binding = true}), ElementsAre("SCRAM-SHA-1-PLUS"));
    EXPECT_FALSE(scram_kind("SCRAM-MD5"));
    const auto external = Mechanisms::parse({"external"}, unknown);
    EXPECT_TRUE(external.offered(true, {}).empty());
    EXPECT_THAT(external.offered(false, {.certificate = true}), ElementsAre("EXTERNAL"));
    EXPECT_TRUE(external.wants_certificates() && !all.wants_certificates());
}

}  // namespace
}  // namespace postern::sasl
