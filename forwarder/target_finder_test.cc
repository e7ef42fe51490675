#include "forwarder/target_finder.h"
#include "lib/service/key_files.h"
#include "tests/support/fake_dns.h"

namespace postern::forwarder {
namespace {

constexpr std::string_view kZone = R"(
    x.test       MX 20 mx2.x.test
    x.test       MX 10 mx1.x.test
    mx1.x.test   A 192.0.2.1
    mx1.x.test   AAAA 2001:db8::1
    mx2.x.test   A 192.0.2.2
    noaddr.test  MX 10 nowhere.test
    half.test    MX 10 nowhere.test
    half.test    MX 20 mx2.x.test
    null.test    NULLMX
    host.test    A 192.0.2.3
    txt.test     TXT hello
    broken.test  FAIL
    brokenmx.test MX 10 broken.test
    self.test    MX 10 mx1.x.test
    self.test    MX 20 me.test
    self.test    MX 30 mx2.x.test
    best.test    MX 10 me.test
    best.test    MX 20 mx2.x.test
    me.test      A 192.0.2.99
    spare.test   MX 10 nowhere.test
    spare.test   MX 20 me.test
)";

class FixedRandom final : public Random {
  public:
    std::uint64_t next() override { return 0; }
};

class TargetFinderTest : public testing::Test {
  protected:
    // "host[address]:port host..." or "status text"
    std::string find(std::string_view next_hop) {
        std::string result = "none";
        auto hops = parse_next_hops(next_hop, !options_.lmtp);
        TargetFinder finder(loop_, dns_, options_, random_);
        auto search = finder.find(*hops, [&](TargetsOrVerdict found) {
            result.clear();
            if (auto* verdict = std::get_if<Verdict>(&found)) {
                result = verdict->status + " " + verdict->text;
            } else {
                for (const Target& t : std::get<0>(found))
                    result += t.peer().with_port() + (t.best ? "* " : " ");
            }
            loop_.stop();
        });
        EXPECT_EQ(result, "none");
        loop_.run_for(Seconds{5});
        return result;
    }

