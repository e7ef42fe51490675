#include "lib/base/unicode.h"

namespace postern {
namespace {

TEST(Idna, ToAscii) {
    const struct {
        const char *domain, *ascii;  // null: none
    } cases[] = {
        {"example.test", "example.test"},
        {"Example.TEST", "Example.TEST"},
        {"xn--a.test", "xn--a.test"},  // ASCII is nobody's business here
        {"m\xc3\xbcnchen.test", "xn--mnchen-3ya.test"},
        {"M\xc3\x9cNCHEN.Test", "xn--mnchen-3ya.test"},
        {"mu\xcc\x88nchen.test", "xn--mnchen-3ya.test"},  // not in NFC
        {"fa\xc3\x9f.test", "xn--fa-hia.test"},           // not transitional
        {"\xcf\x83\xcf\x82.test", "xn--3xab.test"},       // final sigma
        {"\xe4\xbe\x8b\xe5\xad\x90.test", "xn--fsqu00a.test"},
        {"\xc3\xbc\xe3\x80\x82test", "xn--tda.test"},  // an ideographic full stop
        {"\xc3\xbc.a_b.test", "xn--tda.a_b.test"},
        {"-\xc3\xbc.test", nullptr},
        {"\xc3\xbc..test", nullptr},
        {"\xc3\xbc .test", nullptr},
        {"\xc3\xbc@.test", nullptr},
        {"\xe2\x80\x8b.test", nullptr},
        {"\xfc.test", nullptr},
        {"\xc3\xbc.xn--a\xc3\xbc.test", nullptr},
        {"a\xcc\x81\xd7\x90.test", nullptr},  // RFC 5893: both directions in one label
    };
    for (const auto& c : cases) {
        const auto made = domain_to_ascii(c.domain);
        ASSERT_EQ(made.has_value(), c.ascii != nullptr) << c.domain << (made ? *made : "");
        if (made) {
            EXPECT_EQ(*made, c.ascii);
        }
    }
    const auto none = domain_to_ascii("\xfc.test");
    EXPECT_EQ(none.error().what, "domain \"?.test\" has no ASCII form: malformed UTF-8");
}

// RFC 5890 2.3.2.1: 63 octets are the A-label's limit; RFC 5321 4.5.3.1.2: 255 the name's.
TEST(Idna, Lengths) {
    std::string label;
    for (int i = 0; i < 57; ++i) label += "\xc3\xbc";
    EXPECT_TRUE(domain_to_ascii(label + ".test")) << label.size();
    std::string longer;
    for (int i = 0; i < 62; ++i) longer += "\xc3\xbc";
    EXPECT_FALSE(domain_to_ascii(longer + ".test"));
    EXPECT_FALSE(domain_to_ascii(label + "." + label + "." + label + ".test"));
}

TEST(Idna, FoldsCase) {
    EXPECT_EQ(fold_case("Alice@Example.TEST"), "alice@example.test");
    EXPECT_EQ(fold_case("\xc3\x9cNCHEN"), "\xc3\xbcnchen");
    EXPECT_EQ(fold_case("stra\xc3\x9f"
                        "e"),
              "strasse");
    EXPECT_EQ(fold_case("\xce\xa3\xcf\x82"), "\xcf\x83\xcf\x83");
    EXPECT_EQ(fold_case("A\xdc"
                        "B"),
              "a\xdc"
              "b");  // no UTF-8
    EXPECT_EQ(fold_case(""), "");
    EXPECT_TRUE(same_folded("\xc3\x9c.Test", "\xc3\xbc.tEST"));
    EXPECT_TRUE(same_folded("Abc", "aBC"));
    EXPECT_FALSE(same_folded("\xc3\x9c", "u"));
    EXPECT_TRUE(ends_with_folded("a.\xc3\x9c.test", ".\xc3\xbc.test"));
    EXPECT_FALSE(ends_with_folded("test", ".\xc3\xbc.test"));
    EXPECT_FALSE(is_utf8("\xc3"));
    EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
    EXPECT_TRUE(is_utf8("a\xf4\x8f\xbf\xbf"));
}

}  // namespace
}  // namespace postern
