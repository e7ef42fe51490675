// What servers say, as a client reads it.
#include "lib/imap/client_response.h"

namespace postern::imap {
namespace {

std::string shown(const Value& value) {
    switch (value.kind) {
        case Value::Kind::atom: return value.text;
        case Value::Kind::string: return "'" + value.text + "'";
        case Value::Kind::nil: return "NIL";
        case Value::Kind::list: break;
    }
    std::string out = "(";
    for (const Value& item : value.items) out += (out.size() > 1 ? " " : "") + shown(item);
    return out + ")";
}

std::string shown(std::string_view bytes) {
    const auto response = parse_server_response(bytes);
    if (!response) return "error";
    std::string out = response->tag + "|" + response->label;
    if (response->number) out += "|" + std::to_string(*response->number);
    for (const Value& value : response->values) out += "|" + shown(value);
    if (!response->code.empty()) out += "|[" + response->code + "]";
    if (!response->text.empty()) out += "|" + response->text;
    return out;
}

TEST(ClientResponse, IsTakenApart) {
    const std::pair<const char*, const char*> cases[] = {
        {"* OK [CAPABILITY IMAP4rev1 ID] hello", "*|OK|[CAPABILITY IMAP4rev1 ID]|hello"},
        {"a1 NO [NONEXISTENT] no such box", "a1|NO|[NONEXISTENT]|no such box"},
        {"a1 ok", "a1|OK"},
        {"* OK [UIDVALIDITY 5]", "*|OK|[UIDVALIDITY 5]"},
        {"* BYE", "*|BYE"},
        {"+ go on", "+||go on"},
        {"+", "+|"},
        {"* 12 EXISTS", "*|EXISTS|12"},
        {"* CAPABILITY IMAP4rev1 AUTH=PLAIN", "*|CAPABILITY|IMAP4rev1|AUTH=PLAIN"},
        {"* LIST (\\HasNoChildren \\Sent) \"/\" \"My \\\"box\\\"\"",
         "*|LIST|(\\HasNoChildren \\Sent)|'/'|'My \"box\"'"},
        {"* LIST () NIL INBOX", "*|LIST|()|NIL|INBOX"},
        {"* LIST () \".\" {5}\r\na b c", "*|LIST|()|'.'|'a b c'"},
        {"* NAMESPACE ((\"\" \"/\")) NIL ((\"#s/\" \"/\"))",
         "*|NAMESPACE|(('' '/'))|NIL|(('#s/' '/'))"},
        {"* 3 FETCH (UID 7 FLAGS (\\Seen $x) BODY[] {4}\r\n)(\" X NIL)",
         "*|FETCH|3|(UID 7 FLAGS (\\Seen $x) BODY[] ')(\" ' X NIL)"},
        {"* 3 FETCH (BODY[HEADER.FIELDS (TO)]<0> \"\" BINARY[1] ~{1}\r\nx)",
         "*|FETCH|3|(BODY[HEADER.FIELDS (TO)]<0> '' BINARY[1] 'x')"},
        {"* SEARCH", "*|SEARCH"},
    };
    for (const auto& [bytes, want] : cases) EXPECT_EQ(shown(bytes), want) << bytes;
}

TEST(ClientResponse, RubbishIsNone) {
    for (const std::string& bytes :
         {std::string(""), std::string("* LIST ("), std::string("* LIST )"),
          std::string("* LIST \"x"), std::string("* LIST {5}\r\nab"), std::string("* LIST {x}\r\n"),
          std::string("* LIST {99999999999999999999}\r\n"), std::string("* LIST {5"),
          "* LIST " + std::string(1000, '('), "* LIST " + std::string(300'000, ' ') + ")"})
        EXPECT_EQ(shown(bytes), "error") << bytes.substr(0, 30);
    std::string many = "* LIST ";
    for (int i = 0; i < 100'001; ++i) many += "x ";
    EXPECT_EQ(shown(many), "error");
}

TEST(ClientResponse, LiteralsAndStrings) {
    EXPECT_EQ(literal_at_end("* 1 FETCH (BODY[] {12}"), 12U);
    EXPECT_EQ(literal_at_end("x {12+}"), std::nullopt);
    EXPECT_EQ(literal_at_end("12}"), std::nullopt);
    EXPECT_EQ(literal_at_end(""), std::nullopt);
    EXPECT_EQ(quoted_string("a \"b\" \\"), "\"a \\\"b\\\" \\\\\"");
    EXPECT_EQ(quoted_string("a\r\nb"), std::nullopt);
    EXPECT_EQ(quoted_string("\xc3\xa4"), std::nullopt);
    const auto response = *parse_server_response("* 1 FETCH (UID 5 FLAGS (x) odd)");
    const auto& pairs = response.values.at(0).items;
    ASSERT_NE(find_value(pairs, "uid"), nullptr);
    EXPECT_EQ(find_value(pairs, "uid")->text, "5");
    EXPECT_EQ(find_value(pairs, "odd"), nullptr);
    EXPECT_EQ(find_value(pairs, "x"), nullptr);
}

}  // namespace
}  // namespace postern::imap
