#include "lib/mail/address.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace postern::mail {
namespace {

TEST(Address, ParsesAndPrints) {
    struct Case {
        const char* text;
        const char* printed;  // null: must not parse
    };
    const Case cases[] = {
        {"a@b.test", "a@b.test"},
        {"", ""},
        {"first.last+tag@Sub.Example.TEST", "first.last+tag@Sub.Example.TEST"},
        {"\"two words\"@b.test", "\"two words\"@b.test"},
        {"\"needless\"@b.test", "needless@b.test"},
        {"\"q\\\"x\\\\\"@b.test", "\"q\\\"x\\\\\"@b.test"},
        {"\"a@b\"@c.test", "\"a@b\"@c.test"},
        {"a..b@c.test", "\"a..b\"@c.test"},
        {"a@[192.0.2.1]", "a@[192.0.2.1]"},
        {"a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"},
        {"a@under_score.test", "a@under_score.test"},
        {"a@[2001:db8::1]", nullptr},
        {"a@[300.0.2.1]", nullptr},
        {"a@[x:y]", nullptr},
        {"a@", nullptr},
        {"@b.test", nullptr},
        {"\"\"@b.test", nullptr},
        {"a", nullptr},
        {"a b@c.test", nullptr},
        {"a@b c", nullptr},
        {"a@b@c.test", nullptr},
        {"a@-b.test", nullptr},
        {"a@b-.test", nullptr},
        {"a@b..test", nullptr},
        {"a@b.test.", nullptr},
        {"\"a@b.test", nullptr},
        {"\"a\\", nullptr},
        {"\"a\tb\"@c.test", nullptr},
        {"a<b@c.test", nullptr},
        {"a@b>.test", nullptr},
        {"j\xc3\xbcrg@b.test", nullptr},
    };
    for (const auto& c : cases) {
        auto address = Address::parse(c.text);
        ASSERT_EQ(address.has_value(), c.printed != nullptr) << c.text;
        if (!address) continue;
        EXPECT_EQ(address->str(), c.printed) << c.text;
        EXPECT_EQ(Address::parse(address->str()).value(), *address) << "prints what it parses";
    }
}

TEST(Address, RulesWiden) {
    AddressRules bare;
    bare.bare_local = true;
    EXPECT_EQ(Address::parse("postmaster", bare)->str(), "postmaster");
    AddressRules utf8;
    utf8.smtputf8 = true;
    auto address = Address::parse("j\xc3\xbcrg@b\xc3\xbc.test", utf8);
    ASSERT_TRUE(address);
    EXPECT_FALSE(address->is_ascii());
    EXPECT_FALSE(Address::parse("j\xc3@b.test", utf8));
    EXPECT_TRUE(Address::parse("a@b.test")->is_ascii());
}

TEST(Address, DomainsOfAddresses) {
    AddressRules rules;
    rules.smtputf8 = true;
    EXPECT_EQ(Address::parse("a@m\xc3\xbcnchen.test", rules)->str(), "a@m\xc3\xbcnchen.test");
    EXPECT_FALSE(Address::parse("a@-\xc3\xbc.test", rules));
    rules.smtputf8 = false;
    EXPECT_FALSE(Address::parse("a@m\xc3\xbcnchen.test", rules));
    EXPECT_FALSE(Address::parse("\xfc@a.test", rules));
    rules.raw_local = true;
    EXPECT_TRUE(Address::parse("\xfc@a.test", rules));
    EXPECT_FALSE(Address::parse("a@\xfc.test", rules));
}

TEST(Address, Lengths) {
    AddressRules strict;
    strict.strict = true;
    const std::string local64(64, 'l'), label63(63, 'd');
    EXPECT_TRUE(Address::parse(local64 + "@x.test", strict));
    EXPECT_FALSE(Address::parse(local64 + "l@x.test", strict));
    EXPECT_TRUE(Address::parse(local64 + "l@x.test"));
    EXPECT_TRUE(Address::parse(std::string(kMaxLocalPart, 'l') + "@x.test"));
    EXPECT_FALSE(Address::parse(std::string(kMaxLocalPart + 1, 'l') + "@x.test"));
    EXPECT_TRUE(Domain::parse(label63 + ".test"));
    EXPECT_FALSE(Domain::parse(label63 + "d.test"));
    const std::string name255 = label63 + "." + label63 + "." + label63 + "." + label63;
    EXPECT_TRUE(Domain::parse(name255));
    EXPECT_FALSE(Domain::parse(name255 + ".a"));
}

TEST(Domain, ComparesWithoutCase) {
    EXPECT_EQ(Domain::parse("Example.TEST").value(), Domain::parse("example.test").value());
    EXPECT_EQ(Domain::parse("[IPv6:::1]")->literal()->str(), "::1");
    EXPECT_TRUE(is_host_name("mail.example.test"));
    EXPECT_FALSE(is_host_name("[127.0.0.1]"));
    for (const char* good : {"a", "a_b.c-d.1", "1a", "_dmarc.x.test"})
        EXPECT_TRUE(is_host_name(good)) << good;
    for (const char* bad :
         {"not a host", "", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "192.0.2.1", "12", "a:b"})
        EXPECT_FALSE(is_host_name(bad)) << bad;
    EXPECT_TRUE(is_host_name(std::string(63, 'a') + ".test"));
    EXPECT_FALSE(is_host_name(std::string(64, 'a') + ".test"));
    EXPECT_FALSE(is_host_name(std::string(256, 'a')));
}

TEST(Path, Forms) {
    struct Case {
        const char* text;
        const char* address;  // null: must not parse
        const char* rest;
    };
    const Case cases[] = {
        {"<a@b.test>", "a@b.test", ""},
        {"<>", "", ""},
        {"<> SIZE=10", "", " SIZE=10"},
        {"<a@b.test> SIZE=10 BODY=8BITMIME", "a@b.test", " SIZE=10 BODY=8BITMIME"},
        {"<@hop.test,@two.test:a@b.test>", "a@b.test", ""},
        {"<\"a>b\"@c.test> X", "\"a>b\"@c.test", " X"},
        {"a@b.test", "a@b.test", ""},
        {"a@b.test SIZE=1", "a@b.test", " SIZE=1"},
        {"\"a b\"@c.test SIZE=1", "\"a b\"@c.test", " SIZE=1"},
        {"", nullptr, ""},
        {"<a@b.test", nullptr, ""},
        {"<a@b.test>x", nullptr, ""},
        {"<a@b.test>>", nullptr, ""},
        {"<@hop.test a@b.test>", nullptr, ""},
        {"<hop:a@b.test>", nullptr, ""},
        {"<\"a\\", nullptr, ""},
    };
    for (const auto& c : cases) {
        auto path = parse_path(c.text);
        ASSERT_EQ(path.has_value(), c.address != nullptr) << c.text;
        if (!path) continue;
        EXPECT_EQ(path->address.str(), c.address);
        EXPECT_EQ(path->rest, c.rest);
    }
    AddressRules strict;
    strict.strict = true;
    EXPECT_FALSE(parse_path("a@b.test", strict));
}

// The field between <tag> and </tag> in an XML text, with its entities decoded.
std::string field(const std::string& xml, const std::string& tag) {
    const auto from = xml.find("<" + tag + ">"), to = xml.find("</" + tag + ">");
    if (from == xml.npos || to == xml.npos) return {};
    const std::string raw = xml.substr(from + tag.size() + 2, to - from - tag.size() - 2);
    std::string text;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] != '&') {
            text.push_back(raw[i]);
            continue;
        }
        const auto end = raw.find(';', i);
        const std::string entity = raw.substr(i + 1, end - i - 1);
        if (entity.starts_with("#x")) {
            // The suite writes control characters as U+2400 plus their number.
            text.push_back(static_cast<char>(std::stoul(entity.substr(2), nullptr, 16) & 0xff));
        } else {
            text.push_back(entity == "lt"     ? '<'
                           : entity == "gt"   ? '>'
                           : entity == "quot" ? '"'
                           : entity == "apos" ? '\''
                                              : '&');
        }
        i = end;
    }
    return text;
}

