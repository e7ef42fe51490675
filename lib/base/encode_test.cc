#include "lib/base/encode.h"

#include "lib/base/crc32c.h"

namespace postern {
namespace {

std::string all_bytes() {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
}

TEST(Hex, RoundTripsEveryByteInBothCases) {
    const std::string bytes = all_bytes();
    const std::string text = hex_encode(bytes);
    EXPECT_EQ(text.size(), 512U);
    EXPECT_EQ(hex_decode(text), bytes);
    std::string upper = text;
    for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
    EXPECT_EQ(hex_decode(upper), bytes);
    EXPECT_EQ(hex_encode(""), "");
    EXPECT_EQ(hex_decode(""), "");
}

TEST(Hex, RefusesEverythingElse) {
    for (const char* bad : {"0", "000", "0g", "g0", " 0", "0 ", "0x00", "-1", "\n\n"})
        EXPECT_FALSE(hex_decode(bad)) << bad;
}

// RFC 4648 10.
TEST(Base64, KnownAnswers) {
    const std::pair<const char*, const char*> cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (const auto& [plain, coded] : cases) {
        EXPECT_EQ(base64_encode(plain), coded);
        EXPECT_EQ(base64_decode(coded), plain);
    }
    EXPECT_EQ(base64_encode("\xff\xef\xbe"), "/+++");
}

TEST(Base64, RoundTripsEveryLengthAndByte) {
    const std::string bytes = all_bytes() + all_bytes();
    for (std::size_t size = 0; size <= 300; ++size) {
        const std::string part = bytes.substr(size % 200, size);
        const std::string text = base64_encode(part);
        ASSERT_EQ(text.size() % 4, 0U);
        ASSERT_EQ(base64_decode(text), part) << size;
    }
}

// RFC 4648 3: no other characters, no missing or surplus padding, no bits that mean nothing.
TEST(Base64, IsStrict) {
    for (const char* bad : {"Z",     "Zg",    "Zg=",  "Zm8",  "Zg===",     "=",
                            "==",    "===",   "====", "Z===", "Zg==Zg==",  "Zm8=Zm8=",
                            "Zg=a",  "Z=g=",  "=Zg=", "Zh==", "Zm9=",      "Zm9v\n",
                            "Zm9v ", " Zm9v", "Zm-_", "Zm9*", "Zm\xc3\xa4"})
        EXPECT_FALSE(base64_decode(bad)) << bad;
    EXPECT_FALSE(base64_decode(std::string_view("Zm9\0", 4)));
}

// Decoding is one to one: of all texts of one group, each that decodes is what its bytes encode to.
TEST(Base64, HasOneTextPerValue) {
    constexpr std::string_view kCharacters = "ABCwxyz019+/=";
    int good = 0;
    for (char a : kCharacters) {
        for (char b : kCharacters) {
            for (char c : kCharacters) {
                for (char d : kCharacters) {
                    const std::string text{a, b, c, d};
                    const auto bytes = base64_decode(text);
                    if (!bytes) continue;
                    ++good;
                    ASSERT_EQ(base64_encode(*bytes), text);
                }
            }
        }
    }
    EXPECT_GT(good, 12 * 12 * 12 * 12);
}

// Bit by bit, as the definition says it.
std::uint32_t slow_crc(std::string_view bytes) {
    std::uint32_t crc = ~0U;
    for (char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
    }
    return ~crc;
}

TEST(Crc32c, IsTheSameAtEveryLengthAlignmentAndCut) {
    const std::string bytes = all_bytes();
    EXPECT_EQ(crc32c(""), 0U);
    for (std::size_t start = 0; start < 9; ++start) {
        for (std::size_t size = 0; size < 40; ++size) {
            const auto part = std::string_view(bytes).substr(start, size);
            const auto expected = slow_crc(part);
            ASSERT_EQ(crc32c(part), expected) << start << " " << size;
            for (std::size_t cut = 0; cut <= size; ++cut)
                ASSERT_EQ(crc32c(part.substr(cut), crc32c(part.substr(0, cut))), expected);
        }
    }
}

TEST(Crc32c, SeesEveryFlippedBit) {
    std::string bytes(64, 'x');
    const auto right = crc32c(bytes);
    for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
        bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ (1 << i % 8));
        ASSERT_NE(crc32c(bytes), right) << i;
        bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ (1 << i % 8));
    }
}

}  // namespace
}  // namespace postern
