// 8-bit parts become quoted-printable, everything else stays, in whatever portions it comes.
#include "lib/content/seven_bit.h"

#include "lib/mail/mime.h"

namespace postern::content {
namespace {

struct Converted {
    std::string text;
    bool left_8bit = false;
};

Converted convert_in(std::string_view message, std::size_t portion, const Limits& limits) {
    SevenBitConverter converter(limits);
    Converted made;
    for (std::size_t at = 0; at < message.size(); at += portion)
        converter.feed(message.substr(at, portion), made.text);
    converter.finish(made.text);
    made.left_8bit = converter.left_8bit();
    return made;
}

Converted convert(std::string_view message, const Limits& limits = {}) {
    Converted whole = convert_in(message, message.size() + 1, limits);
    for (const std::size_t portion : {1u, 2u, 7u, 1000u}) {
        const Converted made = convert_in(message, portion, limits);
        EXPECT_EQ(made.text, whole.text) << portion;
        EXPECT_EQ(made.left_8bit, whole.left_8bit) << portion;
    }
    EXPECT_EQ(convert_in(whole.text, 1000, limits).text, whole.text) << "a second time";
    return whole;
}

// Whether all leaves of both say the same, decoded.
void expect_same_parts(const mail::MimePart& a, std::string_view a_text, const mail::MimePart& b,
                       std::string_view b_text) {
    ASSERT_EQ(a.children.size(), b.children.size());
    EXPECT_EQ(a.type.subtype, b.type.subtype);
    for (std::size_t i = 0; i < a.children.size(); ++i)
        expect_same_parts(a.children[i], a_text, b.children[i], b_text);
    if (!a.children.empty()) return;
    EXPECT_EQ(mail::decode_content(a.encoding, a.body(a_text)),
              mail::decode_content(b.encoding, b.body(b_text)));
}

constexpr std::string_view k8bit = "Content-Transfer-Encoding: 8bit\r\n";
constexpr std::string_view k7bit = "Content-Transfer-Encoding: 7bit\r\n";
constexpr std::string_view kQp = "Content-Transfer-Encoding: quoted-printable\r\n";

TEST(SevenBit, TextOfOnePart) {
    const Converted made =
        convert(cat({"Subject: x\r\n", k8bit, "X-Last: y\r\n\r\ngr\xc3\xbc\xc3\x9f dich = \r\n\r\n",
                     "tab\t\r\n.dot\r\n\x01\x7f\r\n"}));
    EXPECT_EQ(made.text,
              cat({"Subject: x\r\nX-Last: y\r\n", kQp,
                   "\r\ngr=C3=BC=C3=9F dich =3D=20\r\n\r\ntab=09\r\n.dot\r\n=01=7F\r\n"}));
    EXPECT_FALSE(made.left_8bit);
}

TEST(SevenBit, WhatIsNotDeclaredStays) {
    for (const std::string_view message :
         {"A: b\r\n\r\nplain\r\n", "A: b\r\n\r\n\xc3\xbc\r\n",
          "Content-Transfer-Encoding: base64\r\n\r\nw7w=\r\n",
          "Content-Transfer-Encoding: x-own\r\n\r\n\xc3\xbc\r\n", "Subject: \xc3\xbc\r\n\r\nx\r\n",
          "\r\n\xff", "", "no header\r\n", "A: b\r\n"})
        EXPECT_EQ(convert(message).text, message);
    EXPECT_TRUE(convert("A: b\r\n\r\n\xc3\xbc\r\n").left_8bit);
    EXPECT_TRUE(convert(cat({k7bit, "\r\n\xc3\xbc\r\n"})).left_8bit);
}

constexpr std::string_view kTree =
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=\"a b\"\r\n"
    "Content-Transfer-Encoding: 8BIT (comment)\r\n"
    "\r\n"
    "preamble\r\n"
    "--a b\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding:\r\n binary\r\n"
    "\r\n"
    "\xc3\xa9 last line, whose end is the boundary's\r\n"
    "--a b\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
    "plain = \r\n"
    "--a b\r\n"
    "Content-Type: message/rfc822\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "Subject: inner\r\n"
    "Content-Type: multipart/digest; boundary=inner\r\n"
    "\r\n"
    "--inner\r\n"
    "\r\n"
    "Subject: in the digest\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "\xe2\x82\xac\r\n"
    "--inner--\r\n"
    "epilogue = \r\n"
    "--a b\r\n"
    "Content-Type: message/delivery-status\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "Diagnostic-Code: smtp; \xc3\xbc\r\n"
    "--a b--\r\n"
    "end = \r\n";

TEST(SevenBit, PartsAndAttachedMessages) {
    const Converted made = convert(kTree);
    EXPECT_FALSE(made.left_8bit);
    EXPECT_THAT(made.text, testing::StartsWith(cat({"MIME-Version: 1.0\r\nContent-Type: multipart/"
                                                    "mixed; boundary=\"a b\"\r\n",
                                                    k7bit, "\r\npreamble\r\n--a b\r\n"})));
    EXPECT_THAT(made.text, testing::HasSubstr(cat({"utf-8\r\n", kQp, "\r\n=C3=A9 last line"})));
    EXPECT_THAT(made.text, testing::HasSubstr("\r\nplain = \r\n"));
    EXPECT_THAT(made.text,
                testing::HasSubstr(cat({"message/rfc822\r\n", k7bit, "\r\nSubject: inner\r\n"})));
    EXPECT_THAT(made.text,
                testing::HasSubstr(cat({"in the digest\r\n", kQp, "\r\n=E2=82=AC\r\n"})));
    EXPECT_THAT(made.text, testing::HasSubstr(cat({"delivery-status\r\n", kQp})));
    EXPECT_THAT(made.text, testing::EndsWith("smtp; =C3=BC\r\n--a b--\r\nend = \r\n"));
    expect_same_parts(mail::parse_mime(kTree), kTree, mail::parse_mime(made.text), made.text);
}

TEST(SevenBit, LinesAreShort) {
    std::string body;
    for (std::size_t length = 70; length < 90; ++length)
        body += std::string(length, 'x') + "\r\n" + std::string(length, '\xe4') + "\r\n" +
                std::string(length, ' ') + "\r\n";
    body += std::string(10000, 'y') + "\t\r\n" + "cut \r\r\n\rx " + std::string(5000, '\xff');
    const std::string message = cat({k8bit, "\r\n", body});
    const Converted made = convert(message);
    for (std::size_t at = 0; at < made.text.size();) {
        const std::size_t end = std::min(made.text.find('\n', at), made.text.size() - 1);
        EXPECT_LE(end - at, 77u);
        at = end + 1;
    }
    expect_same_parts(mail::parse_mime(message), message, mail::parse_mime(made.text), made.text);
}

TEST(SevenBit, NothingLooksLikeABoundaryAfterwards) {
    const std::string long_line = std::string(75, 'x') + "--b and more";
    const std::string message = cat({"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
                                     k8bit, "\r\n", long_line, "\r\n--b--\r\n"});
    const Converted made = convert(message);
    EXPECT_THAT(made.text, testing::HasSubstr("x=\r\n=2D-b and more\r\n--b--\r\n"));
    expect_same_parts(mail::parse_mime(message), message, mail::parse_mime(made.text), made.text);
}

TEST(SevenBit, Oddities) {
    // A container that cannot be looked into is encoded as a whole, rather than sent as 8-bit.
    EXPECT_EQ(convert(cat({"Content-Type: multipart/mixed\r\n", k8bit, "\r\n\xfc\r\n"})).text,
              cat({"Content-Type: multipart/mixed\r\n", kQp, "\r\n=FC\r\n"}));
    Limits flat;
    flat.mime_nesting = 0;
    EXPECT_FALSE(convert(kTree, flat).left_8bit);
    // Two encodings: the last one counts. A header that does not end. None before the text.
    EXPECT_EQ(convert(cat({k8bit, k7bit, "\r\nx\r\n"})).text, cat({k7bit, "\r\nx\r\n"}));
    EXPECT_EQ(convert(cat({k8bit, "A: b"})).text, cat({"A: b\r\n", kQp}));
    EXPECT_EQ(convert(cat({k8bit, "no field \xfc"})).text, cat({kQp, "\r\nno field =FC"}));
    EXPECT_EQ(convert(cat({k8bit, "\xfc: no field\r\n"})).text,
              cat({kQp, "\r\n=FC: no field\r\n"}));
}

TEST(SevenBit, AFieldIsCutAtItsLimit) {
    Limits limits;
    limits.header_size = 3000;
    const std::string message = cat({"A: ", std::string(9000, 'x'), "\r\n b\r\nC: d\r\n\r\n"});
    const std::string made = convert(message, limits).text;
    EXPECT_EQ(made, cat({"A: ", std::string(2997, 'x'), "\r\nC: d\r\n\r\n"}));
}

}  // namespace
}  // namespace postern::content