// Third-party cases, where the folder exists.
TEST(Address, IsEmailSuite) {
    const char* env = std::getenv("POSTERN_SUITES");
    const std::string folder = env ? env : "../../shared/suites";
    std::ifstream file(folder + "/addr-isemail/tests-original.xml");
    if (!file) GTEST_SKIP() << "no addr-isemail suite in " << folder << " (set POSTERN_SUITES)";
    std::stringstream all;
    all << file.rdbuf();
    const std::string xml = all.str();
    AddressRules strict;
    strict.strict = true;
    int count = 0;
    for (auto at = xml.find("<test id"); at != xml.npos; at = xml.find("<test id", at + 1)) {
        const std::string one = xml.substr(at, xml.find("</test>", at) - at);
        const std::string address = field(one, "address"), category = field(one, "category");
        // An empty quoted local part is grammar, but no mailbox: we refuse it on purpose.
        if (address.empty() || address.starts_with("\"\"@")) continue;
        const std::string diagnosis = field(one, "diagnosis");
        // What RFC 5321 allows; a host part of digits only or of one label is a matter of routing.
        const bool valid = category == "ISEMAIL_VALID_CATEGORY" || category == "ISEMAIL_DNSWARN" ||
                           category == "ISEMAIL_RFC5321";
        ++count;
        EXPECT_EQ(Address::parse(address, strict).has_value(), valid)
            << address << " " << diagnosis;
    }
    EXPECT_GT(count, 200);
}

}  // namespace
}  // namespace postern::mail
