#include "lib/dns/resolver_wrappers.h"

#include "lib/dns/rdata.h"
#include "tests/support/fake_dns.h"

namespace postern::dns {
namespace {

TEST(RecordText, AsPostfixFiltersSeeIt) {
    const struct {
        RecordType type;
        Record record;
        std::string text;
    } cases[] = {
        {RecordType::a, {"192.0.2.1"}, "x.test. 60 IN A 192.0.2.1"},
        {RecordType::aaaa, {"2001:db8::1"}, "x.test. 60 IN AAAA 2001:db8::1"},
        {RecordType::mx, {"mx.x.test", 10}, "x.test. 60 IN MX 10 mx.x.test."},
        {RecordType::srv, {"mx.x.test", 1, 2, 587}, "x.test. 60 IN SRV 1 2 587 mx.x.test."},
        {RecordType::ptr, {"a.test"}, "x.test. 60 IN PTR a.test."},
        {RecordType::txt, {"some text"}, "x.test. 60 IN TXT some text"},
        {RecordType::tlsa, {std::string("\3\1\1\xab\xcd", 5)}, "x.test. 60 IN TLSA 3 1 1 abcd"},
        {RecordType::tlsa, {""}, "x.test. 60 IN TLSA 0 0 0 "},
    };
    for (const auto& c : cases)
        EXPECT_EQ(record_text("x.test", Seconds{60}, c.type, c.record), c.text);
    EXPECT_EQ(record_text("\xc3\xbc.test", Seconds{1}, RecordType::a, {"192.0.2.1"}),
              "xn--tda.test. 1 IN A 192.0.2.1");
}

TEST(RecordTypes, ByName) {
    EXPECT_EQ(type_named("ns"), RecordType::ns);
    EXPECT_EQ(type_named("SRV"), RecordType::srv);
    EXPECT_FALSE(type_named("nosuch"));
}

TEST(Srv, FromTheWire) {
    const std::string data("\0\1\0\2\2\x4b\2mx\4test\0", 15);
    const auto record = parse_rdata(RecordType::srv, data);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->data, "mx.test");
    EXPECT_EQ(record->preference, 1);
    EXPECT_EQ(record->weight, 2);
    EXPECT_EQ(record->port, 587);
    EXPECT_EQ(parse_rdata(RecordType::srv, std::string(7, '\0'))->data, "") << "no such service";
    for (std::size_t size = 0; size < data.size(); ++size)
        EXPECT_FALSE(parse_rdata(RecordType::srv, data.substr(0, size))) << size;
}

Answer hosts() {
    Answer answer;
    answer.records = {{"192.0.2.1"}, {"192.0.2.2"}};
    answer.canonical_name = "real.test";
    answer.ttl = Seconds{60};
    return answer;
}

TEST(ReplyFilter, LeavesOutWhatItSays) {
    const struct {
        std::string one, two, left;  // actions ("" none) and what is left
    } cases[] = {{"", "", "192.0.2.1 192.0.2.2 "}, {"IGNORE", "", "192.0.2.2 "},
                 {"", " ignore ", "192.0.2.1 "},   {"IGNORE", "IGNORE", "denied"},
                 {"DROP", "", "temporary"},        {"FAIL", "", "temporary"}};
    for (const auto& c : cases) {
        std::vector<std::string> seen;
        const auto filter = [&](const std::string& record) -> Lookup<std::string> {
            seen.push_back(record);
            const std::string& action = record.ends_with(".1") ? c.one : c.two;
            if (action == "FAIL") return Error{Errc::temporary, "table"};
            if (action.empty()) return NotFound{};
            return action;
        };
        const auto answer = filter_answer("x.test", RecordType::a, hosts(), filter);
        std::string left;
        if (answer.failed()) left = answer.error().code == Errc::denied ? "denied" : "temporary";
        if (answer.found())
            for (const auto& record : answer->records) left += record.data + " ";
        EXPECT_EQ(left, c.left) << c.one << "," << c.two;
        EXPECT_EQ(seen.at(0), "real.test. 60 IN A 192.0.2.1");
    }
    const auto never = [](const std::string&) -> Lookup<std::string> {
        return std::string("IGNORE");
    };
    EXPECT_TRUE(filter_answer("x", RecordType::a, NotFound{}, never).not_found());
    EXPECT_TRUE(filter_answer("x", RecordType::a, Answer{}, never).found()) << "nothing to drop";
}

TEST(SearchDomains, FromResolvConf) {
    using testing::ElementsAre;
    EXPECT_THAT(search_domains("nameserver 192.0.2.53\nsearch a.test b.test\n"),
                ElementsAre("a.test", "b.test"));
    EXPECT_THAT(search_domains("search a.test\ndomain c.test x\n"), ElementsAre("c.test"));
    EXPECT_THAT(search_domains("# search a.test\nsearch\n"), ElementsAre());
    EXPECT_THAT(search_domains("search 1 2 3 4 5 6 7 8"), testing::SizeIs(6));
}

TEST(SearchDomains, WhatIsTried) {
    using testing::ElementsAre;
    const std::vector<std::string> domains = {"a.test", "b.test"};
    EXPECT_THAT(names_to_try("mx", {domains, false, false}), ElementsAre("mx"));
    EXPECT_THAT(names_to_try("mx", {domains, true, false}), ElementsAre("mx.a.test", "mx"));
    EXPECT_THAT(names_to_try("mx", {domains, true, true}),
                ElementsAre("mx.a.test", "mx.b.test", "mx"));
    EXPECT_THAT(names_to_try("mx.c", {domains, true, false}), ElementsAre("mx.c"));
    EXPECT_THAT(names_to_try("mx.c", {domains, false, true}),
                ElementsAre("mx.c", "mx.c.a.test", "mx.c.b.test"));
    EXPECT_THAT(names_to_try("mx.c.", {domains, true, true}), ElementsAre("mx.c."));
}

class WrappersTest : public testing::Test {
  protected:
    std::string ask(AsyncResolver& resolver, const std::string& name) {
        std::string said = "nothing";
        resolver.resolve(name, RecordType::a, Millis{1000}, [&](AnswerLookup answer) {
            said = answer.found()       ? answer->records.at(0).data
                   : answer.not_found() ? "not found"
                                        : answer.error().what;
            loop_.stop();
        });
        loop_.run_for(Seconds{5});
        return said;
    }
    loop::Loop loop_;
    tests::FakeAsyncDns dns_{loop_, "mx.b.test A 192.0.2.1\nbroken.a.test FAIL\n"};
};

TEST_F(WrappersTest, Search) {
    SearchResolver resolver(dns_, {{"a.test", "b.test"}, true, true});
    EXPECT_EQ(ask(resolver, "mx"), "192.0.2.1");
    EXPECT_THAT(dns_.zone.asked, testing::ElementsAre("mx.a.test A", "mx.b.test A"));
    EXPECT_EQ(ask(resolver, "nobody"), "not found");
    EXPECT_EQ(ask(resolver, "broken"), "fake DNS failure") << "it could be that one";
}

TEST_F(WrappersTest, Cancelled) {
    SearchResolver resolver(dns_, {{"a.test", "b.test"}, true, true});
    bool called = false;
    const auto id =
        resolver.resolve("mx", RecordType::a, Millis{1000}, [&](AnswerLookup) { called = true; });
    resolver.cancel(id);
    resolver.cancel(id);
    {
        SearchResolver gone(dns_, {{"a.test"}, true, true});
        gone.resolve("mx", RecordType::a, Millis{1000}, [&](AnswerLookup) { called = true; });
    }
    loop_.run_for(Millis{20});
    EXPECT_FALSE(called);
}

TEST_F(WrappersTest, Filtered) {
    FilteredResolver resolver(dns_, [](const std::string& record) -> Lookup<std::string> {
        EXPECT_EQ(record, "mx.b.test. 60 IN A 192.0.2.1");
        return std::string("IGNORE");
    });
    EXPECT_EQ(ask(resolver, "mx.b.test"),
              "Error looking up name=mx.b.test type=A: DNS reply filter drops all results");
}

}  // namespace
}  // namespace postern::dns
