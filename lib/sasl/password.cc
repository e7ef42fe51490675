#include "lib/sasl/password.h"

#include <argon2.h>
#include <crypt.h>

#include <array>
#include <cstring>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/secret.h"

namespace postern::sasl {
namespace {

// How a scheme stores passwords.
enum class Kind : unsigned char { plain, crypt, digest, salted_digest, argon2, scram };

struct Scheme {
    std::string_view name;
    Kind kind;
    crypto::Digest digest = crypto::Digest::sha256;
    const char* prefix = nullptr;  // crypt: for crypt_gensalt
    argon2_type argon = Argon2_id;
};

constexpr Scheme kSchemes[] = {
    {"PLAIN", Kind::plain},
    {"CLEARTEXT", Kind::plain},
    {"CRYPT", Kind::crypt, {}, "$6$"},
    {"SHA512-CRYPT", Kind::crypt, {}, "$6$"},
    {"SHA256-CRYPT", Kind::crypt, {}, "$5$"},
    {"BLF-CRYPT", Kind::crypt, {}, "$2y$"},
    {"YESCRYPT", Kind::crypt, {}, "$y$"},
    {"MD5-CRYPT", Kind::crypt, {}, "$1$"},
    {"DES-CRYPT", Kind::crypt, {}, ""},
    {"SHA", Kind::digest, crypto::Digest::sha1},
    {"SHA1", Kind::digest, crypto::Digest::sha1},
    {"SHA256", Kind::digest, crypto::Digest::sha256},
    {"SHA512", Kind::digest, crypto::Digest::sha512},
    {"SSHA", Kind::salted_digest, crypto::Digest::sha1},
    {"SSHA256", Kind::salted_digest, crypto::Digest::sha256},
    {"SSHA512", Kind::salted_digest, crypto::Digest::sha512},
    {"ARGON2I", Kind::argon2, {}, nullptr, Argon2_i},
    {"ARGON2ID", Kind::argon2, {}, nullptr, Argon2_id},
    {"SCRAM-SHA-1", Kind::scram, crypto::Digest::sha1},
    {"SCRAM-SHA-256", Kind::scram, crypto::Digest::sha256},
};

// What Dovecot allows behind the name: "{SHA256.hex}".
enum class Encoding : unsigned char { by_size, base64, hex };

struct Stored {
    const Scheme* scheme;
    Encoding encoding;
    std::string_view hash;
};

Error invalid(std::string_view what) {
    return {Errc::invalid, "stored password: " + std::string(what), 0};
}

const Scheme* find_scheme(std::string_view name) {
    for (const Scheme& scheme : kSchemes)
        if (iequals(scheme.name, name)) return &scheme;
    return nullptr;
}

Result<Stored> parse_stored(std::string_view stored) {
    if (!stored.starts_with('{')) return Stored{find_scheme("CRYPT"), Encoding::by_size, stored};
    const auto close = stored.find('}');
    if (close == std::string_view::npos) return invalid("no '}'");
    std::string_view name = stored.substr(1, close - 1);
    Encoding encoding = Encoding::by_size;
    if (const auto dot = split_once(name, '.')) {
        name = dot->first;
        if (iequals(dot->second, "hex"))
            encoding = Encoding::hex;
        else if (iequals(dot->second, "b64") || iequals(dot->second, "base64"))
            encoding = Encoding::base64;
        else
            return invalid("unknown encoding");
    }
    const Scheme* scheme = find_scheme(name);
    if (scheme == nullptr) return invalid("unknown scheme {" + printable(name, 40) + "}");
    return Stored{scheme, encoding, stored.substr(close + 1)};
}

Result<bool> verify_crypt(std::string_view stored, std::string_view password) {
    // crypt(3) sees a C string: a password with a zero byte would be cut there.
    if (password.find('\0') != std::string_view::npos) return false;
    std::string key(password);
    const crypto::WipeGuard guard(key);
    std::string data(sizeof(struct crypt_data), '\0');
    const std::string setting(stored);
    const char* made =
        ::crypt_rn(key.c_str(), setting.c_str(), data.data(), static_cast<int>(data.size()));
    if (made == nullptr || made[0] == '*') return invalid("malformed crypt hash");
    const bool same = crypto::secure_equal(made, setting);
    crypto::wipe(data);
    return same;
}

std::optional<std::string> decode(const Stored& stored, std::size_t digest_size) {
    const bool hex = stored.encoding == Encoding::hex ||
                     (stored.encoding == Encoding::by_size && stored.scheme->kind == Kind::digest &&
                      stored.hash.size() == digest_size * 2);
    return hex ? hex_decode(to_lower(stored.hash)) : base64_decode(stored.hash);
}

Result<bool> verify_digest(const Stored& stored, std::string_view password) {
    const std::size_t size = crypto::digest_size(stored.scheme->digest);
    const auto raw = decode(stored, size);
    const bool salted = stored.scheme->kind == Kind::salted_digest;
    if (!raw || raw->size() < size || (!salted && raw->size() != size))
        return invalid("malformed digest");
    std::string input = cat({password, std::string_view(*raw).substr(size)});
    const crypto::WipeGuard guard(input);
    return crypto::secure_equal(crypto::digest(stored.scheme->digest, input),
                                std::string_view(*raw).substr(0, size));
}

Result<bool> verify_argon2(const Stored& stored, std::string_view password) {
    const std::string encoded(stored.hash);
    switch (
        ::argon2_verify(encoded.c_str(), password.data(), password.size(), stored.scheme->argon)) {
        case ARGON2_OK: return true;
        case ARGON2_VERIFY_MISMATCH: return false;
        default: return invalid("malformed argon2 hash");
    }
}

Result<bool> verify_scram(const Stored& stored, std::string_view password) {
    TRY_ASSIGN(const ScramSecret secret, parse_scram(stored.scheme->digest, stored.hash));
    return fits_scram(stored.scheme->digest, secret, password);
}

Result<std::string> make_crypt(const Scheme& scheme, std::string_view password, Random& random) {
    std::string entropy = random.bytes(32);
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (::crypt_gensalt_rn(scheme.prefix, 0, entropy.data(), static_cast<int>(entropy.size()),
                           setting, sizeof setting) == nullptr)
        return invalid("this system cannot make {" + std::string(scheme.name) + "}");
    std::string data(sizeof(struct crypt_data), '\0');
    std::string key(password);
    const crypto::WipeGuard guard(key);
    const char* made = ::crypt_rn(key.c_str(), setting, data.data(), static_cast<int>(data.size()));
    if (made == nullptr || made[0] == '*') return invalid("crypt failed");
    std::string hash(made);
    crypto::wipe(data);
    return hash;
}

std::string make_digest(const Scheme& scheme, std::string_view password, Random& random) {
    const std::string salt = scheme.kind == Kind::salted_digest ? random.bytes(16) : std::string();
    return base64_encode(crypto::digest(scheme.digest, cat({password, salt})) + salt);
}

Result<std::string> make_argon2(const Scheme& scheme, std::string_view password, Random& random) {
    constexpr std::uint32_t kPasses = 3;
    constexpr std::uint32_t kMemoryKib = 64 * 1024;
    const std::string salt = random.bytes(16);
    std::array<char, 256> encoded{};
    const auto make = scheme.argon == Argon2_i ? ::argon2i_hash_encoded : ::argon2id_hash_encoded;
    if (make(kPasses, kMemoryKib, 1, password.data(), password.size(), salt.data(), salt.size(), 32,
             encoded.data(), encoded.size()) != ARGON2_OK)
        return invalid("argon2 failed");
    return std::string(encoded.data());
}

Result<std::string> make_hash(const Scheme& scheme, std::string_view password, Random& random) {
    switch (scheme.kind) {
        case Kind::plain: return std::string(password);
        case Kind::crypt: return make_crypt(scheme, password, random);
        case Kind::digest:
        case Kind::salted_digest: return make_digest(scheme, password, random);
        case Kind::argon2: return make_argon2(scheme, password, random);
        case Kind::scram:
            return format_scram(derive_scram(scheme.digest, password, random.bytes(kScramSaltSize),
                                             kScramIterations));
    }
    return invalid("unknown scheme");
}

}  // namespace

Result<bool> verify_password(std::string_view stored, std::string_view password) {
    if (password.size() > kMaxPassword) return false;
    TRY_ASSIGN(const Stored parsed, parse_stored(stored));
    // An empty hash is an account without password: it fits nothing, not even the empty password.
    if (parsed.hash.empty()) return false;
    switch (parsed.scheme->kind) {
        case Kind::plain: return crypto::secure_equal(parsed.hash, password);
        case Kind::crypt: return verify_crypt(parsed.hash, password);
        case Kind::digest:
        case Kind::salted_digest: return verify_digest(parsed, password);
        case Kind::argon2: return verify_argon2(parsed, password);
        case Kind::scram: return verify_scram(parsed, password);
    }
    return false;
}

Result<std::string> make_password(std::string_view scheme_name, std::string_view password,
                                  Random& random) {
    const Scheme* scheme = find_scheme(scheme_name);
    if (scheme == nullptr) return invalid("unknown scheme {" + printable(scheme_name, 40) + "}");
    if (password.empty() || password.size() > kMaxPassword)
        return invalid("a password has 1 to 1024 bytes");
    for (const char c : password)
        if (is_control(c)) return invalid("a password has no control characters");
    TRY_ASSIGN(const std::string hash, make_hash(*scheme, password, random));
    if (hash.find(':') != std::string::npos)
        return invalid("a plain password in a passwd-file has no ':'");
    return cat({"{", scheme->name, "}", hash});
}

Result<std::optional<ScramSecret>> stored_scram(std::string_view stored, crypto::Digest digest) {
    TRY_ASSIGN(const Stored parsed, parse_stored(stored));
    if (parsed.scheme->kind != Kind::scram || parsed.scheme->digest != digest)
        return std::optional<ScramSecret>();
    TRY_ASSIGN(ScramSecret secret, parse_scram(digest, parsed.hash));
    return std::optional<ScramSecret>(std::move(secret));
}

std::optional<std::string_view> stored_plain(std::string_view stored) {
    const auto parsed = parse_stored(stored);
    if (!parsed || parsed->scheme->kind != Kind::plain || parsed->hash.empty()) return std::nullopt;
    return parsed->hash;
}

std::vector<std::string_view> password_schemes() {
    std::vector<std::string_view> names;
    for (const Scheme& scheme : kSchemes) names.push_back(scheme.name);
    return names;
}

std::string_view dummy_password() {
    // Well-formed, with a hash part that nobody knows a password for.
    return "{SHA512-CRYPT}$6$postern.nobody$"
           "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000.";
}

}  // namespace postern::sasl
