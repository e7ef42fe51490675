// Which TLS a destination gets, and whose certificate is believed.
#include "forwarder/tls_policy.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "lib/config/config.h"
#include "lib/service/key_files.h"
#include "lib/tls/certificate.h"

namespace postern::forwarder {
namespace {

using smtp::TlsLevel;

Result<TlsSettings> settings(std::string_view main_cf, bool lmtp = false) {
    auto config = config::Config::parse(main_cf);
    EXPECT_TRUE(config) << config.error().what;
    return TlsSettings::from(*config, lmtp, {});
}

tls::Info certificate(std::vector<std::string> names, bool verified = true) {
    tls::Info info;
    info.peer_certificate = true;
    info.peer_verified = verified;
    info.peer_names = std::move(names);
    info.peer_fingerprints = {"AA:BB", "CC:DD"};
    return info;
}

TEST(TlsPolicy, WhoIsBelieved) {
    struct Case {
        TlsLevel level;
        std::vector<std::string> match, names;
        bool verified, believed;
    };
    const Case cases[] = {
        {TlsLevel::may, {}, {}, false, true},
        {TlsLevel::encrypt, {}, {"evil.test"}, false, true},
        {TlsLevel::verify, {"hostname"}, {"mx.test"}, true, true},
        {TlsLevel::verify, {"hostname"}, {"MX.TEST"}, true, true},
        {TlsLevel::verify, {"hostname"}, {"mx.test"}, false, false},
        {TlsLevel::verify, {"hostname"}, {"other.test", "*.test"}, true, true},
        {TlsLevel::verify, {"hostname"}, {"*.mx.test"}, true, false},
        {TlsLevel::verify, {"hostname"}, {"*", "*."}, true, false},
        {TlsLevel::verify, {"hostname"}, {}, true, false},
        {TlsLevel::secure, {"nexthop", "dot-nexthop"}, {"dest.example"}, true, true},
        {TlsLevel::secure, {"nexthop", "dot-nexthop"}, {"a.b.dest.example"}, true, true},
        {TlsLevel::secure, {"nexthop", "dot-nexthop"}, {"mx.test"}, true, false},
        {TlsLevel::secure, {"nexthop", "dot-nexthop"}, {"evildest.example"}, true, false},
        {TlsLevel::secure, {".cloud.test"}, {"x.cloud.test"}, true, true},
        {TlsLevel::secure, {".cloud.test"}, {"cloud.test"}, true, false},
        {TlsLevel::secure, {"relay.test", "b.test"}, {"b.test"}, true, true},
        {TlsLevel::fingerprint, {"cc:dd"}, {}, false, true},
        {TlsLevel::fingerprint, {"AA:BC"}, {"mx.test"}, true, false},
        {TlsLevel::fingerprint, {}, {"mx.test"}, true, false},
    };
    for (const Case& c : cases) {
        TlsPolicy policy;
        policy.level = c.level;
        policy.match = c.match;
        const auto doubt =
            mistrust(policy, certificate(c.names, c.verified), "mx.test", "dest.example", true);
        EXPECT_EQ(!doubt, c.believed)
            << static_cast<int>(c.level) << " " << (c.names.empty() ? "" : c.names.front());
    }
    TlsPolicy policy;
    policy.level = TlsLevel::verify;
    policy.match = {"hostname"};
    EXPECT_EQ(mistrust(policy, {}, "mx.test", "d", true), "Server certificate not trusted");
    EXPECT_TRUE(mistrust(policy, certificate({"*.test"}), "a.mx.test", "d", false));
    // RFC 6125 6.4.2: certificates have A-labels.
    const auto idn = certificate({"mx.xn--mnchen-3ya.test"});
    EXPECT_FALSE(mistrust(policy, idn, "mx.münchen.test", "d", false));
    EXPECT_TRUE(mistrust(policy, idn, "mx.zürich.test", "d", false));
    policy.match = {"nexthop"};
    EXPECT_FALSE(mistrust(policy, idn, "x", "mx.MÜNCHEN.test", false));
    policy.match = {"dot-nexthop"};
    EXPECT_FALSE(mistrust(policy, idn, "x", "münchen.test", false));
    policy.match = {".münchen.test"};
    EXPECT_FALSE(mistrust(policy, idn, "x", "y", false));
    policy.servername = "nexthop";
    EXPECT_EQ(policy.sni("x", "münchen.test"), "xn--mnchen-3ya.test");
    policy = {};
    policy.level = TlsLevel::verify;
    policy.match = {"hostname"};
    EXPECT_FALSE(mistrust(policy, certificate({"*.test"}), "a.mx.test", "d", true));
}

TEST(TlsPolicy, LevelFromMainCf) {
    const std::pair<std::string, TlsLevel> cases[] = {
        {"", TlsLevel::none},
        {"smtp_use_tls = yes", TlsLevel::may},
        {"smtp_enforce_tls = yes", TlsLevel::verify},
        {"smtp_enforce_tls = yes\nsmtp_tls_enforce_peername = no", TlsLevel::encrypt},
        {"smtp_enforce_tls = yes\nsmtp_tls_security_level = may", TlsLevel::may},
        {"smtp_tls_security_level = secure", TlsLevel::secure},
    };
    for (const auto& [text, level] : cases) EXPECT_EQ(settings(text)->level, level) << text;
    EXPECT_EQ(settings("smtp_tls_security_level = dane-only")->level, TlsLevel::dane_only);
    EXPECT_EQ(settings("lmtp_tls_security_level = encrypt", true)->level, TlsLevel::encrypt);
    EXPECT_FALSE(settings("smtp_tls_security_level = may\nsmtp_tls_cert_file = /nonexistent"));
}

TEST(TlsPolicy, Table) {
    TlsPolicies policies(
        *settings("smtp_tls_security_level = may\n"
                  "smtp_tls_mandatory_ciphers = high\n"
                  "smtp_tls_policy_maps = inline:{"
                  "{a.test = secure match=x.test:.y.test protocols=>=TLSv1.3 servername=hostname},"
                  "{[relay.test]:587 = encrypt ciphers=medium exclude=MD5:RC4},{.sub.test = none},"
                  "{f.test = fingerprint match=AA:BB|CC:DD match=EE:FF},{bad1.test = sometimes},"
                  "{bad2.test = may match=x},{bad3.test = encrypt ciphers=best},{bad4.test = none "
                  "ciphers=high},"
                  "{bad5.test = encrypt colour=red},{v.test=verify}}"));
    const auto a = policies.find("A.test");
    ASSERT_TRUE(a) << a.error().what;
    EXPECT_EQ(a->level, TlsLevel::secure);
    EXPECT_THAT(a->match, testing::ElementsAre("x.test", ".y.test"));
    EXPECT_EQ(a->protocols, ">=TLSv1.3");
    EXPECT_EQ(a->grade, "high");
    EXPECT_EQ(a->sni("mx.test", "a.test"), "mx.test");
    const auto relay = policies.find("[relay.test]:587");
    EXPECT_EQ(relay->level, TlsLevel::encrypt);
    EXPECT_EQ(relay->grade, "medium");
    EXPECT_THAT(relay->excluded, testing::ElementsAre("MD5", "RC4"));
    EXPECT_EQ(policies.find("relay.test")->level, TlsLevel::may);
    EXPECT_EQ(policies.find("deep.in.sub.test")->level, TlsLevel::none);
    EXPECT_EQ(policies.find("[deep.in.sub.test]")->level, TlsLevel::may);
    EXPECT_EQ(policies.find("sub.test")->level, TlsLevel::may);
    EXPECT_THAT(policies.find("f.test")->match, testing::ElementsAre("AA:BB", "CC:DD", "EE:FF"));
    EXPECT_THAT(policies.find("v.test")->match, testing::ElementsAre("hostname"));
    EXPECT_TRUE(a->rule.starts_with("smtp_tls_policy_maps (inline:{")) << a->rule;
    EXPECT_TRUE(a->rule.ends_with(", key a.test)")) << a->rule;
    EXPECT_EQ(policies.find("relay.test")->rule, "smtp_tls_security_level");
    for (const char* bad : {"bad1.test", "bad2.test", "bad3.test", "bad4.test", "bad5.test"})
        EXPECT_FALSE(policies.find(bad)) << bad;
}

TEST(TlsPolicy, ATableThatFailsIsNoPolicy) {
    TlsPolicies policies(
        *settings("smtp_tls_security_level = may\nsmtp_tls_policy_maps = fail:now"));
    EXPECT_FALSE(policies.find("a.test"));
}

TEST(TlsPolicy, ContextsAreSharedAndMistakesAreErrors) {
    TlsPolicies policies(*settings("smtp_tls_security_level = encrypt"));
    EXPECT_TRUE(policies.problem());
    const auto one = policies.context(*policies.find("a.test"));
    const auto two = policies.context(*policies.find("b.test"));
    ASSERT_TRUE(one && two);
    EXPECT_EQ(*one, *two);
    for (const char* bad : {"smtp_tls_mandatory_protocols = TLSv9", "tls_ssl_options = no_such",
                            "smtp_tls_fingerprint_digest = crc", "tls_medium_cipherlist = NONSENSE",
                            "tls_eecdh_auto_curves = circle"}) {
        TlsPolicies wrong(*settings(std::string("smtp_tls_security_level = encrypt\n") + bad));
        EXPECT_FALSE(wrong.problem()) << bad;
    }
}

// smtp_tls_per_site, by destination and by host.
TEST(TlsPolicy, BySite) {
    constexpr std::string_view kSites =
        "smtp_tls_per_site = inline:{{may.test=MAY},{none.test=none},{must.test=MUST},"
        "{enc.test=MUST_NOPEERMATCH},{odd.test=SOMETIMES}}\n";
    struct Case {
        std::string global, destination, host;
        TlsLevel level;
    };
    const Case cases[] = {
        {"", "x.test", "mx.test", TlsLevel::none},
        {"may", "x.test", "mx.test", TlsLevel::may},
        {"", "may.test", "mx.test", TlsLevel::may},
        {"encrypt", "may.test", "mx.test", TlsLevel::encrypt},  // a wild card
        {"encrypt", "none.test", "mx.test", TlsLevel::none},
        {"verify", "none.test", "may.test", TlsLevel::none},
        {"verify", "may.test", "none.test", TlsLevel::none},
        {"may", "enc.test", "none.test", TlsLevel::encrypt},
        {"may", "x.test", "must.test", TlsLevel::verify},
        {"secure", "x.test", "enc.test", TlsLevel::encrypt},
        {"may", "enc.test", "must.test", TlsLevel::verify},
    };
    for (const Case& c : cases) {
        TlsPolicies policies(
            *settings(std::string(kSites) + "smtp_tls_security_level = " + c.global + "\n"));
        auto policy = policies.find(c.destination, c.host);
        ASSERT_TRUE(policy) << policy.error().what;
        EXPECT_EQ(policy->level, c.level) << c.global << " " << c.destination << " " << c.host;
    }
    TlsPolicies policies(*settings(kSites));
    EXPECT_FALSE(policies.find("odd.test", "mx.test"));
    EXPECT_THAT(policies.find("must.test")->rule,
                testing::AllOf(testing::StartsWith("smtp_tls_per_site ("),
                               testing::EndsWith("key must.test)")));
    TlsPolicies newer(*settings(std::string(kSites) + "smtp_tls_policy_maps = inline:{x=may}\n"));
    EXPECT_EQ(newer.find("must.test", "must.test")->level, TlsLevel::none)
        << "the newer table wins";
}

class TrustAnchors : public testing::Test {
  protected:
    TrustAnchors() {
        std::string pattern = testing::TempDir() + "anchorsXXXXXX";
        directory_ = ::mkdtemp(pattern.data());
    }
    ~TrustAnchors() override { std::filesystem::remove_all(directory_); }
    std::string file(const std::string& name, const std::string& text) const {
        std::ofstream(directory_ + "/" + name) << text;
        return directory_ + "/" + name;
    }
    std::string directory_;
};

TEST_F(TrustAnchors, FromMainCfAndPolicies) {
    const std::string one = file("one", tls::make_self_signed("one")->certificate_pem);
    const std::string two = file("two", tls::make_self_signed("two")->certificate_pem);
    TlsPolicies policies(*settings(
        "smtp_tls_trust_anchor_file = " + one +
        "\nsmtp_tls_policy_maps = inline:{a=verify,{b=secure tafile=" + two + " tafile=" + one +
        "},c=encrypt,{d=encrypt tafile=" + two + "},{e=secure tafile=/nonexistent}}\n"));
    const auto first = policies.find("a")->anchors;
    EXPECT_EQ(first.size(), 1u);
    const auto others = policies.find("b")->anchors;
    ASSERT_EQ(others.size(), 2u);
    EXPECT_EQ(others[1], first[0]);
    EXPECT_NE(policies.find("a")->key(), policies.find("b")->key());
    EXPECT_TRUE(policies.find("c")->anchors.empty()) << "nobody's name is asked for";
    EXPECT_FALSE(policies.find("d"));
    EXPECT_FALSE(policies.find("e"));
    EXPECT_FALSE(settings("smtp_tls_trust_anchor_file = " + file("bad", "no certificate") + "\n"));
}

}  // namespace
}  // namespace postern::forwarder
