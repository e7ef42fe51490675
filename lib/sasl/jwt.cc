#include "lib/sasl/jwt.h"

#include <algorithm>

#include "lib/base/encode.h"
#include "lib/base/strings.h"

namespace postern::sasl {
namespace {

constexpr std::size_t kMaxKeys = 100;
constexpr std::int64_t kClockSkew = 30;  // seconds, for tokens that are a moment too young

struct Algorithm {
    std::string_view name;
    crypto::Signature kind;
};
constexpr Algorithm kAlgorithms[] = {
    {"HS256", crypto::Signature::hs256}, {"HS512", crypto::Signature::hs512},
    {"RS256", crypto::Signature::rs256}, {"RS512", crypto::Signature::rs512},
    {"PS256", crypto::Signature::ps256}, {"ES256", crypto::Signature::es256},
    {"ES384", crypto::Signature::es384}, {"EdDSA", crypto::Signature::eddsa}};

std::optional<crypto::Signature> signature_kind(std::string_view name) {
    for (const auto& one : kAlgorithms)
        if (one.name == name) return one.kind;
    return std::nullopt;
}

// RFC 7515 2: another alphabet, and no padding.
std::optional<std::string> base64url_decode(std::string_view text) {
    std::string usual(text);
    if (usual.find_first_of("+/=") != std::string::npos) return std::nullopt;
    std::replace(usual.begin(), usual.end(), '-', '+');
    std::replace(usual.begin(), usual.end(), '_', '/');
    usual.append((4 - usual.size() % 4) % 4, '=');
    return base64_decode(usual);
}

Error bad_token(std::string_view what) {
    return {Errc::invalid, cat({"malformed token: ", what}), 0};
}
Error bad_jwk(std::string_view what) { return {Errc::invalid, cat({"JWK: ", what}), 0}; }

std::string_view text_of(const Json& object, std::string_view name) {
    const Json* const value = object.find(name);
    return value != nullptr ? value->string().value_or("") : std::string_view();
}

Result<Json> object_of(std::string_view part, std::string_view what) {
    const auto bytes = base64url_decode(part);
    if (!bytes) return bad_token(cat({what, " is not base64url"}));
    auto json = Json::parse(*bytes);
    if (!json) return bad_token(cat({what, ": ", json.error().what}));
    if (!json->is_object()) return bad_token(cat({what, " is no object"}));
    return json;
}

Result<std::string> bytes_of(const Json& jwk, std::string_view name) {
    const auto bytes = base64url_decode(text_of(jwk, name));
    if (!bytes || bytes->empty()) return bad_jwk(cat({"no good \"", name, "\""}));
    return *bytes;
}

// RFC 7518 6, RFC 8037 2. Nothing: a kind that is not known here.
Result<std::optional<crypto::VerifyingKey>> key_of(const Json& jwk) {
    const std::string_view type = text_of(jwk, "kty");
    const std::string_view curve = text_of(jwk, "crv");
    const auto found =
        [](Result<crypto::VerifyingKey> key) -> Result<std::optional<crypto::VerifyingKey>> {
        if (!key) return std::move(key).error();
        return std::optional<crypto::VerifyingKey>(*std::move(key));
    };
    if (type == "RSA") {
        TRY_ASSIGN(const std::string n, bytes_of(jwk, "n"));
        TRY_ASSIGN(const std::string e, bytes_of(jwk, "e"));
        return found(crypto::VerifyingKey::rsa(n, e));
    }
    if (type == "EC" && (curve == "P-256" || curve == "P-384")) {
        TRY_ASSIGN(const std::string x, bytes_of(jwk, "x"));
        TRY_ASSIGN(const std::string y, bytes_of(jwk, "y"));
        return found(crypto::VerifyingKey::elliptic(curve, x, y));
    }
    if (type == "OKP" && curve == "Ed25519") {
        TRY_ASSIGN(const std::string x, bytes_of(jwk, "x"));
        return found(crypto::VerifyingKey::ed25519(x));
    }
    if (type == "oct") {
        TRY_ASSIGN(std::string k, bytes_of(jwk, "k"));
        return found(crypto::VerifyingKey::secret(std::move(k)));
    }
    return std::optional<crypto::VerifyingKey>();
}

Result<void> add_key(const Json& jwk, std::vector<TokenKey>& keys) {
    if (!jwk.is_object()) return bad_jwk("no object");
    const std::string_view use = text_of(jwk, "use");
    if (!use.empty() && use != "sig") return {};
    std::optional<crypto::Signature> only;
    if (const auto algorithm = text_of(jwk, "alg"); !algorithm.empty()) {
        only = signature_kind(algorithm);
        if (!only) return {};
    }
    TRY_ASSIGN(auto key, key_of(jwk));
    if (!key) return {};
    if (keys.size() >= kMaxKeys) return bad_jwk("more than 100 keys");
    keys.push_back({std::string(text_of(jwk, "kid")), only, *std::move(key)});
    return {};
}

// A claim that is a text or a list of texts (RFC 7519 4.1.3); a text may be words, too (RFC 8693
// 4.2: scope).
std::vector<std::string_view> texts_of(const Json& claims, std::string_view name, bool words) {
    std::vector<std::string_view> texts;
    const Json* const value = claims.find(name);
    if (value == nullptr) return texts;
    if (const auto one = value->string()) {
        if (words) return split_words(*one);
        texts.push_back(*one);
    }
    if (value->kind() != Json::Kind::array) return texts;
    for (const Json& element : value->elements())
        if (const auto one = element.string()) texts.push_back(*one);
    return texts;
}

bool has_any(const std::vector<std::string_view>& texts, const std::vector<std::string>& wanted) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
        return std::find(texts.begin(), texts.end(), one) != texts.end();
    });
}

