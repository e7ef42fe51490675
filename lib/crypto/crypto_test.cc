#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/secret.h"

namespace postern::crypto {
namespace {

TEST(Digest, KnownAnswers) {
    EXPECT_EQ(hex_encode(digest(Digest::md5, "abc")), "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(hex_encode(digest(Digest::sha1, "abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(hex_encode(digest(Digest::sha256, "")),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(digest(Digest::sha512, "abc").size(), digest_size(Digest::sha512));
}

TEST(Hmac, Rfc4231Case2) {
    EXPECT_EQ(hex_encode(hmac(Digest::sha256, "Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Pbkdf2, Rfc6070) {
    EXPECT_EQ(hex_encode(pbkdf2(Digest::sha1, "password", "salt", 4096, 20)),
              "4b007901b765489abead49d926f721d065a429c1");
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

}  // namespace
}  // namespace postern::crypto
