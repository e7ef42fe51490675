#include "lib/base/encode.h"
#include "lib/dns/rdata.h"
#include "lib/dns/unbound_resolver.h"
#include "tests/support/fake_dns.h"

namespace postern::dns {
namespace {

using tests::FakeDns;
using tests::FakeDnsServer;

constexpr std::string_view kZone = R"(
    x.test      MX  10 mx1.x.test
    x.test      MX  20 mx2.x.test
    mx1.x.test  A   192.0.2.1
    mx1.x.test  A   192.0.2.2
    mx1.x.test  AAAA 2001:db8::1
    null.test   NULLMX
    alias.test  CNAME x.test
    broken.test FAIL
    1.2.0.192.in-addr.arpa PTR mx1.x.test
    txt.test    TXT v=spf1
)";

TEST(DnsNameTest, ValidNames) {
    for (std::string_view good : {"a", "x.test", "x.test.", "_dmarc.x.test", "a-b.c"})
        EXPECT_TRUE(is_valid_name(good)) << good;
    for (std::string_view bad : {"", ".", "a..b", ".a", "a b", "x/y", "é.test"})
        EXPECT_FALSE(is_valid_name(bad)) << bad;
    EXPECT_TRUE(is_valid_name(std::string(63, 'a') + ".test"));
    EXPECT_FALSE(is_valid_name(std::string(64, 'a') + ".test"));
    std::string long_name;
    while (long_name.size() < 254) long_name += "abc.";
    EXPECT_FALSE(is_valid_name(long_name + "d"));
}

TEST(DnsNameTest, NamesInUtf8) {
    EXPECT_EQ(*ascii_name("x.test"), "x.test");
    EXPECT_EQ(*ascii_name("é.test"), "xn--9ca.test");
    EXPECT_EQ(*ascii_name("_dmarc.é.test"), "_dmarc.xn--9ca.test");
    for (std::string_view bad : {"", "a b", "é..test", "-é.test", "\xe9.test"})
        EXPECT_FALSE(ascii_name(bad)) << bad;
    EXPECT_EQ(ascii_name("-é.test").error().code, Errc::invalid);
    const tests::FakeDns zone("xn--9ca.test A 192.0.2.9\n");
    EXPECT_TRUE(zone.lookup("É.test", RecordType::a).found());
}

TEST(DnsNameTest, ReverseNames) {
    EXPECT_EQ(reverse_name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
    EXPECT_EQ(reverse_name("2001:db8::1"),
              "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    EXPECT_EQ(reverse_name("x.test"), "");
}

TEST(RdataTest, EveryType) {
    struct Case {
        RecordType type;
        std::string hex, data;
        int preference;
        bool good;
    };
    const Case cases[] = {
        {RecordType::a, "c0000201", "192.0.2.1", 0, true},
        {RecordType::a, "c00002", "", 0, false},
        {RecordType::aaaa, "20010db8000000000000000000000001", "2001:db8::1", 0, true},
        {RecordType::aaaa, "c0000201", "", 0, false},
        {RecordType::mx, "000a026d78017800", "mx.x", 10, true},
        {RecordType::mx, "000000", "", 0, true},
        {RecordType::mx, "000a026d78", "", 0, false},
        {RecordType::mx, "000a", "", 0, false},
        {RecordType::mx, "000ac00c", "", 0, false},      // compressed
        {RecordType::mx, "000a026d2f00", "", 0, false},  // "m/"
        {RecordType::ptr, "026d78017800", "mx.x", 0, true},
        {RecordType::ns, "026e73017800", "ns.x", 0, true},
        {RecordType::ns, "026e73", "", 0, false},
        {RecordType::tlsa, "03010178", std::string("\3\1\1x", 4), 0, true},
        {RecordType::tlsa, "030101", "", 0, false},
        {RecordType::txt, "026162026364", "abcd", 0, true},
        {RecordType::txt, "0561", "", 0, false},
    };
    for (const Case& c : cases) {
        auto record = parse_rdata(c.type, *hex_decode(c.hex));
        ASSERT_EQ(record.has_value(), c.good) << c.hex;
        if (!c.good) continue;
        EXPECT_EQ(record->data, c.data);
        EXPECT_EQ(record->preference, c.preference);
    }
}

TEST(FakeDnsTest, Outcomes) {
    FakeDns dns(kZone);
    auto mx = dns.lookup("X.Test.", RecordType::mx);
    ASSERT_TRUE(mx.found());
    EXPECT_EQ(mx->records.size(), 2u);
    EXPECT_TRUE(dns.lookup("nowhere.test", RecordType::mx).not_found());
    EXPECT_TRUE(dns.lookup("broken.test", RecordType::mx).failed());
    EXPECT_TRUE(is_null_mx(*dns.lookup("null.test", RecordType::mx)));
    EXPECT_EQ(dns.lookup("alias.test", RecordType::mx)->canonical_name, "x.test");
    EXPECT_TRUE(dns.lookup("x.test", RecordType::a)->records.empty());
}

// The libunbound resolver asks a server that runs on the same loop.
class LoopResolverTest : public testing::Test {
  protected:
    LoopResolverTest() : server_(loop_, kZone) {
        Options options;
        options.forwarders = {server_.address()};
        options.hosts = "";
        auto made = LoopResolver::make(loop_, options);
        EXPECT_TRUE(made) << made.error().what;
        if (made) resolver_ = std::move(made).value();
    }

    AnswerLookup ask(std::string_view name, RecordType type) {
        std::optional<AnswerLookup> result;
        resolver_->resolve(name, type, Seconds{20}, [&](AnswerLookup answer) {
            result = std::move(answer);
            loop_.stop();
        });
        EXPECT_FALSE(result);
        loop_.run_for(Seconds{25});
        if (!result) return Error{Errc::timeout, "never called back"};
        return *std::move(result);
    }

    loop::Loop loop_;
    FakeDnsServer server_;
    std::unique_ptr<LoopResolver> resolver_;
};

TEST_F(LoopResolverTest, AnswersOfEveryKind) {
    auto mx = ask("x.test", RecordType::mx);
    ASSERT_TRUE(mx.found()) << (mx.failed() ? mx.error().what : "not found");
    ASSERT_EQ(mx->records.size(), 2u);
    EXPECT_EQ(mx->records[0].data.substr(3), ".x.test");
    EXPECT_EQ(mx->records[0].preference + mx->records[1].preference, 30);

    auto a = ask("mx1.x.test", RecordType::a);
    ASSERT_TRUE(a.found());
    EXPECT_EQ(a->records.size(), 2u);
    auto aaaa = ask("mx1.x.test", RecordType::aaaa);
    ASSERT_TRUE(aaaa.found());
    EXPECT_EQ(aaaa->records.at(0).data, "2001:db8::1");
    auto ptr = ask(reverse_name("192.0.2.1"), RecordType::ptr);
    ASSERT_TRUE(ptr.found());
    EXPECT_EQ(ptr->records.at(0).data, "mx1.x.test");
    auto txt = ask("txt.test", RecordType::txt);
    ASSERT_TRUE(txt.found());
    EXPECT_EQ(txt->records.at(0).data, "v=spf1");

    auto alias = ask("alias.test", RecordType::mx);
    ASSERT_TRUE(alias.found());
    EXPECT_EQ(alias->canonical_name, "x.test");
    EXPECT_EQ(alias->records.size(), 2u);

    auto null = ask("null.test", RecordType::mx);
    ASSERT_TRUE(null.found());
    EXPECT_TRUE(is_null_mx(*null));
    auto none = ask("txt.test", RecordType::a);
    ASSERT_TRUE(none.found());
    EXPECT_TRUE(none->records.empty());
    EXPECT_TRUE(ask("nowhere.test", RecordType::a).not_found());
}

TEST_F(LoopResolverTest, FailureIsNotNotFound) {
    EXPECT_TRUE(ask("broken.test", RecordType::mx).failed());
}

TEST_F(LoopResolverTest, BadNamesAreRefused) {
    auto bad = ask("a b", RecordType::a);
    ASSERT_TRUE(bad.failed());
    EXPECT_EQ(bad.error().code, Errc::invalid);
}

TEST_F(LoopResolverTest, CancelledQuestionsStaySilent) {
    bool called = false;
    auto id = resolver_->resolve("x.test", RecordType::mx, Seconds{20},
                                 [&](AnswerLookup) { called = true; });
    resolver_->cancel(id);
    EXPECT_TRUE(ask("mx1.x.test", RecordType::a).found());
    EXPECT_FALSE(called);
}

TEST_F(LoopResolverTest, MayBeDestroyedFromItsCallback) {
    bool called = false;
    resolver_->resolve("x.test", RecordType::mx, Seconds{20}, [&](AnswerLookup) {
        called = true;
        resolver_.reset();
        loop_.stop();
    });
    loop_.run_for(Seconds{25});
    EXPECT_TRUE(called);
}

TEST_F(LoopResolverTest, NoAnswerInTime) {
    // The server's loop does not run, so nobody answers the worker's resolver.
    Options options;
    options.forwarders = {server_.address()};
    options.hosts = "";
    auto worker = WorkerResolver::make(options);
    ASSERT_TRUE(worker);
    auto answer = (*worker)->resolve("x.test", RecordType::mx, Deadline::in(Millis{50}));
    ASSERT_TRUE(answer.failed());
    EXPECT_EQ(answer.error().code, Errc::timeout);
}

TEST(WorkerResolverTest, HostsFile) {
    Options options;
    options.forwarders = {"127.0.0.1@1"};
    auto worker = WorkerResolver::make(options);
    ASSERT_TRUE(worker);
    auto answer = (*worker)->resolve("localhost", RecordType::a, Deadline::in(Seconds{10}));
    ASSERT_TRUE(answer.found()) << (answer.failed() ? answer.error().what : "not found");
    EXPECT_EQ(answer->records.at(0).data, "127.0.0.1");
}

}  // namespace
}  // namespace postern::dns
