#include "lib/crypto/verifying_key.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "lib/crypto/digest.h"
#include "lib/crypto/secret.h"

namespace postern::crypto {
namespace {

constexpr int kLeastRsaBits = 2048;  // RFC 7518 3.3
constexpr int kMostRsaBits = 16384;  // more is an attack on our time
constexpr std::size_t kLeastSecret = 32;

template <auto free_function>
struct FreedBy {
    template <class T>
    void operator()(T* object) const {
        free_function(object);
    }
};
using PublicKey = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreedBy<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, FreedBy<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreedBy<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, FreedBy<OSSL_PARAM_free>>;
using MemoryBio = std::unique_ptr<BIO, FreedBy<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, FreedBy<ECDSA_SIG_free>>;

const unsigned char* key_octets(std::string_view text) {
    return static_cast<const unsigned char*>(static_cast<const void*>(text.data()));
}

Number number_of(std::string_view bytes) {
    return Number(BN_bin2bn(key_octets(bytes), static_cast<int>(bytes.size()), nullptr));
}

Error bad_key(const char* what) {
    ERR_clear_error();
    return {Errc::invalid, what, 0};
}

PublicKey key_from(const char* type, OSSL_PARAM_BLD* builder) {
    const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* made = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        return nullptr;
    return PublicKey(made);
}

bool is_elliptic(EVP_PKEY* key, const char* group) {
    char name[64] = "";
    std::size_t size = 0;
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, name, sizeof name, &size) == 1 &&
           std::string_view(name, size) == group;
}

const EVP_MD* digest_of(Signature kind) {
    switch (kind) {
        case Signature::hs512:
        case Signature::rs512: return EVP_sha512();
        case Signature::es384: return EVP_sha384();
        case Signature::eddsa: return nullptr;  // its own
        default: return EVP_sha256();
    }
}

// RFC 7518 3.4: two numbers of fixed size, where OpenSSL wants them in DER.
std::string der_of(std::string_view pair) {
    const EcdsaSignature signature(ECDSA_SIG_new());
    auto r = number_of(pair.substr(0, pair.size() / 2));
    auto s = number_of(pair.substr(pair.size() / 2));
    if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
    static_cast<void>(r.release());
    static_cast<void>(s.release());
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &der);
    if (size <= 0) return {};
    std::string text(static_cast<const char*>(static_cast<const void*>(der)),
                     static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return text;
}

bool verify_with(EVP_PKEY* key, Signature kind, std::string_view data, std::string_view signature) {
    const DigestContext context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* key_context = nullptr;
    if (!context ||
        EVP_DigestVerifyInit(context.get(), &key_context, digest_of(kind), nullptr, key) != 1)
        return false;
    if (kind == Signature::ps256 &&
        (EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) != 1 ||
         EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) != 1))
        return false;
    return EVP_DigestVerify(context.get(), key_octets(signature), signature.size(),
                            key_octets(data), data.size()) == 1;
}

}  // namespace

struct VerifyingKey::State {
    PublicKey key;       // or
    std::string shared;  // a secret
    ~State() { wipe(shared); }
};

VerifyingKey::VerifyingKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
VerifyingKey::VerifyingKey(VerifyingKey&&) noexcept = default;
VerifyingKey& VerifyingKey::operator=(VerifyingKey&&) noexcept = default;
VerifyingKey::~VerifyingKey() = default;

namespace {

Result<PublicKey> checked(PublicKey key) {
    if (!key) return bad_key("not a public key");
    const int type = EVP_PKEY_get_base_id(key.get());
    const int bits = EVP_PKEY_get_bits(key.get());
    if (type == EVP_PKEY_RSA && (bits < kLeastRsaBits || bits > kMostRsaBits))
        return bad_key("an RSA key of fewer than 2048 or more than 16384 bits");
    if (type != EVP_PKEY_RSA && type != EVP_PKEY_ED25519 && !is_elliptic(key.get(), "prime256v1") &&
        !is_elliptic(key.get(), "secp384r1"))
        return bad_key("a key that is neither RSA, P-256, P-384 nor Ed25519");
    return key;
}

}  // namespace

