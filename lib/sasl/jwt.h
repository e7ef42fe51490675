// JSON Web Tokens (RFC 7519) in the compact form of JWS (RFC 7515), keys in the form of JWK (RFC
// 7517), and what makes a token good for a login. Pure: texts and a time in.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/result.h"
#include "lib/crypto/verifying_key.h"

namespace postern::sasl {

struct Jwt {
    crypto::Signature kind = crypto::Signature::rs256;
    std::string key_id;  // empty: not said
    std::string signed_text;
    std::string signature;
    Json claims;  // an object
};

// Whether text has the form of such a token: three parts. Others are opaque.
bool looks_like_jwt(std::string_view text);
// Errc::invalid says what is wrong; the signature is not looked at.
Result<Jwt> parse_jwt(std::string_view text);

struct TokenKey {
    std::string id;  // empty: for tokens of any name
    std::optional<crypto::Signature> only;
    crypto::VerifyingKey key;
};
// A JWK Set, or a single JWK. Keys that are of no use here (for encryption, of unknown kinds) are
// left out; Errc::invalid: one that is broken, or no set at all.
Result<std::vector<TokenKey>> parse_jwks(std::string_view text);

// Whether one of the keys has signed it: the one that it names, or, when it names none, any.
bool is_signed(const Jwt& token, const std::vector<TokenKey>& keys);

// What is asked of a token's claims, whoever vouches for them.
struct TokenRules {
    std::vector<std::string> issuers;    // one of them; empty: any
    std::vector<std::string> audiences;  // likewise
    std::vector<std::string> scopes;     // all of them
    std::string username_attribute = "email";
};
struct TokenVerdict {
    std::string user;    // when it is good
    std::string why;     // otherwise; for the log
    bool scope = false;  // it lacks a scope, and nothing else
};
// `claims` of a token, or the answer about one. `must_expire`: exp has to be there.
TokenVerdict judge_token(const Json& claims, const TokenRules& rules, WallTime now,
                         bool must_expire);

}  // namespace postern::sasl
