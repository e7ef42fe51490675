#include "lib/mail/field_addresses.h"

#include "lib/base/strings.h"

namespace postern::mail {
namespace {

// Each address in <>, behind it what must change around it.
std::string found(std::string_view body, std::size_t limit = 1000) {
    std::string out;
    for (const auto& a : field_addresses(body, limit))
        out += cat({"<", a.text, ">", a.comments, a.comma > 0 ? " COMMA" : "",
                    a.has_domain ? "" : " BARE", ";"});
    return out;
}

TEST(FieldAddresses, AreFound) {
    const std::pair<const char*, const char*> cases[] = {
        {"", ""},
        {" a@b.c", "<a@b.c>;"},
        {"a, b@c\r\n , d", "<a> BARE;<b@c>;<d> BARE;"},
        {"Joe Doe <joe@x.test>", "<joe@x.test>;"},
        {"\"Doe, Joe\" <joe@x.test>", "<joe@x.test>;"},
        {"joe@x.test (Joe (nested) Doe)", "<joe@x.test>;"},
        {"(before) joe@x.test", "<joe@x.test>;"},
        {"friends: a@b.c, Ann <d@e.f>; , g", "<a@b.c>;<d@e.f>;<g> BARE;"},
        {"undisclosed-recipients:;", ""},
        {"<>", ""},
        {"Joe User", "<Joe> COMMA BARE;<User> BARE;"},
        {"a@b.c d", "<a@b.c> COMMA;<d> BARE;"},
        {"<a@b.c> Joe <d@e.f>", "<a@b.c> COMMA;<d@e.f>;"},
        {"root <a@b.c> root", "<a@b.c> COMMA;<root> BARE;"},
        {"a . b @ c . d", "<a.b@c.d>;"},
        {"a(x)@b.c", "<a@b.c> (x);"},
        {"<a (y) @b.c>", "<a@b.c> (y);"},
        {"\"two words\"@b.c", "<\"two words\"@b.c>;"},
        {"\"a@b\"", "<\"a@b\"> BARE;"},
        {"a\\@b", "<a\\@b> BARE;"},
        {"<@r.test,@s.test:a@b.c>", "<@r.test,@s.test:a@b.c>;"},
        {"a@[192.0.2.1]", "<a@[192.0.2.1]>;"},
        {"\"open <a@b.c>", ""},
        {"a [open", "<a> BARE;"},
        {"(open a@b.c", ""},
        {"Joe <a@b.c", "<a@b.c>;"},
        {"a@b.c>", "<a@b.c>;"},
        {"a;b", "<a> BARE;<b> BARE;"},
        {",,a,,", "<a> BARE;"},
        {"\\", "<\\> BARE;"},
        {"\"\\", ""},
    };
    for (const auto& [in, out] : cases) EXPECT_EQ(found(in), out) << in;
}

TEST(FieldAddresses, ALimitOfTokens) {
    EXPECT_EQ(found("a, b, c", 3), "<a> BARE;");
    EXPECT_EQ(found("a, b, c", 4), "<a> BARE;<b> BARE;");
    EXPECT_EQ(found("a", 0), "");
}

std::string changed(std::string_view body) {
    return rewrite_field(body, 1000, [](const FieldAddress& a) {
        return a.text == "keep@x.test" ? a.text
                                       : quoted_address("new one@" + to_lower(a.text.substr(0, 1)));
    });
}

TEST(FieldAddresses, OnlyWhatChangesIsTouched) {
    const std::pair<const char*, const char*> cases[] = {
        {" keep@x.test\r\n", " keep@x.test\r\n"},
        {" keep@x.test (K)  ,\r\n\t<keep@x.test>\r\n",
         " keep@x.test (K)  ,\r\n\t<keep@x.test>\r\n"},
        {" \"D, J\"  <j@x>,\r\n\tkeep@x.test\r\n",
         " \"D, J\"  <\"new one\"@j>,\r\n\tkeep@x.test\r\n"},
        {" a (b) @c (d)\r\n", " \"new one\"@a (b) (d)\r\n"},
        {" keep@x.test a\r\n", " keep@x.test, \"new one\"@a\r\n"},
        {" <a> K <keep@x.test>\r\n", " <\"new one\"@a>, K <keep@x.test>\r\n"},
        {" <keep@x.test> keep@x.test\r\n", " <keep@x.test> keep@x.test\r\n"},
        {" g: a;\r\n", " g: \"new one\"@a;\r\n"},
    };
    for (const auto& [in, out] : cases) EXPECT_EQ(changed(in), out);
}

TEST(FieldAddresses, QuotesOfLocalParts) {
    const struct {
        const char *quoted, *plain;
    } cases[] = {
        {"a.b@c", "a.b@c"},         {"\"two words\"@c", "two words@c"},
        {"\"a\\\"b\"@c", "a\"b@c"}, {"\".a\"@c", ".a@c"},
        {"\"a@b\"@c", "a@b@c"},     {"j\303\266@c", "j\303\266@c"},
        {"a!b%c@d", "a!b%c@d"},     {"\"two words\"", "two words"},
    };
    for (const auto& c : cases) {
        if (std::string_view(c.plain) != "two words") {
            EXPECT_EQ(quoted_address(c.plain), c.quoted);
        }
        EXPECT_EQ(unquoted_address(c.quoted), c.plain);
    }
    EXPECT_EQ(unquoted_address("\"joe\"@x"), "joe@x");
    EXPECT_EQ(unquoted_address("a\\@b@x"), "a@b@x");
    EXPECT_EQ(quoted_address("@x"), "\"\"@x");
}

TEST(FieldAddresses, FieldsByName) {
    for (const char* name : {"from", "sender", "reply-to", "resent-from", "return-receipt-to",
                             "disposition-notification-to", "mail-followup-to", "errors-to"})
        EXPECT_EQ(address_field(name), AddressField::sender) << name;
    for (const char* name : {"to", "cc", "bcc", "resent-to", "resent-reply-to", "apparently-to"})
        EXPECT_EQ(address_field(name), AddressField::recipient) << name;
    for (const char* name : {"", "x", "subject", "delivered-to", "x-to", "received", "toto"})
        EXPECT_EQ(address_field(name), AddressField::none) << name;
}

}  // namespace
}  // namespace postern::mail
