// Digests and HMAC. The only place, with lib/tls, that knows libcrypto.
#pragma once

#include <string>
#include <string_view>

namespace postern::crypto {

enum class Digest : unsigned char {
    md5,
    sha1,
    sha256,
    sha512
};  // md5: for names and legacy formats only

// The raw digest of data.
std::string digest(Digest kind, std::string_view data);
// HMAC, RFC 2104.
std::string hmac(Digest kind, std::string_view key, std::string_view data);
// PBKDF2, RFC 8018 5.2, with HMAC of that digest. Precondition: iterations > 0.
std::string pbkdf2(Digest kind, std::string_view password, std::string_view salt,
                   unsigned iterations, std::size_t size);

std::size_t digest_size(Digest kind);

}  // namespace postern::crypto