Result<VerifyingKey> VerifyingKey::from_pem(const std::string& pem) {
    const auto open = [&pem] {
        return MemoryBio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    };
    auto state = std::make_unique<State>();
    PublicKey key(PEM_read_bio_PUBKEY(open().get(), nullptr, nullptr, nullptr));
    if (!key) {
        const Certificate certificate(PEM_read_bio_X509(open().get(), nullptr, nullptr, nullptr));
        if (certificate) key.reset(X509_get_pubkey(certificate.get()));
    }
    ERR_clear_error();
    TRY_ASSIGN(state->key, checked(std::move(key)));
    return VerifyingKey(std::move(state));
}

Result<VerifyingKey> VerifyingKey::rsa(std::string_view modulus, std::string_view exponent) {
    if (modulus.size() > kMostRsaBits / 8 || exponent.size() > 8)
        return bad_key("RSA key too long");
    const auto n = number_of(modulus);
    const auto e = number_of(exponent);
    const Builder builder(OSSL_PARAM_BLD_new());
    if (!n || !e || !builder ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
        return bad_key("not an RSA key");
    auto state = std::make_unique<State>();
    TRY_ASSIGN(state->key, checked(key_from("RSA", builder.get())));
    return VerifyingKey(std::move(state));
}

Result<VerifyingKey> VerifyingKey::elliptic(std::string_view curve, std::string_view x,
                                            std::string_view y) {
    const bool small = curve == "P-256";
    const std::size_t size = small ? 32 : 48;
    if ((!small && curve != "P-384") || x.size() != size || y.size() != size)
        return bad_key("not a key of P-256 or P-384");
    const std::string point = "\4" + std::string(x) + std::string(y);
    const char* group = small ? "prime256v1" : "secp384r1";
    const Builder builder(OSSL_PARAM_BLD_new());
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1)
        return bad_key("no memory");
    auto state = std::make_unique<State>();
    TRY_ASSIGN(state->key, checked(key_from("EC", builder.get())));
    return VerifyingKey(std::move(state));
}

Result<VerifyingKey> VerifyingKey::ed25519(std::string_view key) {
    auto state = std::make_unique<State>();
    TRY_ASSIGN(state->key, checked(PublicKey(EVP_PKEY_new_raw_public_key(
                               EVP_PKEY_ED25519, nullptr, key_octets(key), key.size()))));
    return VerifyingKey(std::move(state));
}

Result<VerifyingKey> VerifyingKey::secret(std::string bytes) {
    if (bytes.size() < kLeastSecret) return bad_key("a secret of fewer than 32 bytes");
    auto state = std::make_unique<State>();
    state->shared = std::move(bytes);
    return VerifyingKey(std::move(state));
}

bool VerifyingKey::fits(Signature kind) const {
    EVP_PKEY* const key = state_->key.get();
    const int type = key != nullptr ? EVP_PKEY_get_base_id(key) : 0;
    switch (kind) {
        case Signature::hs256:
        case Signature::hs512: return key == nullptr;
        case Signature::rs256:
        case Signature::rs512:
        case Signature::ps256: return type == EVP_PKEY_RSA;
        case Signature::es256: return key != nullptr && is_elliptic(key, "prime256v1");
        case Signature::es384: return key != nullptr && is_elliptic(key, "secp384r1");
        case Signature::eddsa: return type == EVP_PKEY_ED25519;
    }
    return false;
}

bool VerifyingKey::verify(Signature kind, std::string_view data, std::string_view signature) const {
    if (!fits(kind)) return false;
    if (!state_->key) {
        const auto digest = kind == Signature::hs256 ? Digest::sha256 : Digest::sha512;
        return secure_equal(hmac(digest, state_->shared, data), signature);
    }
    bool good = false;
    if (kind == Signature::es256 || kind == Signature::es384) {
        const std::size_t size = kind == Signature::es256 ? 64 : 96;
        good = signature.size() == size &&
               verify_with(state_->key.get(), kind, data, der_of(signature));
    } else {
        good = verify_with(state_->key.get(), kind, data, signature);
    }
    ERR_clear_error();
    return good;
}

}  // namespace postern::crypto
