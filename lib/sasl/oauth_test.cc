#include "lib/sasl/oauth.h"

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/sasl/jwt.h"

namespace postern::sasl {
namespace {

using testing::HasSubstr;

// RFC 7515 A.1 to A.3: the same claims, signed in three ways; RFC 8037 A.4.
constexpr std::string_view kClaims =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";
struct Signed {
    const char* header;
    const char* signature;
    const char* key;
    crypto::Signature kind;
};
constexpr Signed kSigned[] = {
    {"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
     "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
     "1qS0gZH75aKtMN3Yj0iPS4hcgUu"
     "TwjAzZr1Z9CAow\"}",
     crypto::Signature::hs256},
    {"eyJhbGciOiJSUzI1NiJ9",
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
     "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1"
     "L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYE"
     "UipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
     "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-"
     "Vaw-4q"
     "PCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
     "b"
     "Sf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
     "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4L"
     "T6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":"
     "\"AQAB\"}",
     crypto::Signature::rs256},
    {"eyJhbGciOiJFUzI1NiJ9",
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":"
     "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     crypto::Signature::es256}};

std::string token_of(const Signed& e) { return cat({e.header, ".", kClaims, ".", e.signature}); }

TEST(Jwt, TheExamplesOfTheRfcs) {
    for (const Signed& e : kSigned) {
        const auto token = parse_jwt(token_of(e));
        ASSERT_TRUE(token) << token.error().what;
        EXPECT_TRUE(looks_like_jwt(token_of(e)));
        EXPECT_EQ(token->kind, e.kind);
        EXPECT_EQ(token->claims.find("iss")->string(), "joe");
        EXPECT_EQ(token->claims.find("exp")->integer(), 1300819380);
        for (const Signed& other : kSigned) {
            const auto keys = parse_jwks(other.key);
            ASSERT_TRUE(keys) << keys.error().what;
            EXPECT_EQ(is_signed(*token, *keys), &e == &other);
        }
        auto changed = *parse_jwt(token_of(e));
        changed.signed_text.back() = 'R';
        EXPECT_FALSE(is_signed(changed, *parse_jwks(e.key)));
        changed = *parse_jwt(token_of(e));
        changed.signature.back() ^= 1;
        EXPECT_FALSE(is_signed(changed, *parse_jwks(e.key)));
    }
    // RFC 8037 A.4: what is signed there is no token.
    const auto key = parse_jwks(
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}");
    ASSERT_EQ(key->size(), 1U);
    const auto bytes = parse_jwt(
        "eyJhbGciOiJFZERTQSJ9.e30."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    ASSERT_TRUE(bytes) << bytes.error().what;
    EXPECT_TRUE(key->front().key.verify(crypto::Signature::eddsa,
                                        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                                        bytes->signature));
}

std::string made(std::string_view header, std::string_view claims) {
    const auto url = [](std::string_view text) {
        std::string out = base64_encode(text);
        while (out.ends_with('=')) out.pop_back();
        return out;
    };
    const std::string text = cat({url(header), ".", url(claims)});
    return cat({text, ".c2ln"});
}

TEST(Jwt, Malformed) {
    const std::string bad[] = {"",
                               "a.b",
                               "a.b.c.d",
                               "e30.e30.c2ln",
                               made("{\"alg\":\"none\"}", "{}"),
                               made("{\"alg\":\"rs256\"}", "{}"),
                               made("{\"alg\":1}", "{}"),
                               made("{\"alg\":\"RS256\",\"crit\":[]}", "{}"),
                               made("[]", "{}"),
                               made("{\"alg\":\"RS256\"}", "[]"),
                               made("{\"alg\":\"RS256\"}", "{\"a\":1,\"a\":2}"),
                               made("{\"alg\":\"RS256\"}", "{}") + "+",
                               made("{\"alg\":\"RS256\"}", "{}").substr(0, 28)};
    for (const auto& text : bad) EXPECT_EQ(parse_jwt(text).error().code, Errc::invalid) << text;
    EXPECT_TRUE(parse_jwt(made("{\"alg\":\"RS256\",\"kid\":\"k\"}", "{}")));
    EXPECT_FALSE(looks_like_jwt("opaque"));
}

TEST(Jwt, KeySets) {
    const std::string ec = kSigned[2].key;
    const auto with = [&](const std::string& more) { return "{" + more + "," + ec.substr(1); };
    const auto set = parse_jwks("{\"keys\":[" + with("\"kid\":\"one\",\"alg\":\"ES256\"") + "," +
                                with("\"use\":\"enc\"") + "," + with("\"alg\":\"ECDH-ES\"") +
                                ",{\"kty\":\"new\"}]}");
    ASSERT_TRUE(set) << set.error().what;
    ASSERT_EQ(set->size(), 1U) << "others are of no use for us";
    EXPECT_EQ(set->front().id, "one");
    auto token = *parse_jwt(token_of(kSigned[2]));
    EXPECT_TRUE(is_signed(token, *set)) << "a token that names no key";
    token.key_id = "one";
    EXPECT_TRUE(is_signed(token, *set));
    token.key_id = "two";
    EXPECT_FALSE(is_signed(token, *set));
    EXPECT_TRUE(is_signed(token, *parse_jwks(ec))) << "a key without a name";
    EXPECT_FALSE(
        is_signed(*parse_jwt(token_of(kSigned[2])), *parse_jwks(with("\"alg\":\"ES384\""))));
    for (const char* bad :
         {"", "[]", "{\"keys\":{}}", "{\"keys\":[1]}", "{\"kty\":\"RSA\"}",
          "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}",
          "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQAB\",\"y\":\"AQAB\"}",
          "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}"})
        EXPECT_EQ(parse_jwks(bad).error().code, Errc::invalid) << bad;
}

TEST(Jwt, WhatMakesATokenGood) {
    const TokenRules rules{{"https://issuer.test"}, {"mail", "postern"}, {"imap", "smtp"}, "email"};
    const std::string good =
        "{\"iss\":\"https://issuer.test\",\"aud\":[\"x\",\"mail\"],\"scope\":\"smtp openid imap\","
        "\"email\":\"ann\",\"exp\":1100,\"nbf\":900,\"iat\":1000}";
    const auto judge = [&](std::string_view from, std::string_view to) {
        std::string text = good;
        const auto at = text.find(from);
        if (at == std::string::npos) ADD_FAILURE() << from;
        text.replace(at, from.size(), to);
        return judge_token(Json::parse(text).value(), rules, WallTime(Seconds{1000}), true);
    };
    EXPECT_EQ(judge("x", "x").user, "ann");
    EXPECT_EQ(judge("[\"x\",\"mail\"]", "\"postern\"").user, "ann");
    EXPECT_EQ(judge("\"smtp openid imap\"", "[\"smtp\",\"imap\"]").user, "ann");
    EXPECT_EQ(judge("900", "1030").user, "ann") << "clocks differ";
    for (const char* fine : {"\"email_verified\":true", "\"email_verified\":\"true\"",
                             "\"phone_number_verified\":false"})
        EXPECT_EQ(judge("\"exp\"", cat({fine, ",\"exp\""})).user, "ann") << fine;
    const struct {
        const char* from;
        const char* to;
        const char* why;
    } cases[] = {{"1100", "1000", "it has expired"},
                 {"1100", "\"x\"", "exp is no time"},
                 {"\"exp\"", "\"x\"", "it never expires"},
                 {"900", "1031", "it is not valid yet"},
                 {"\"iat\":1000", "\"iat\":2000", "it was issued in the future"},
                 {"issuer.test", "other.test", "it is of another issuer"},
                 {"\"iss\"", "\"x\"", "it is of another issuer"},
                 {"mail", "web", "it is for another audience"},
                 {"smtp ", "", "it lacks the scope smtp"},
                 {"\"email\"", "\"sub\"", "it has no email"},
                 {"\"ann\"", "1", "it has no email"},
                 {"\"ann\"", "\"ann\",\"email_verified\":false", "its email is not verified"},
                 {"\"ann\"", "\"ann\",\"email_verified\":\"false\"", "its email is not verified"},
                 {"\"ann\"", "\"ann\",\"email_verified\":null", "its email is not verified"}};
    for (const auto& c : cases) {
        const auto verdict = judge(c.from, c.to);
        EXPECT_EQ(verdict.why, c.why);
        EXPECT_EQ(verdict.user, "") << c.why;
        EXPECT_EQ(verdict.scope, verdict.why.find("scope") != std::string::npos);
    }
    // Whose server vouches for it may not say how long.
    EXPECT_EQ(judge_token(Json::parse("{\"email\":\"a\"}").value(), {}, WallTime{}, false).user,
              "a");
}

TEST(Bearer, TheExamplesOfTheRfc) {
    // RFC 7628 4.1 and 4.3
    const auto first = parse_oauthbearer(
        "n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer "
        "vF9dft4qmTc2Nvb3RlckBhbHRh"
        "dmlzdGEuY29tCg==\1\1");
    ASSERT_TRUE(first) << first.error().what;
    EXPECT_EQ(first->user, "user@example.com");
    EXPECT_EQ(first->token, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    EXPECT_EQ(parse_oauthbearer("n,,\1auth=Bearer x\1\1")->user, "");
    EXPECT_EQ(parse_oauthbearer("y,a=a=2Cb,\1auth=bearer x\1\1")->user, "a,b");
    EXPECT_EQ(oauthbearer_error(BearerError::invalid_token, "example_scope",
                                "https://example.com/.well-known/openid-configuration"),
              "{\"status\":\"invalid_token\",\"scope\":\"example_scope\",\"openid-configuration\":"
              "\"https://example.com/.well-known/openid-configuration\"}");
    EXPECT_EQ(oauthbearer_error(BearerError::insufficient_scope, "", ""),
              "{\"status\":\"insufficient_scope\"}");
    const auto older = parse_xoauth2("user=ann@example.test\1auth=Bearer ya29.x\1\1");
    ASSERT_TRUE(older) << older.error().what;
    EXPECT_EQ(older->user, "ann@example.test");
    EXPECT_EQ(older->token, "ya29.x");
    EXPECT_EQ(xoauth2_error("mail"),
              "{\"status\":\"400\",\"schemes\":\"bearer\",\"scope\":\"mail\"}");
}

TEST(Bearer, Malformed) {
    for (const char* bad :
         {"", "\1", "n,,", "n,,\1", "n,,\1\1", "n,,\1auth=Bearer x\1", "n,,\1auth=Basic x\1\1",
          "n,,\1auth=Bearer \1\1", "n,,\1auth=Bearer a b\1\1",
          "n,,\1auth=Bearer x\1auth=Bearer y\1\1", "n,,\1host=x\1\1",
          "n,,\1noequals\1auth=Bearer x\1\1", "n,,\1=x\1auth=Bearer x\1\1",
          "p=tls-unique,,\1auth=Bearer x\1\1", "n,b=c,\1auth=Bearer x\1\1",
          "n,a=,\1auth=Bearer x\1\1", "n,,x\1auth=Bearer x\1\1", "user=a\1auth=Bearer x\1\1"})
        EXPECT_EQ(parse_oauthbearer(bad).error().code, Errc::invalid) << bad;
    for (const char* bad :
         {"", "\1", "user=\1auth=Bearer x\1\1", "user=a\1\1", "n,,\1auth=Bearer x\1\1",
          "user=a\nb\1auth=Bearer x\1\1", "user=a\1auth=Bearer x"})
        EXPECT_EQ(parse_xoauth2(bad).error().code, Errc::invalid) << bad;
    EXPECT_FALSE(parse_oauthbearer("n,,\1auth=Bearer " + std::string(13000, 'x') + "\1\1"));
}

}  // namespace
}  // namespace postern::sasl
