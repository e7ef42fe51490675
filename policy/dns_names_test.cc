#include "policy/dns_names.h"

#include "tests/support/fake_dns.h"

namespace postern::policy {
namespace {

constexpr const char* kZone =
    "mx.test MX 10 mail.mx.test\n"
    "null.test NULLMX\n"
    "a.test A 192.0.2.1\n"
    "six.test AAAA 2001:db8::1\n"
    "empty.test TXT nothing\n"
    "down.test FAIL\n"
    "1.2.0.192.in-addr.arpa PTR a.test\n"
    "2.2.0.192.in-addr.arpa PTR a.test\n"
    "7.2.0.192.list.test A 127.0.0.2\n"
    "7.2.0.192.list.test TXT why\n";

class DnsNamesTest : public testing::Test {
  protected:
    DnsNames names_{[]() -> Result<std::unique_ptr<dns::BlockingResolver>> {
        return std::unique_ptr<dns::BlockingResolver>(std::make_unique<tests::FakeDns>(kZone));
    }};
};

TEST_F(DnsNamesTest, KnowsWhoReceivesMail) {
    for (const auto* good : {"mx.test", "a.test", "six.test"})
        EXPECT_TRUE(names_.receives_mail(good).found()) << good;
    for (const auto* bad : {"null.test", "empty.test", "none.test", "not a name", ""}) {
        EXPECT_TRUE(names_.receives_mail(bad).not_found()) << bad;
    }
    EXPECT_TRUE(names_.receives_mail("down.test").failed());
}

TEST_F(DnsNamesTest, FindsNamesOfAddresses) {
    EXPECT_EQ(*names_.name_of(*IpAddress::parse("192.0.2.1"), true), "a.test");
    EXPECT_EQ(*names_.name_of(*IpAddress::parse("192.0.2.2"), false), "a.test");
    EXPECT_TRUE(names_.name_of(*IpAddress::parse("192.0.2.2"), true).not_found());
    EXPECT_TRUE(names_.name_of(*IpAddress::parse("192.0.2.3"), false).not_found());
}

TEST_F(DnsNamesTest, ReadsBlockLists) {
    EXPECT_EQ(*names_.address("7.2.0.192.list.test"), "127.0.0.2");
    EXPECT_EQ(*names_.text("7.2.0.192.list.test"), "why");
    EXPECT_TRUE(names_.address("8.2.0.192.list.test").not_found());
}

// An answer of which nothing is left is no "there are none".
TEST_F(DnsNamesTest, TablesLeaveRecordsOut) {
    auto filter = table::Maps::open("pcre:{{/ IN A 127\\.0\\.0\\.2$/ IGNORE}, {/ MX 10 / IGNORE}}");
    names_.filter_by(filter);
    EXPECT_TRUE(names_.address("7.2.0.192.list.test").failed());
    EXPECT_TRUE(names_.receives_mail("mx.test").failed());
    EXPECT_EQ(*names_.text("7.2.0.192.list.test"), "why");
    auto nothing = table::Maps::open("");
    names_.filter_by(nothing);
    EXPECT_EQ(*names_.address("7.2.0.192.list.test"), "127.0.0.2");
}

TEST(DnsNames, FailsWithoutAResolver) {
    DnsNames names([]() -> Result<std::unique_ptr<dns::BlockingResolver>> {
        return Error{Errc::temporary, "no resolver"};
    });
    EXPECT_TRUE(names.receives_mail("mx.test").failed());
}

}  // namespace
}  // namespace postern::policy
