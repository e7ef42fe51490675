// What main.cf changes about how hosts are found: SRV records, filters, families, names.
#include "lib/log/log.h"
#include "lib/service/key_files.h"
#include "tests/support/fake_dns.h"

#include "forwarder/target_finder.h"

namespace postern::forwarder {
namespace {

constexpr std::string_view kServices = R"(
    _submission._tcp.x.test SRV 20 0 587 spare.x.test
    _submission._tcp.x.test SRV 10 0 1587 first.x.test
    x.test         MX 10 mx.x.test
    mx.x.test      A 192.0.2.1
    first.x.test   A 192.0.2.2
    spare.x.test   A 192.0.2.3
    _submission._tcp.none.test SRV 0 0 0 .
    none.test      A 192.0.2.4
    plain.test     A 192.0.2.5
    _submission._tcp.broken.test FAIL
    broken.test    A 192.0.2.6
    _submission._tcp.empty.test TXT x
    empty.test     MX 10 mx.x.test
    alias.test     MX 10 www.alias.test
    www.alias.test CNAME real.alias.test
    real.alias.test A 192.0.2.7
    many.test      MX 10 many.test
    many.test      AAAA 2001:db8::1
    many.test      AAAA 2001:db8::2
    many.test      AAAA 2001:db8::3
    many.test      AAAA 2001:db8::4
    many.test      A 192.0.2.8
    many.test      A 192.0.2.9
    one.test       AAAA 2001:db8::1
    one.test       AAAA 2001:db8::2
    one.test       AAAA 2001:db8::3
)";

// Says what it is told to.
class ScriptedRandom final : public Random {
  public:
    std::uint64_t next() override { return value; }
    std::uint64_t value = 0;
};

class TargetRules : public testing::Test {
  protected:
    TargetRules() {
        log::open_capture();
        options_.randomize = false;
        options_.own_name = "me.test";
        options_.prefer = Options::Prefer::ipv6;
    }
    // "host:port ..." or "status text"
    std::string find(std::string_view next_hop, bool dane = false) {
        std::string result = "none";
        search_ = finder_.find(
            *parse_next_hops(next_hop),
            [&](TargetsOrVerdict found) {
                result.clear();
                if (auto* verdict = std::get_if<Verdict>(&found)) {
                    result = verdict->status + " " + verdict->text;
                } else {
                    targets_ = std::get<0>(found);
                    for (const Target& t : targets_) {
                        if (!result.empty()) result += " ";
                        result += t.host + ":" + std::to_string(t.port);
                    }
                }
                loop_.stop();
            },
            dane);
        loop_.run_for(Seconds{5});
        return result;
    }
    std::string families() const {
        std::string text;
        for (const Target& t : targets_) text += t.address.is_v6() ? '6' : '4';
        return text;
    }

