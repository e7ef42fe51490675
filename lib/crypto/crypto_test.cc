#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/seal.h"
#include "lib/crypto/secret.h"

namespace postern::crypto {
namespace {

// RFC 1321 A.5, RFC 3174 7.3, FIPS 180-4's examples.
TEST(Digest, KnownAnswers) {
    const std::string two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    const struct {
        Digest kind;
        std::string data, hex;
    } cases[] = {
        {Digest::md5, "", "d41d8cd98f00b204e9800998ecf8427e"},
        {Digest::md5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
        {Digest::md5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {Digest::sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {Digest::sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {Digest::sha1, two_blocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {Digest::sha1, std::string(1000000, 'a'), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
        {Digest::sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {Digest::sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {Digest::sha256, two_blocks,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {Digest::sha512, "abc",
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
         "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(hex_encode(digest(c.kind, c.data)), c.hex);
        EXPECT_EQ(digest_size(c.kind) * 2, c.hex.size());
    }
    EXPECT_NE(digest(Digest::sha256, std::string("a\0b", 3)), digest(Digest::sha256, "a"));
}

// RFC 4231 4.2 to 4.8, RFC 2202 3: short, long and hashed keys.
TEST(Hmac, KnownAnswers) {
    const struct {
        Digest kind;
        std::string key, data, hex;
    } cases[] = {
        {Digest::sha256, std::string(20, '\x0b'), "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {Digest::sha256, "Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {Digest::sha256, std::string(20, '\xaa'), std::string(50, '\xdd'),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {Digest::sha256, std::string(131, '\xaa'),
         "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {Digest::sha1, "Jefe", "what do ya want for nothing?",
         "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
        {Digest::md5, "Jefe", "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"},
    };
    for (const auto& c : cases) EXPECT_EQ(hex_encode(hmac(c.kind, c.key, c.data)), c.hex);
    EXPECT_EQ(hmac(Digest::sha256, "", "").size(), 32U) << "an empty key is a key";
}

// RFC 6070 2, RFC 7914 11.
TEST(Pbkdf2, KnownAnswers) {
    const struct {
        Digest kind;
        std::string password, salt;
        unsigned iterations;
        std::string hex;
    } cases[] = {
        {Digest::sha1, "password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
        {Digest::sha1, "password", "salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
        {Digest::sha1, "password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"},
        {Digest::sha1, "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
         "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"},
        {Digest::sha1, std::string("pass\0word", 9), std::string("sa\0lt", 5), 4096,
         "56fa6aa75548099dcc37d7f03425e0c3"},
        {Digest::sha256, "passwd", "salt", 1,
         "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(hex_encode(pbkdf2(c.kind, c.password, c.salt, c.iterations, c.hex.size() / 2)),
                  c.hex);
    }
}

TEST(Secret, ComparesAndWipes) {
    EXPECT_TRUE(secure_equal("", ""));
    EXPECT_TRUE(secure_equal("same", "same"));
    EXPECT_FALSE(secure_equal("same", "sane"));
    EXPECT_FALSE(secure_equal("same", "sam"));
    std::string secret = "a rather long password that is not inside the object";
    const char* where = secret.data();
    wipe(secret);
    EXPECT_TRUE(secret.empty());
    EXPECT_EQ(where[0], '\0');
    EXPECT_EQ(where[10], '\0');
}

TEST(Secret, EqualityIsOfAllBytes) {
    const std::string text("se\0cret", 7);
    EXPECT_TRUE(secure_equal(text, std::string("se\0cret", 7)));
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string other = text;
        other[i] = static_cast<char>(other[i] ^ 1);
        EXPECT_FALSE(secure_equal(text, other)) << i;
    }
    EXPECT_FALSE(secure_equal("", "x"));
    EXPECT_FALSE(secure_equal(std::string("a\0", 2), "a"));
}

TEST(Secret, IsWipedAtTheEndOfTheScopeWithWhatItHadBefore) {
    std::string secret = "a long secret, longer than fits into the object itself";
    secret.resize(20);  // the rest of it is behind the end now
    const char* where = secret.data();
    {
        const WipeGuard guard(secret);
        EXPECT_EQ(secret.size(), 20U);
    }
    EXPECT_TRUE(secret.empty());
    for (std::size_t i = 0; i < 54; ++i) ASSERT_EQ(where[i], '\0') << i;
    wipe(secret);
    std::string empty;
    wipe(empty);
    EXPECT_TRUE(empty.empty());
}

TEST(Seal, OpensForTheSameKeyAndContextOnly) {
    const std::string key(kSealKeySize, 'k');
    auto& random = SystemRandom::instance();
    for (const std::string& plain : {std::string(), std::string("x"), std::string(4000, 'y')}) {
        const std::string sealed = seal(key, "session 1", plain, random);
        EXPECT_EQ(sealed.size(), plain.size() + kSealOverhead);
        EXPECT_EQ(open_seal(key, "session 1", sealed).value_or("refused"), plain);
        EXPECT_FALSE(open_seal(key, "session 2", sealed));
        EXPECT_FALSE(open_seal(std::string(kSealKeySize, 'l'), "session 1", sealed));
        EXPECT_NE(seal(key, "session 1", plain, random), sealed);
    }
}

TEST(Seal, RefusesEveryChange) {
    const std::string key(kSealKeySize, 'k');
    const std::string sealed = seal(key, "c", "some text", SystemRandom::instance());
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        std::string changed = sealed;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        EXPECT_FALSE(open_seal(key, "c", changed)) << i;
        EXPECT_FALSE(open_seal(key, "c", sealed.substr(0, i))) << i;
    }
    EXPECT_FALSE(open_seal("short", "c", sealed));
    EXPECT_FALSE(open_seal("", "c", ""));
}

}  // namespace
}  // namespace postern::crypto
