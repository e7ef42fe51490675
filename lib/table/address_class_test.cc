#include "lib/table/address_class.h"

#include "lib/table/address_list.h"

namespace postern::table {
namespace {

TEST(DomainClasses, FollowPostfixsOrder) {
    ClassLists lists;
    lists.mydestination = "here.test localhost";
    lists.virtual_alias_domains = "inline:{va.test=x, a@b.test=y}";
    lists.virtual_mailbox_domains = "vm.test here.test";
    lists.relay_domains = "relay.test";
    lists.local_addresses = {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("::1")};
    DomainClasses classes(lists);
    const std::vector<std::pair<std::string_view, DomainClass>> cases = {
        {"", DomainClass::local},
        {"Here.TEST", DomainClass::local},
        {"x.here.test", DomainClass::other},
        {"[192.0.2.1]", DomainClass::local},
        {"[192.0.2.2]", DomainClass::other},
        {"[IPv6:::1]", DomainClass::local},
        {"va.test", DomainClass::virtual_alias},
        {"vm.test", DomainClass::virtual_mailbox},
        {"relay.test", DomainClass::relay},
        {"sub.relay.test", DomainClass::relay},
        {"b.test", DomainClass::other},
    };
    for (const auto& [domain, expected] : cases)
        EXPECT_EQ(*classes.classify(domain), expected) << domain;
}

TEST(DomainClasses, FailWhenATableDoes) {
    ClassLists lists;
    lists.mydestination = "here.test";
    lists.virtual_mailbox_domains = "hash:/nonexistent/domains";
    DomainClasses classes(lists);
    EXPECT_EQ(*classes.classify("here.test"), DomainClass::local);
    EXPECT_FALSE(classes.classify("other.test"));
}

TEST(AddressList, Splits) {
    using V = std::vector<std::string>;
    const std::vector<std::pair<std::string_view, V>> cases = {
        {"a", {"a"}},
        {"a, b@x.test ,,c", {"a", "b@x.test", "c"}},
        {"Joe Q <joe@x.test>, \"A, B\" <ab@x.test>", {"joe@x.test", "ab@x.test"}},
        {"\"c d\"@y.test", {"\"c d\"@y.test"}},
        {"a (the, boss), b", {"a", "b"}},
        {"\"|prog -x, y\", \"/var/a b\"", {"|prog -x, y", "/var/a b"}},
        {"|prog arg, /dev/null", {"|prog arg", "/dev/null"}},
        {"\"|prog \\\"q\\\"\"", {"|prog \"q\""}},
        {":include:/etc/list", {":include:/etc/list"}},
        {"\\u1", {"\\u1"}},
        {"\"unclosed", {"\"unclosed"}},
        {"", {}},
    };
    for (const auto& [text, expected] : cases) EXPECT_EQ(split_addresses(text), expected) << text;
    EXPECT_EQ(unquote_local("\"c d\"@y.test"), "c d@y.test");
    EXPECT_EQ(unquote_local("\"a\\\"b\"@y.test"), "a\"b@y.test");
    EXPECT_EQ(unquote_local("plain"), "plain");
}

}  // namespace
}  // namespace postern::table
