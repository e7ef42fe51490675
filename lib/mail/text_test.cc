// Character sets, transfer encodings, encoded words.
#include "lib/base/unicode.h"

#include "lib/mail/casemap.h"
#include "lib/mail/charset.h"
#include "lib/mail/encoded_word.h"
#include "lib/mail/transfer_encoding.h"

namespace postern::mail {
namespace {

TEST(Charset, ConvertsToUtf8) {
    struct Case {
        const char* charset;
        std::string bytes, expected;
    };
    const Case cases[] = {
        {"us-ascii", "plain", "plain"},
        {"US-ASCII", "a\xe9", "a\xef\xbf\xbd"},
        {"utf-8", "\xc3\xa9", "\xc3\xa9"},
        {"utf-8", "\xc3(", "\xef\xbf\xbd("},
        {"iso-8859-1", "\xe9\x80", "\xc3\xa9\xe2\x82\xac"},
        {"koi8-r", "\xf0", "\xd0\x9f"},
        {"iso-2022-jp", "\x1b$B$\"\x1b(B", "\xe3\x81\x82"},
        {"gb2312", "\xb0", "\xef\xbf\xbd"},
    };
    for (const auto& c : cases)
        EXPECT_EQ(to_utf8(c.charset, c.bytes).value_or("?"), c.expected) << c.charset;
    EXPECT_FALSE(to_utf8("no-such-charset", "x"));
    EXPECT_FALSE(to_utf8("../../x", "x"));
    EXPECT_FALSE(to_utf8("koi8-r//IGNORE", "x"));
    EXPECT_FALSE(to_utf8("", "x"));
    EXPECT_TRUE(is_known_charset("Latin1"));
}

TEST(Charset, Utf8IsStrict) {
    for (auto good : {"", "abc", "\xc2\x80", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbd"}) {
        EXPECT_TRUE(is_utf8(good)) << good;
    }
    for (auto bad : {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff"}) {
        EXPECT_FALSE(is_utf8(bad));
    }
    EXPECT_EQ(guess_utf8("\xe9t\xe9"), "\xc3\xa9t\xc3\xa9");
}

TEST(Charset, FoldsForSearch) {
    EXPECT_EQ(fold_for_search("Hello \t\r\n World"), "hello world");
    EXPECT_EQ(fold_for_search("\xff"), "\xef\xbf\xbd");
    EXPECT_EQ(fold_for_search(std::string("a\0B \xff\xff  \xc3\x84 ", 11)),
              std::string("a\0b \xef\xbf\xbd\xef\xbf\xbd a\xcc\x88 ", 15));
    EXPECT_EQ(fold_for_search(""), "");
    EXPECT_TRUE(is_utf8("eight bytes and \xc3\xa4 more than eight"));
    EXPECT_FALSE(is_utf8("eight bytes and \xc3 more than eight"));
    EXPECT_FALSE(is_utf8("1234567\xff"));
}

// RFC 5051: what is equal without regard to case and to how it is written
TEST(Charset, UnicodeCasemap) {
    ASSERT_TRUE(load_casemap()) << load_casemap().error().what;
    struct Case {
        const char *one, *other;
        bool equal = true;
    };
    const Case cases[] = {
        {"\xc3\x84\xc3\x96\xc3\x9c", "\xc3\xa4\xc3\xb6\xc3\xbc"},  // umlauts
        {"\xc3\xa9", "e\xcc\x81"},                                 // one character, or two
        {"\xce\xa9\xce\xa3", "\xcf\x89\xcf\x82"},                  // Greek, the last sigma too
        {"\xd0\x96\xd0\x81", "\xd0\xb6\xd1\x91"},                  // Cyrillic
        {"\xc5\x81\xc5\x9a", "\xc5\x82\xc5\x9b"},                  // Polish
        {"\xd4\xb1", "\xd5\xa1"},                                  // Armenian
        {"\xe1\xb2\x90", "\xe1\x83\x90", false},                   // Georgian: title case is itself
        {"\xf0\x90\x90\x80", "\xf0\x90\x90\xa8"},                  // Deseret, beyond 16 bits
        {"\xef\xbc\xa1\xef\xbd\x82", "aB"},                        // wide letters
        {"\xef\xac\x81", "fi"},                                    // a ligature
        {"\xe2\x84\xaa", "k"},                                     // the sign of kelvin
        {"\xe2\x91\xa0", "1"},                                     // in a circle
        {"\xed\x95\x9c", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"},  // Hangul
        {"\xc7\x84", "\xc7\x86"},                                  // DZ with caron: three cases
        {"\xc3\x9f", "ss", false},                                 // not a matter of case here
        {"\xc3\xa4", "a", false},
    };
    for (const auto& c : cases)
        EXPECT_EQ(fold_for_search(c.one) == fold_for_search(c.other), c.equal) << c.one;
    // What "u" is part of: the letter with its mark
    EXPECT_NE(fold_for_search("M\xc3\xbcller").find("mu"), std::string::npos);
    for (char32_t code = 0x80; code < 0x30000; code += 7) {
        std::string text;
        append_utf8(text, code);
        const std::string folded = fold_for_search(text);
        EXPECT_TRUE(is_utf8(folded)) << static_cast<unsigned>(code);
    }
}

TEST(TransferEncoding, Base64IsLoose) {
    struct Case {
        const char *text, *expected;
    };
    const Case cases[] = {{"aGVsbG8=", "hello"},
                          {"aGVs\r\nbG8=\r\n", "hello"},
                          {"aGVsbG8", "hello"},
                          {"aGVs!bG8=junk", "hello\x8e\xe9\xe4"},
                          {"", ""},
                          {"====", ""},
                          {"YQ==Yg==", "ab"}};
    for (const auto& c : cases) EXPECT_EQ(decode_base64_loosely(c.text), c.expected) << c.text;
}

TEST(TransferEncoding, QuotedPrintable) {
    struct Case {
        const char *text, *expected;
    };
    const Case cases[] = {{"a=3Db", "a=b"},
                          {"soft=\r\nbreak", "softbreak"},
                          {"soft= \nbreak", "softbreak"},
                          {"a=XXb", "a=XXb"},
                          {"end=", "end"},
                          {"=c3=A9", "\xc3\xa9"},
                          {"a_b", "a_b"}};
    for (const auto& c : cases) EXPECT_EQ(decode_quoted_printable(c.text), c.expected) << c.text;
    EXPECT_EQ(decode_q("a_b=20c=zz"), "a b c=zz");
    EXPECT_EQ(decode_content(" Base64 ", "YQ=="), "a");
    EXPECT_EQ(decode_content("8bit", "a=3D"), "a=3D");
}

TEST(TransferEncoding, WireForm) {
    EXPECT_TRUE(is_wire_form(""));
    EXPECT_TRUE(is_wire_form("a\r\nb"));
    EXPECT_FALSE(is_wire_form("a\nb"));
    EXPECT_FALSE(is_wire_form("\n"));
    EXPECT_FALSE(is_wire_form(std::string_view("a\0b", 3)));
    EXPECT_EQ(to_wire_form("a\nb\r\n\nc"), "a\r\nb\r\n\r\nc");
    EXPECT_EQ(to_wire_form(std::string_view("\0", 1)), "\x80");
    EXPECT_EQ(to_wire_form("\ra\r"), "\ra\r");
}

TEST(EncodedWord, Decodes) {
    struct Case {
        const char *text, *expected;
    };
    const Case cases[] = {
        {"plain", "plain"},
        {"=?iso-8859-1?q?J=FCrgen?= Test", "J\xc3\xbcrgen Test"},
        {"=?utf-8?B?w6k=?=", "\xc3\xa9"},
        {"=?utf-8*en?Q?a?= =?utf-8?q?b?=", "ab"},
        {"=?utf-8?q?a?=\r\n =?iso-8859-1?q?=E9?=", "a\xc3\xa9"},
        {"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "\xc3\xa9"},
        {"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"},
        {"=?no-such?q?a?=", "=?no-such?q?a?="},
        {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
        {"=?utf-8?q?unended", "=?utf-8?q?unended"},
        {"=?", "=?"},
        {"raw \xe9", "raw \xc3\xa9"},
    };
    for (const auto& c : cases) EXPECT_EQ(decode_words(c.text), c.expected) << c.text;
}

TEST(EncodedWord, WritesWhatItReads) {
    EXPECT_EQ(encode_words("J\xc3\xbcrgen X.", "utf-8"), "=?utf-8?Q?J=C3=BCrgen_X=2E?=");
    EXPECT_EQ(encode_words("", "utf-8"),
              "=?utf-8?Q?"
              "?=");
    std::string name;
    for (int i = 0; i < 50; ++i) name += "\xe2\x82\xac\xf0\x9f\x90\x87 x";
    const std::string words = encode_words(name, "utf-8");
    EXPECT_EQ(decode_words(words), name);
    for (std::size_t at = 0; at < words.size();) {
        const std::size_t end = std::min(words.find("\r\n", at), words.size());
        const std::string line = words.substr(at, end - at);
        EXPECT_LE(line.size(), 76u) << line;
        EXPECT_EQ(decode_words(line).find("\xef\xbf\xbd"), std::string::npos) << "a cut character";
        at = end + 2;
    }
    for (const char* good : {"utf-8", "ISO-8859-1", "x"}) EXPECT_TRUE(is_charset_name(good));
    for (const char* bad : {"", "a b", "x?y", "utf-8*de", "=", "\xc3\xbc"})
        EXPECT_FALSE(is_charset_name(bad)) << bad;
}

}  // namespace
}  // namespace postern::mail
