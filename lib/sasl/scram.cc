#include "lib/sasl/scram.h"

#include <algorithm>
#include <array>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/mail/saslprep.h"
#include "lib/sasl/server_exchange.h"

namespace postern::sasl {
namespace {

constexpr std::size_t kMaxMessage = 4096;
constexpr std::size_t kMaxSalt = 256;

Error malformed(std::string_view what) {
    return {Errc::invalid, cat({"malformed SCRAM message: ", what}), 0};
}

std::string exclusive_or(std::string_view a, std::string_view b) {
    std::string out(a);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
    return out;
}

// "n=value" -> value; nothing when the attribute is another one.
std::optional<std::string_view> value_of(std::string_view part, char attribute) {
    if (part.size() < 2 || part[0] != attribute || part[1] != '=') return std::nullopt;
    return part.substr(2);
}

bool is_nonce(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char c) { return c > ' ' && c < 127 && c != ','; });
}

// RFC 5802 3. The keys of the password are wiped on the way.
ScramSecret secret_of(crypto::Digest digest, std::string_view password, std::string_view salt,
                      unsigned iterations) {
    std::string salted =
        crypto::pbkdf2(digest, password, salt, iterations, crypto::digest_size(digest));
    const crypto::WipeGuard salted_guard(salted);
    std::string client_key = crypto::hmac(digest, salted, "Client Key");
    const crypto::WipeGuard client_guard(client_key);
    return {iterations, std::string(salt), crypto::digest(digest, client_key),
            crypto::hmac(digest, salted, "Server Key")};
}

bool has_keys_of(crypto::Digest digest, const ScramSecret& secret, std::string_view password) {
    const auto made = secret_of(digest, password, secret.salt, secret.iterations);
    return crypto::secure_equal(made.stored_key, secret.stored_key);
}

}  // namespace

// "=2C" is a comma, "=3D" an equals sign.
std::optional<std::string> decode_saslname(std::string_view text) {
    std::string name;
    while (!text.empty()) {
        const std::string_view escape = text.substr(0, 3);
        if (text.front() != '=') {
            name += text.front();
            text.remove_prefix(1);
            continue;
        }
        if (escape != "=2C" && escape != "=3D") return std::nullopt;
        name += escape == "=2C" ? ',' : '=';
        text.remove_prefix(3);
    }
    if (name.empty() || name.size() > kMaxUser || std::any_of(name.begin(), name.end(), is_control))
        return std::nullopt;
    return name;
}

std::optional<ScramKind> scram_kind(std::string_view mechanism) {
    const bool plus = iends_with(mechanism, "-PLUS");
    if (plus) mechanism.remove_suffix(5);
    if (iequals(mechanism, "SCRAM-SHA-1")) return ScramKind{crypto::Digest::sha1, plus};
    if (iequals(mechanism, "SCRAM-SHA-256")) return ScramKind{crypto::Digest::sha256, plus};
    return std::nullopt;
}

// --- The stored form

Result<ScramSecret> parse_scram(crypto::Digest digest, std::string_view text) {
    const auto invalid = [](std::string_view what) {
        return Error{Errc::invalid, cat({"stored SCRAM secret: ", what}), 0};
    };
    const auto parts = split(text, ',');
    if (parts.size() != 4) return invalid("not iterations,salt,StoredKey,ServerKey");
    const auto iterations = parse_number<unsigned>(parts[0]);
    if (!iterations || *iterations == 0 || *iterations > kMaxScramIterations)
        return invalid("the number of iterations is not from 1 to 10000000");
    const auto salt = base64_decode(parts[1]);
    if (!salt || salt->empty() || salt->size() > kMaxSalt) return invalid("bad salt");
    const auto stored_key = base64_decode(parts[2]);
    const auto server_key = base64_decode(parts[3]);
    const std::size_t size = crypto::digest_size(digest);
    if (!stored_key || stored_key->size() != size || !server_key || server_key->size() != size)
        return invalid("keys of another size than the digest's");
    return ScramSecret{*iterations, *salt, *stored_key, *server_key};
}

std::string format_scram(const ScramSecret& secret) {
    return cat({std::to_string(secret.iterations), ",", base64_encode(secret.salt), ",",
                base64_encode(secret.stored_key), ",", base64_encode(secret.server_key)});
}

ScramSecret derive_scram(crypto::Digest digest, std::string_view password, std::string_view salt,
                         unsigned iterations) {
    std::string prepared = mail::saslprep(password).value_or(std::string(password));
    const crypto::WipeGuard guard(prepared);
    return secret_of(digest, prepared, salt, iterations);
}