// OpenID Connect Core 5.1: email_verified, phone_number_verified. What the issuer only repeats must
// not become somebody's name. Some write the truth value as a text.
bool is_unverified(const Json& claims, std::string_view name) {
    const Json* const verified = claims.find(cat({name, "_verified"}));
    if (verified == nullptr) return false;
    return verified->boolean() != true && verified->string() != "true";
}

// RFC 7519 4.1.4 to 4.1.6. Empty: the time is right.
std::string trouble_with_time(const Json& claims, std::int64_t now, bool must_expire) {
    const auto time_of = [&](const char* name) {
        const Json* const value = claims.find(name);
        return value != nullptr ? value->integer() : std::nullopt;
    };
    for (const char* name : {"exp", "nbf", "iat"})
        if (claims.find(name) != nullptr && !time_of(name)) return cat({name, " is no time"});
    const auto expires = time_of("exp");
    if (!expires && must_expire) return "it never expires";
    if (expires && *expires <= now) return "it has expired";
    if (time_of("nbf").value_or(0) > now + kClockSkew) return "it is not valid yet";
    if (time_of("iat").value_or(0) > now + kClockSkew) return "it was issued in the future";
    return {};
}

}  // namespace

bool looks_like_jwt(std::string_view text) {
    return std::count(text.begin(), text.end(), '.') == 2 && text.starts_with("eyJ");
}

Result<Jwt> parse_jwt(std::string_view text) {
    const auto parts = split(text, '.');
    if (parts.size() != 3) return bad_token("not three parts");
    TRY_ASSIGN(const Json header, object_of(parts[0], "its header"));
    const auto kind = signature_kind(text_of(header, "alg"));
    if (!kind) return bad_token(cat({"algorithm \"", printable(text_of(header, "alg"), 20), "\""}));
    // RFC 7515 4.1.11: whoever does not understand an extension must refuse it.
    if (header.find("crit") != nullptr) return bad_token("critical extensions");
    Jwt token;
    token.kind = *kind;
    token.key_id = text_of(header, "kid");
    TRY_ASSIGN(token.claims, object_of(parts[1], "its claims"));
    auto signature = base64url_decode(parts[2]);
    if (!signature || signature->empty()) return bad_token("no signature");
    token.signature = *std::move(signature);
    token.signed_text = text.substr(0, parts[0].size() + 1 + parts[1].size());
    return token;
}

Result<std::vector<TokenKey>> parse_jwks(std::string_view text) {
    TRY_ASSIGN(const Json json, Json::parse(text));
    std::vector<TokenKey> keys;
    const Json* const set = json.find("keys");
    if (set == nullptr) {
        TRY(add_key(json, keys));
        return keys;
    }
    if (set->kind() != Json::Kind::array) return bad_jwk("\"keys\" is no list");
    for (const Json& jwk : set->elements()) TRY(add_key(jwk, keys));
    return keys;
}

bool is_signed(const Jwt& token, const std::vector<TokenKey>& keys) {
    return std::any_of(keys.begin(), keys.end(), [&](const TokenKey& one) {
        const bool meant = token.key_id.empty() || one.id.empty() || one.id == token.key_id;
        return meant && (!one.only || *one.only == token.kind) &&
               one.key.verify(token.kind, token.signed_text, token.signature);
    });
}

TokenVerdict judge_token(const Json& claims, const TokenRules& rules, WallTime now,
                         bool must_expire) {
    const std::int64_t seconds =
        std::chrono::duration_cast<Seconds>(now.time_since_epoch()).count();
    TokenVerdict verdict;
    verdict.why = trouble_with_time(claims, seconds, must_expire);
    if (!verdict.why.empty()) return verdict;
    if (!rules.issuers.empty() && !has_any(texts_of(claims, "iss", false), rules.issuers))
        verdict.why = "it is of another issuer";
    else if (!rules.audiences.empty() && !has_any(texts_of(claims, "aud", false), rules.audiences))
        verdict.why = "it is for another audience";
    const auto scopes = texts_of(claims, "scope", true);
    for (const auto& scope : rules.scopes) {
        if (!verdict.why.empty() || has_any(scopes, {scope})) continue;
        verdict.why = cat({"it lacks the scope ", scope});
        verdict.scope = true;
    }
    if (!verdict.why.empty()) return verdict;
    if (is_unverified(claims, rules.username_attribute)) {
        verdict.why = cat({"its ", rules.username_attribute, " is not verified"});
        return verdict;
    }
    verdict.user = text_of(claims, rules.username_attribute);
    if (verdict.user.empty()) verdict.why = cat({"it has no ", rules.username_attribute});
    return verdict;
}

}  // namespace postern::sasl