    loop::Loop loop_;
    tests::FakeAsyncDns dns_{loop_, kServices};
    ScriptedRandom random_;
    Options options_;
    TargetFinder finder_{loop_, dns_, options_, random_};
    std::shared_ptr<TargetFinder::Search> search_;
    std::vector<Target> targets_;
};

TEST_F(TargetRules, ServersBySrv) {
    options_.srv_services = {"submission"};
    EXPECT_EQ(find("x.test:submission"), "first.x.test:1587 spare.x.test:587");
    EXPECT_TRUE(targets_[0].best);
    EXPECT_FALSE(targets_[1].best);
    EXPECT_EQ(find("x.test:587"), "mx.x.test:587") << "the service is not named";
    EXPECT_EQ(find("x.test"), "mx.x.test:25");
    EXPECT_EQ(find("[x.test]:submission").substr(0, 5), "5.4.4") << "no address, and not by SRV";
    options_.default_service = "submission";
    options_.default_port = 587;
    EXPECT_EQ(find("x.test"), "first.x.test:1587 spare.x.test:587");
    options_.dns_lookups = false;
    EXPECT_EQ(find("plain.test"), "plain.test:587");
}

TEST_F(TargetRules, WithoutSrvRecords) {
    options_.srv_services = {"submission"};
    const struct {
        std::string hop, strict, fallback, ignored;
    } cases[] = {
        {"plain.test:submission",
         "5.4.4 Host or domain name not found. Name service error for "
         "name=_submission._tcp.plain.test type=SRV: Host not found",
         "plain.test:587", ""},
        {"empty.test:submission",
         "5.4.4 Host or domain name not found. Name service error for "
         "name=_submission._tcp.empty.test type=SRV: Host found but no data record of requested "
         "type",
         "mx.x.test:587", ""},
        {"broken.test:submission",
         "4.4.3 Host or domain name not found. Name service error for "
         "name=_submission._tcp.broken.test type=SRV: Host not found, try again",
         "", "broken.test:587"},
        {"none.test:submission", "5.4.4 Domain none.test has no service submission (null SRV)", "",
         ""},
    };
    for (const auto& c : cases) {
        options_.srv_fallback = options_.ignore_srv_error = false;
        EXPECT_EQ(find(c.hop), c.strict);
        options_.srv_fallback = true;
        EXPECT_EQ(find(c.hop), c.fallback.empty() ? c.strict : c.fallback);
        options_.srv_fallback = false;
        options_.ignore_srv_error = true;
        EXPECT_EQ(find(c.hop), c.ignored.empty() ? c.strict : c.ignored);
    }
}

// RFC 2782: a lottery among those of one priority.
TEST(OrderSrv, Weights) {
    const auto order = [](std::uint64_t drawn, std::vector<dns::Record> records) {
        ScriptedRandom random;
        random.value = drawn;
        std::string names;
        for (const auto& one : order_srv(std::move(records), random)) names += one.data;
        return names;
    };
    const std::vector<dns::Record> records = {
        {"z", 20, 1, 1}, {"a", 10, 1, 1}, {"b", 10, 3, 1}, {"c", 10, 0, 1}};
    EXPECT_EQ(order(0, records), "cabz") << "no weight: drawn by 0 only";
    EXPECT_EQ(order(1, records), "abcz") << "c has weight 0, b is drawn of both that are left";
    EXPECT_EQ(order(2, records).substr(0, 1), "b");
    EXPECT_EQ(order(4, records).substr(0, 1), "b");
    EXPECT_EQ(order(0, {}), "");
    SystemRandom& random = SystemRandom::instance();
    int heavy = 0;
    for (int i = 0; i < 4000; ++i)
        heavy += order_srv({{"a", 1, 1, 1}, {"b", 1, 3, 1}}, random).front().data == "b" ? 1 : 0;
    EXPECT_GT(heavy, 2000);
    EXPECT_LT(heavy, 3400) << "three fifths: 0 to 4 are drawn, 0 and 1 are a's";
}

TEST_F(TargetRules, BothFamiliesAreTried) {
    const struct {
        std::string hop;
        std::size_t limit;
        bool balance;
        std::string families;
    } cases[] = {
        {"many.test", 5, false, "666644"}, {"many.test", 5, true, "66644"},
        {"many.test", 4, true, "6644"},    {"many.test", 2, true, "64"},
        {"many.test", 1, true, "666644"},  {"many.test", 6, true, "666644"},
        {"many.test", 0, true, "666644"},  {"one.test", 2, true, "666"},
    };
    for (const auto& c : cases) {
        options_.address_limit = c.limit;
        options_.balance = c.balance;
        find(c.hop);
        EXPECT_EQ(families(), c.families) << c.hop << " " << c.limit;
    }
}

TEST_F(TargetRules, NamesBehindAliases) {
    EXPECT_EQ(find("alias.test"), "www.alias.test:25");
    options_.cname_names_server = true;
    EXPECT_EQ(find("alias.test"), "real.alias.test:25");
    EXPECT_EQ(find("x.test"), "mx.x.test:25");
}

// A filter leaves nothing: the mail waits, as nobody knows what the domain has.
TEST_F(TargetRules, FilteredAnswers) {
    std::string dropped;
    dns::FilteredResolver resolver(dns_, [&](const std::string& record) -> Lookup<std::string> {
        if (record.find(dropped) == std::string::npos) return NotFound{};
        return std::string("IGNORE");
    });
    const auto with = [&](const std::string& what, const std::string& hop) {
        dropped = what;
        TargetFinder finder(loop_, resolver, options_, random_);
        std::string said;
        auto search = finder.find(*parse_next_hops(hop), [&](TargetsOrVerdict found) {
            if (auto* verdict = std::get_if<Verdict>(&found))
                said = verdict->status + " " + verdict->text;
            else
                targets_ = std::get<0>(found);
            loop_.stop();
        });
        loop_.run_for(Seconds{5});
        return said;
    };
    EXPECT_EQ(with(" IN AAAA ", "many.test"), "");
    EXPECT_EQ(families(), "44");
    EXPECT_EQ(with(" IN A ", "x.test"),
              "4.7.0 Error looking up name=mx.x.test type=A: DNS reply filter drops all results");
    options_.ignore_mx_error = true;
    EXPECT_EQ(with(" IN MX ", "x.test"),
              "4.7.0 Error looking up name=x.test type=MX: DNS reply filter drops all results");
}

TEST_F(TargetRules, TlsaOfInsecureHosts) {
    dns_.zone = tests::FakeDns(
        "far.test SECURE\nfar.test MX 10 mx.far.test\nmx.far.test A 192.0.2.1\n"
        "_25._tcp.mx.far.test SECURE\n_25._tcp.mx.far.test TLSA 3 1 1 abcd\n");
    for (const bool force : {false, true}) {
        options_.tlsa_of_insecure_hosts = force;
        find("far.test", true);
        EXPECT_EQ(targets_.at(0).tlsa.state, force ? Tlsa::State::found : Tlsa::State::insecure);
    }
}

TEST_F(TargetRules, WhetherDnssecWorksIsProbedOnce) {
    const struct {
        std::string zone, said;
    } cases[] = {
        {". SECURE\n. NS a.root\n", "received a response that is DNSSEC validated"},
        {". NS a.root\n", "received a response that is not DNSSEC validated"},
        {"", "received no response: Host not found"},
        {". FAIL\n", "received no response: fake DNS failure"},
    };
    options_.dnssec_probe = "ns:.";
    for (const auto& c : cases) {
        dns_.zone =
            tests::FakeDns("far.test MX 10 mx.far.test\nmx.far.test A 192.0.2.1\n" + c.zone);
        TargetFinder finder(loop_, dns_, options_, random_);
        for (int i = 0; i < 2; ++i) {
            auto search = finder.find(
                *parse_next_hops("far.test"), [](TargetsOrVerdict) {}, true);
            loop_.run_for(Millis{20});
        }
        const std::string log = log::take_captured();
        EXPECT_THAT(log, testing::HasSubstr("dnssec_probe 'ns:.' " + c.said));
        EXPECT_EQ(std::count(dns_.zone.asked.begin(), dns_.zone.asked.end(), ". NS"), 1);
    }
}

TEST(TargetOptions, FromMainCf) {
    const service::KeyFiles keys{};
    const auto from = [&](const std::string& text) {
        return Options::from(*config::Config::parse(text), false, keys);
    };
    const auto usual = from("").value();
    EXPECT_EQ(usual.dnssec_probe, "ns:.");
    EXPECT_EQ(usual.default_service, "smtp");
    EXPECT_TRUE(usual.balance && usual.quote_envelope && usual.srv_services.empty());
    EXPECT_TRUE(usual.pix.disable_esmtp && usual.pix.delay_dotcrlf);
    EXPECT_EQ(from("use_srv_lookup = submission, smtps\n")->srv_services.size(), 2u);
    EXPECT_TRUE(from("smtp_dns_resolver_options = res_dnsrch\n")->search.all_names);
    const struct {
        std::string text, why;
    } bad[] = {
        {"smtp_dns_resolver_options = res_nosuch\n", "res_nosuch"},
        {"dnssec_probe = ns\n", "dnssec_probe"},
        {"dnssec_probe = nosuch:.\n", "dnssec_probe"},
        {"smtp_bind_address = ::1\n", "bad smtp_bind_address parameter: ::1"},
        {"smtp_bind_address6 = mail\n", "bad smtp_bind_address6 parameter: mail"},
        {"smtp_tls_trust_anchor_file = /nonexistent\n", "smtp_tls_trust_anchor_file"},
    };
    for (const auto& c : bad) {
        const auto made = from(c.text);
        ASSERT_FALSE(made) << c.text;
        EXPECT_THAT(made.error().what, testing::HasSubstr(c.why));
    }
}

}  // namespace
}  // namespace postern::forwarder
