#include "peername/name_finder.h"

#include "tests/support/fake_dns.h"

namespace postern::peername {
namespace {

using ipc::NameStatus;

constexpr std::string_view kZone = R"(
    1.2.0.192.in-addr.arpa PTR good.test
    good.test A 192.0.2.1
    2.2.0.192.in-addr.arpa PTR liar.test
    liar.test A 192.0.2.99
    3.2.0.192.in-addr.arpa PTR gone.test
    4.2.0.192.in-addr.arpa FAIL
    5.2.0.192.in-addr.arpa PTR broken.test
    broken.test FAIL
    6.2.0.192.in-addr.arpa PTR 192.0.2.6
    7.2.0.192.in-addr.arpa PTR onlysix.test
    onlysix.test AAAA 2001:db8::7
    1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR six.test
    six.test AAAA 2001:db8::1
)";

std::string shown(const ipc::NameAnswer& answer) {
    constexpr const char* kWords[] = {"found", "none", "temporary"};
    return answer.name + " " + kWords[static_cast<int>(answer.name_status)] + " / " +
           answer.reverse_name + " " + kWords[static_cast<int>(answer.reverse_status)] +
           (answer.warning.empty() ? "" : " ! " + answer.warning);
}

class NameFinderTest : public testing::Test {
  protected:
    std::string find(const std::string& address) {
        std::string result;
        finder_.find(address, [&](const ipc::NameAnswer& answer) {
            result = shown(answer);
            loop_.stop();
        });
        if (result.empty()) loop_.run();
        return result;
    }
    loop::Loop loop_;
    tests::FakeAsyncDns dns_{loop_, kZone};
    NameFinder finder_{
        dns_, HostsFile::parse("127.0.0.1 localhost\n192.0.2.50 printer.lan printer # ours\n"),
        Millis{10'000}};
};

TEST_F(NameFinderTest, BelievesOnlyNamesThatLeadBack) {
    const std::string no = " does not resolve to address ";
    const struct {
        std::string address, expected;
    } cases[] = {
        {"192.0.2.1", "good.test found / good.test found"},
        {"::ffff:192.0.2.1", "good.test found / good.test found"},
        {"2001:db8::1", "six.test found / six.test found"},
        {"192.0.2.2", "unknown none / liar.test found ! hostname liar.test" + no + "192.0.2.2"},
        {"192.0.2.3", "unknown none / gone.test found ! hostname gone.test" + no +
                          "192.0.2.3: Name or service not known"},
        {"192.0.2.4", "unknown temporary / unknown temporary"},
        {"192.0.2.6", "unknown none / unknown none"},
        {"192.0.2.7",
         "unknown none / onlysix.test found ! hostname onlysix.test" + no + "192.0.2.7"},
        {"192.0.2.8", "unknown none / unknown none"},
        {"192.0.2.50", "printer.lan found / printer.lan found"},
        {"127.0.0.1", "localhost found / localhost found"},
        {"nonsense", "unknown none / unknown none"},
    };
    for (const auto& c : cases) EXPECT_EQ(find(c.address), c.expected) << c.address;
    EXPECT_TRUE(
        find("192.0.2.5")
            .starts_with("unknown temporary / broken.test found ! hostname broken.test" + no));
}

TEST(HostsFile, PassesOverWhatItDoesNotUnderstand) {
    const auto hosts = HostsFile::parse(
        "# 192.0.2.1 comment\n192.0.2.1\n\n  192.0.2.2\tone two\n192.0.2.2 later\n"
        "::1 six\n192.0.2.3 bad;name\nfoo bar\n");
    EXPECT_EQ(hosts.name_of(*IpAddress::parse("192.0.2.1")), std::nullopt);
    EXPECT_EQ(hosts.name_of(*IpAddress::parse("192.0.2.2")), "one");
    EXPECT_EQ(hosts.name_of(*IpAddress::parse("::1")), "six");
    EXPECT_EQ(hosts.name_of(*IpAddress::parse("192.0.2.3")), std::nullopt);
}

}  // namespace
}  // namespace postern::peername
