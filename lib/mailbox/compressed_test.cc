// Messages that Dovecot's zlib plugin compressed.
#include "lib/mailbox/compressed.h"

#include "lib/base/encode.h"

namespace postern::mailbox {
namespace {

using testing::HasSubstr;

// "Subject: a\n\nb\n" by gzip -n
const std::string kGzipped =
    base64_decode("H4sIAAAAAAAC/wsuTcpKTS6xUkjk4kriAgBcrftbDgAAAA==").value();

TEST(Compressed, Gzip) {
    ASSERT_TRUE(is_compressed(kGzipped));
    EXPECT_EQ(decompressed(kGzipped, 14).value(), "Subject: a\n\nb\n");
    EXPECT_EQ(decompressed(kGzipped + kGzipped, 28).value(),
              "Subject: a\n\nb\nSubject: a\n\nb\n");
    EXPECT_FALSE(decompressed(kGzipped + "x", 100));
}

TEST(Compressed, TheNameTellsHowLargeTheTextIs) {
    EXPECT_EQ(text_of_file(kGzipped, "1.x,S=14").value(), "Subject: a\n\nb\n");
    EXPECT_EQ(text_of_file(kGzipped, "1.x").value(), "Subject: a\n\nb\n");
    EXPECT_FALSE(text_of_file(kGzipped, "1.x,S=13"));
    const std::string own = "1.x,S=" + std::to_string(kGzipped.size());
    EXPECT_EQ(text_of_file(kGzipped, own).value(), kGzipped) << "what a client has appended";
    EXPECT_EQ(text_of_file("Subject: a\n", "1.x").value(), "Subject: a\n");
}

TEST(Compressed, MessagesAreNot) {
    for (const char* text : {"", "\x1f", "Subject: a\n", "BZh", "BZh9", "BZh91AY", "BZh: x\n",
                             "BZh9: x\n", "Dovecot-LZ4: x\n"})
        EXPECT_FALSE(is_compressed(text)) << text;
}

TEST(Compressed, OtherMethodsAreNamed) {
    const std::string bzip2 = "BZh91AY&SY\x01";
    const std::string lz4 = "Dovecot-LZ4\x0d\x2a\x9b\xc5\x01";
    for (const auto& [file, name] : {std::pair(bzip2, "bzip2"), std::pair(lz4, "lz4"),
                                     std::pair(std::string("\x28\xb5\x2f\xfd"), "zstd"),
                                     std::pair(std::string("\xfd\x37zXZ"), "xz")}) {
        ASSERT_TRUE(is_compressed(file)) << name;
        const auto text = decompressed(file, 100);
        ASSERT_FALSE(text);
        EXPECT_THAT(text.error().what, HasSubstr(name));
    }
}

TEST(Compressed, WhatIsDamagedOrTooLargeIsRefused) {
    for (std::size_t size = 3; size < kGzipped.size(); ++size)
        EXPECT_FALSE(decompressed(kGzipped.substr(0, size), 100)) << size;
    std::string wrong = kGzipped;
    wrong[12] ^= 1;
    EXPECT_FALSE(decompressed(wrong, 100));
    EXPECT_THAT(decompressed(kGzipped, 13).error().what, HasSubstr("larger than its name says"));
}

}  // namespace
}  // namespace postern::mailbox
