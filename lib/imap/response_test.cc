// Strings, ENVELOPE and BODYSTRUCTURE as they go over the wire.
#include "lib/imap/response.h"

namespace postern::imap {
namespace {

std::string string_of(std::string_view text) {
    std::string out;
    append_string(out, text);
    return out;
}

std::string astring_of(std::string_view text) {
    std::string out;
    append_astring(out, text);
    return out;
}

TEST(Response, StringsInTheShortestForm) {
    EXPECT_EQ(string_of("a \"b\" \\"), "\"a \\\"b\\\" \\\\\"");
    EXPECT_EQ(string_of(""), "\"\"");
    EXPECT_EQ(string_of("a\r\nb"), "{4}\r\na\r\nb");
    EXPECT_EQ(string_of("\xc3\xa9"), "{2}\r\n\xc3\xa9");
    EXPECT_TRUE(string_of(std::string(5000, 'x')).starts_with("{5000}\r\n"));
    EXPECT_EQ(astring_of("INBOX"), "INBOX");
    EXPECT_EQ(astring_of("a b"), "\"a b\"");
    EXPECT_EQ(astring_of("a*"), "\"a*\"");
    EXPECT_EQ(astring_of("nil"), "\"nil\"");
    EXPECT_EQ(astring_of(""), "\"\"");
    std::string list;
    append_list(list, {"a", "b"});
    EXPECT_EQ(list, "(a b)");
}

std::string envelope_of(std::string_view header) {
    std::string out;
    append_envelope(out, mail::parse_envelope(header));
    return out;
}

TEST(Response, Envelope) {
    // The example of RFC 3501 8.
    EXPECT_EQ(envelope_of("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
                          "From: Terry Gray <gray@cac.washington.edu>\r\n"
                          "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
                          "To: imap@cac.washington.edu\r\n"
                          "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
                          "Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n"),
              "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
              "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
              "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
              "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" "
              "\"cac.washington.edu\")) "
              "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" "
              "\"MIT.EDU\")) NIL NIL "
              "\"<B27397-0100000@cac.washington.edu>\")");
    EXPECT_EQ(envelope_of("To: g: a@b;\r\nSubject:\r\n\r\n"),
              "(NIL \"\" NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) "
              "NIL NIL NIL NIL)");
    EXPECT_EQ(envelope_of("To: lonely\r\n\r\n"),
              "(NIL NIL NIL NIL NIL ((NIL NIL \"lonely\" \"\")) NIL NIL NIL NIL)");
}

std::string body_of(std::string_view message, bool extended = true) {
    std::string out;
    append_body(out, message, mail::parse_mime(message), extended);
    return out;
}

TEST(Response, BodyStructure) {
    struct Case {
        const char* name;
        std::string message, body, structure;
    };
    const std::string message = "Subject: in\r\n\r\ninner\r\n";
    const Case cases[] = {
        {"plain", "A: b\r\n\r\none\r\ntwo\r\n",
         "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2)",
         "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2 NIL NIL NIL NIL)"},
        {"attachment",
         "Content-Type: application/pdf; name=x\r\nContent-Transfer-Encoding: "
         "base64\r\nContent-ID: <i>\r\n"
         "Content-Disposition: attachment; filename=\"x y\"\r\nContent-Language: en, "
         "de\r\nContent-MD5: m\r\n"
         "Content-Location: l\r\nContent-Description: d\r\n\r\nYQ==\r\n",
         "(\"application\" \"pdf\" (\"name\" \"x\") \"<i>\" \"d\" \"base64\" 6)",
         "(\"application\" \"pdf\" (\"name\" \"x\") \"<i>\" \"d\" \"base64\" 6 \"m\" "
         "(\"attachment\" (\"filename\" \"x y\")) (\"en\" \"de\") \"l\")"},
        {"multipart",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: "
         "text/html\r\n\r\ny\r\n--b--\r\n",
         "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0)"
         "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0) \"mixed\")",
         "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL)"
         "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) "
         "\"mixed\" "
         "(\"boundary\" \"b\") NIL NIL NIL)"},
        {"message", "Content-Type: message/rfc822\r\n\r\n" + message,
         "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 22 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL "
         "NIL) "
         "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1) 3)",
         "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 22 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL "
         "NIL) "
         "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1 NIL NIL NIL NIL) 3 "
         "NIL NIL NIL NIL)"},
        {"empty multipart", "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
         "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")",
         "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) "
         "\"mixed\" "
         "(\"boundary\" \"b\") NIL NIL NIL)"},
        {"encoded message is opaque",
         "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n",
         "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 6)",
         "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 6 NIL NIL NIL NIL)"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(body_of(c.message, false), c.body) << c.name;
        EXPECT_EQ(body_of(c.message, true), c.structure) << c.name;
    }
}

}  // namespace
}  // namespace postern::imap