// Others (Dovecot) have made such secrets of passwords as they were typed.
bool fits_scram(crypto::Digest digest, const ScramSecret& secret, std::string_view password) {
    std::string prepared = mail::saslprep(password).value_or(std::string(password));
    const crypto::WipeGuard guard(prepared);
    return has_keys_of(digest, secret, prepared) ||
           (prepared != password && has_keys_of(digest, secret, password));
}

// --- The exchange

// RFC 5802 6: "n" cannot bind, "y" could but thinks that we cannot, "p=TYPE" does.
Result<void> ScramServer::choose_binding(std::string_view flag) {
    if (flag == "n" || flag == "y") {
        if (kind_.plus) return malformed("no channel binding with a -PLUS mechanism");
        if (flag == "y" && plus_offered_)
            return Error{Errc::invalid, "the client was told that there is no channel binding", 0};
        return {};
    }
    const auto type = value_of(flag, 'p');
    if (!type) return malformed("channel binding flag");
    if (!kind_.plus) return malformed("channel binding without a -PLUS mechanism");
    bound_data_ = *type == "tls-exporter"           ? bindings_.exporter
                  : *type == "tls-unique"           ? bindings_.unique
                  : *type == "tls-server-end-point" ? bindings_.server_end_point
                                                    : std::string();
    if (bound_data_.empty())
        return Error{Errc::invalid,
                     cat({"channel binding ", printable(*type, 40), " is not there"}), 0};
    return {};
}

// RFC 5802 7: gs2-cbind-flag "," [ "a=" saslname ] "," [reserved-mext ","] "n=" saslname ","
// "r=" c-nonce ["," extensions]
Result<ScramServer::First> ScramServer::first(std::string_view message) {
    if (message.size() > kMaxMessage) return malformed("too long");
    const auto parts = split(message, ',');
    if (parts.size() < 4) return malformed("too short");
    TRY(choose_binding(parts[0]));
    First first;
    if (!parts[1].empty()) {
        const auto authorization = value_of(parts[1], 'a');
        auto name = authorization ? decode_saslname(*authorization) : std::nullopt;
        if (!name) return malformed("authorization identity");
        first.authorization = *std::move(name);
    }
    if (value_of(parts[2], 'm')) return malformed("a mandatory extension");
    const auto user = value_of(parts[2], 'n');
    auto name = user ? decode_saslname(*user) : std::nullopt;
    if (!name) return malformed("user name");
    first.user = *std::move(name);
    const auto nonce = value_of(parts[3], 'r');
    if (!nonce || !is_nonce(*nonce)) return malformed("nonce");
    gs2_header_ = cat({parts[0], ",", parts[1], ","});
    first_bare_ = message.substr(gs2_header_.size());
    nonce_ = cat({*nonce, nonce_});
    return first;
}

std::string ScramServer::challenge(const ScramSecret& secret) {
    stored_key_ = secret.stored_key;
    server_key_ = secret.server_key;
    server_first_ = cat({"r=", nonce_, ",s=", base64_encode(secret.salt),
                         ",i=", std::to_string(secret.iterations)});
    return server_first_;
}

// RFC 5802 7: "c=" base64 "," "r=" nonce ["," extensions] "," "p=" base64
Result<std::string> ScramServer::last(std::string_view message) const {
    if (message.size() > kMaxMessage) return malformed("too long");
    const auto parts = split(message, ',');
    if (parts.size() < 3) return malformed("too short");
    const auto binding = value_of(parts[0], 'c');
    const auto decoded = binding ? base64_decode(*binding) : std::nullopt;
    if (!decoded) return malformed("channel binding");
    if (*decoded != gs2_header_ + bound_data_)
        return Error{Errc::invalid, "the exchange is bound to another channel", 0};
    if (value_of(parts[1], 'r') != std::string_view(nonce_)) return malformed("nonce");
    const auto proof_text = value_of(parts.back(), 'p');
    const auto proof = proof_text ? base64_decode(*proof_text) : std::nullopt;
    if (!proof || proof->size() != stored_key_.size()) return malformed("proof");
    const std::string_view without_proof =
        message.substr(0, message.size() - parts.back().size() - 1);
    const std::string auth_message = cat({first_bare_, ",", server_first_, ",", without_proof});
    std::string client_key =
        exclusive_or(*proof, crypto::hmac(kind_.digest, stored_key_, auth_message));
    const crypto::WipeGuard guard(client_key);
    if (!crypto::secure_equal(crypto::digest(kind_.digest, client_key), stored_key_))
        return Error{Errc::denied, "password mismatch", 0};
    return cat({"v=", base64_encode(crypto::hmac(kind_.digest, server_key_, auth_message))});
}

}  // namespace postern::sasl
