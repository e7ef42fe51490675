#include "lib/crypto/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/base/check.h"

namespace postern::crypto {
namespace {

const EVP_MD* method(Digest kind) {
    switch (kind) {
        case Digest::md5: return EVP_md5();
        case Digest::sha1: return EVP_sha1();
        case Digest::sha256: return EVP_sha256();
        case Digest::sha512: return EVP_sha512();
    }
    return EVP_sha256();
}

unsigned char* bytes(std::string& text) {
    return static_cast<unsigned char*>(static_cast<void*>(text.data()));
}
const unsigned char* bytes(std::string_view text) {
    return static_cast<const unsigned char*>(static_cast<const void*>(text.data()));
}

}  // namespace

std::size_t digest_size(Digest kind) {
    return static_cast<std::size_t>(EVP_MD_get_size(method(kind)));
}

// These calls fail for lack of memory only, which ends the process as any allocation does.
std::string digest(Digest kind, std::string_view data) {
    std::string out(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    POSTERN_CHECK(EVP_Digest(data.data(), data.size(), bytes(out), &size, method(kind), nullptr) ==
                  1);
    out.resize(size);
    return out;
}

std::string hmac(Digest kind, std::string_view key, std::string_view data) {
    std::string out(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    POSTERN_CHECK(HMAC(method(kind), key.data(), static_cast<int>(key.size()), bytes(data),
                       data.size(), bytes(out), &size) != nullptr);
    out.resize(size);
    return out;
}

std::string pbkdf2(Digest kind, std::string_view password, std::string_view salt,
                   unsigned iterations, std::size_t size) {
    std::string out(size, '\0');
    POSTERN_CHECK(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes(salt),
                                    static_cast<int>(salt.size()), static_cast<int>(iterations),
                                    method(kind), static_cast<int>(size), bytes(out)) == 1);
    return out;
}

}  // namespace postern::crypto
