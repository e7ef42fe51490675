// VerifyingKey: what a signature is checked with: a public key, or a secret that the signer shares.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::crypto {

// As JWA names them (RFC 7518 3.1, RFC 8037 3.1).
enum class Signature : unsigned char { hs256, hs512, rs256, rs512, ps256, es256, es384, eddsa };

class VerifyingKey {
  public:
    // A public key or a certificate. Errc::invalid: neither, or of a kind that is not known here,
    // or too weak (RSA below 2048 bits).
    static Result<VerifyingKey> from_pem(const std::string& pem);
    // RSA by modulus and exponent, both big endian.
    static Result<VerifyingKey> rsa(std::string_view modulus, std::string_view exponent);
    // A point of "P-256" or "P-384".
    static Result<VerifyingKey> elliptic(std::string_view curve, std::string_view x,
                                         std::string_view y);
    static Result<VerifyingKey> ed25519(std::string_view key);
    // For HMAC; at least as long as SHA-256 (RFC 7518 3.2).
    static Result<VerifyingKey> secret(std::string bytes);

    VerifyingKey(VerifyingKey&&) noexcept;
    VerifyingKey& operator=(VerifyingKey&&) noexcept;
    ~VerifyingKey();

    // Whether keys of this kind make such signatures: a public key is never a secret of HMAC.
    bool fits(Signature kind) const;
    // RFC 7515 5.2 with the bytes of the signature. False: not of this key, or of another kind.
    bool verify(Signature kind, std::string_view data, std::string_view signature) const;

  private:
    struct State;
    explicit VerifyingKey(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace postern::crypto