    loop::Loop loop_;
    tests::FakeAsyncDns dns_{loop_, kZone};
    FixedRandom random_;
    Options options_ = [] {
        Options options;
        options.randomize = false;
        options.own_name = "me.test";
        options.own_addresses = {*IpAddress::parse("192.0.2.99")};
        return options;
    }();
};

TEST_F(TargetFinderTest, MxByPreference) {
    EXPECT_EQ(find("x.test"),
              "mx1.x.test[192.0.2.1]:25* mx1.x.test[2001:db8::1]:25* mx2.x.test[192.0.2.2]:25 ");
    EXPECT_EQ(find("half.test"), "mx2.x.test[192.0.2.2]:25* ");
}

TEST_F(TargetFinderTest, AddressPreference) {
    options_.prefer = Options::Prefer::ipv6;
    EXPECT_EQ(find("x.test"),
              "mx1.x.test[2001:db8::1]:25* mx1.x.test[192.0.2.1]:25* mx2.x.test[192.0.2.2]:25 ");
    options_.ask_ipv6 = false;
    EXPECT_EQ(find("x.test"), "mx1.x.test[192.0.2.1]:25* mx2.x.test[192.0.2.2]:25 ");
}

TEST_F(TargetFinderTest, HostsAndAddresses) {
    EXPECT_EQ(find("host.test"), "host.test[192.0.2.3]:25* ");  // no MX: the domain itself
    EXPECT_EQ(find("[mx2.x.test]:2525"), "mx2.x.test[192.0.2.2]:2525* ");
    dns_.zone.asked.clear();
    EXPECT_EQ(find("[192.0.2.7]:26"), "192.0.2.7[192.0.2.7]:26* ");
    EXPECT_TRUE(dns_.zone.asked.empty());
    options_.dns_lookups = false;
    EXPECT_EQ(find("host.test"), "host.test[192.0.2.3]:25* ");
    EXPECT_THAT(dns_.zone.asked, testing::Not(testing::Contains("host.test MX")));
}

TEST_F(TargetFinderTest, Failures) {
    EXPECT_EQ(
        find("nosuch.test"),
        "5.4.4 Host or domain name not found. Name service error for name=nosuch.test type=MX: "
        "Host not found");
    EXPECT_EQ(
        find("broken.test"),
        "4.4.3 Host or domain name not found. Name service error for name=broken.test type=MX: "
        "Host not found, try again");
    EXPECT_EQ(find("null.test"), "5.1.0 Domain null.test does not accept mail (nullMX)");
    EXPECT_EQ(find("txt.test").substr(0, 5), "5.4.4");
    EXPECT_EQ(find("noaddr.test").substr(0, 5), "5.4.4");
    EXPECT_EQ(find("brokenmx.test").substr(0, 5), "4.4.3");
    EXPECT_EQ(find("[nosuch.test]").substr(0, 5), "5.4.4");
}

TEST_F(TargetFinderTest, Loops) {
    EXPECT_EQ(find("self.test"), "mx1.x.test[192.0.2.1]:25* mx1.x.test[2001:db8::1]:25* ");
    EXPECT_EQ(find("best.test"), "5.4.6 mail for best.test loops back to myself");
    EXPECT_EQ(find("spare.test"), "4.4.4 unable to find primary relay for spare.test");
    EXPECT_EQ(find("best.test:2525").substr(0, 7), "me.test");  // another port: not a loop
    EXPECT_EQ(find("[me.test]"), "me.test[192.0.2.99]:25* ");   // asked for by name
}

TEST_F(TargetFinderTest, SeveralHops) {
    EXPECT_EQ(find("nosuch.test, [192.0.2.7]"), "192.0.2.7[192.0.2.7]:25 ");
    EXPECT_EQ(find("host.test, [192.0.2.7]"), "host.test[192.0.2.3]:25* 192.0.2.7[192.0.2.7]:25 ");
}

TEST_F(TargetFinderTest, Lmtp) {
    options_.lmtp = true;
    options_.default_port = 24;
    EXPECT_EQ(find("host.test"), "host.test[192.0.2.3]:24* ");
    EXPECT_EQ(find("unix:/run/lmtp"), "me.test[/run/lmtp]:0* ");
}

TEST_F(TargetFinderTest, DroppedSearchIsSilent) {
    TargetFinder finder(loop_, dns_, options_, random_);
    bool called = false;
    auto search = finder.find(*parse_next_hops("x.test"), [&](TargetsOrVerdict) { called = true; });
    search.reset();
    find("host.test");
    EXPECT_FALSE(called);
}

TEST_F(TargetFinderTest, WhatFailsMayBeIgnoredOrWaitedFor) {
    EXPECT_THAT(find("broken.test"), testing::StartsWith("4.4.3 "));
    options_.ignore_mx_error = true;
    EXPECT_THAT(find("broken.test"), testing::HasSubstr("name=broken.test type=A"))
        << "its addresses are asked for";
    EXPECT_THAT(find("noaddr.test"), testing::StartsWith("5.4.4 "));
    options_.defer_without_mx_address = true;
    EXPECT_THAT(find("noaddr.test"), testing::StartsWith("4.4.4 "));
    EXPECT_THAT(find("[nowhere.test]"), testing::StartsWith("5.4.4 ")) << "not by MX";
}

TEST(Options, HowHostsAreFound) {
    const service::KeyFiles keys{};
    const auto from = [&](const std::string& text) {
        return Options::from(*config::Config::parse(text), false, keys).value();
    };
    EXPECT_EQ(from("").resolver.hosts, "") << "name servers only";
    EXPECT_TRUE(from("").dns_lookups);
    EXPECT_EQ(from("smtp_host_lookup = dns, native\n").resolver.hosts, "/etc/hosts");
    EXPECT_EQ(from("disable_dns_lookups = yes\n").resolver.hosts, "/etc/hosts");
    EXPECT_FALSE(from("disable_dns_lookups = yes\n").dns_lookups);
    EXPECT_FALSE(from("smtp_dns_support_level = disabled\n").dns_lookups);
    EXPECT_TRUE(from("disable_dns_lookups = yes\nsmtp_dns_support_level = dnssec\n").dns_lookups);
    EXPECT_TRUE(from("ignore_mx_lookup_error = yes\n").ignore_mx_error);
}

}  // namespace
}  // namespace postern::forwarder
