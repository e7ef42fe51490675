#include "lib/crypto/seal.h"

#include <openssl/evp.h>

#include <memory>

#include "lib/base/check.h"

namespace postern::crypto {
namespace {

constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;

struct ContextDeleter {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

const unsigned char* octets(std::string_view text) {
    return static_cast<const unsigned char*>(static_cast<const void*>(text.data()));
}
unsigned char* octets(std::string& text) {
    return static_cast<unsigned char*>(static_cast<void*>(text.data()));
}

}  // namespace

// These calls fail for lack of memory only, which ends the process as any allocation does.
std::string seal(std::string_view key, std::string_view context, std::string_view plain,
                 Random& random) {
    POSTERN_CHECK(key.size() == kSealKeySize);
    const std::string nonce = random.bytes(kNonceSize);
    std::string body(plain.size(), '\0');
    std::string tag(kTagSize, '\0');
    int size = 0;
    const CipherContext cipher(EVP_CIPHER_CTX_new());
    POSTERN_CHECK(cipher != nullptr);
    POSTERN_CHECK(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, octets(key),
                                     octets(nonce)) == 1);
    POSTERN_CHECK(EVP_EncryptUpdate(cipher.get(), nullptr, &size, octets(context),
                                    static_cast<int>(context.size())) == 1);
    POSTERN_CHECK(EVP_EncryptUpdate(cipher.get(), octets(body), &size, octets(plain),
                                    static_cast<int>(plain.size())) == 1);
    POSTERN_CHECK(EVP_EncryptFinal_ex(cipher.get(), octets(tag), &size) == 1);
    POSTERN_CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG,
                                      static_cast<int>(kTagSize), tag.data()) == 1);
    return nonce + body + tag;
}

Result<std::string> open_seal(std::string_view key, std::string_view context,
                              std::string_view sealed) {
    const Error refused{Errc::denied, "the seal is not good", 0};
    if (key.size() != kSealKeySize || sealed.size() < kSealOverhead) return refused;
    const std::string_view nonce = sealed.substr(0, kNonceSize);
    const std::string_view body = sealed.substr(kNonceSize, sealed.size() - kNonceSize - kTagSize);
    std::string tag(sealed.substr(sealed.size() - kTagSize));
    std::string plain(body.size(), '\0');
    std::string rest(kTagSize, '\0');
    int size = 0;
    const CipherContext cipher(EVP_CIPHER_CTX_new());
    POSTERN_CHECK(cipher != nullptr);
    const bool good = EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, octets(key),
                                         octets(nonce)) == 1 &&
                      EVP_DecryptUpdate(cipher.get(), nullptr, &size, octets(context),
                                        static_cast<int>(context.size())) == 1 &&
                      EVP_DecryptUpdate(cipher.get(), octets(plain), &size, octets(body),
                                        static_cast<int>(body.size())) == 1 &&
                      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG,
                                          static_cast<int>(kTagSize), tag.data()) == 1 &&
                      EVP_DecryptFinal_ex(cipher.get(), octets(rest), &size) == 1;
    if (!good) return refused;
    return plain;
}

}  // namespace postern::crypto
