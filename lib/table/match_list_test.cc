#include "lib/table/match_list.h"

#include "lib/table/test_files.h"

namespace postern::table {
namespace {

std::string name_in(std::string_view list, std::string_view name,
                    Parents parents = Parents::dotted) {
    auto answer = MatchList::parse(list, parents).matches_name(name);
    return !answer ? "failed" : *answer ? "yes" : "no";
}

std::string client_in(std::string_view list, std::string_view address, std::string_view name = "") {
    auto answer =
        MatchList::parse(list, Parents::plain).matches_client(*IpAddress::parse(address), name);
    return !answer ? "failed" : *answer ? "yes" : "no";
}

TEST(MatchList, MatchesNames) {
    EXPECT_EQ(name_in("a.test, B.test", "b.TEST"), "yes");
    EXPECT_EQ(name_in("a.test", "x.a.test"), "no");
    EXPECT_EQ(name_in("a.test", "x.a.test", Parents::plain), "yes");
    EXPECT_EQ(name_in("a.test", "xa.test", Parents::plain), "no");
    EXPECT_EQ(name_in(".a.test", "x.a.test"), "yes");
    EXPECT_EQ(name_in(".a.test", "a.test"), "no");
    EXPECT_EQ(name_in("!x.a.test .a.test", "x.a.test"), "no");
    EXPECT_EQ(name_in("!x.a.test .a.test", "y.a.test"), "yes");
    EXPECT_EQ(name_in("", "y.a.test"), "no");
    EXPECT_EQ(name_in(".a.test inline:{.a.test=x}", "x.a.test", Parents::none), "no");
    EXPECT_EQ(name_in("inline:{a.test=x}", "A.test", Parents::none), "yes");
    EXPECT_EQ(name_in("MÜNCHEN.test", "münchen.TEST"), "yes");
    EXPECT_EQ(name_in(".münchen.test", "a.MÜNCHEN.test"), "yes");
    EXPECT_EQ(name_in("münchen.test", "a.MÜNCHEN.test", Parents::plain), "yes");
    EXPECT_EQ(name_in("münchen.test", "xn--mnchen-3ya.test"), "no") << "as Postfix";
    EXPECT_EQ(name_in("inline:{ÜBER.test=x}", "über.test", Parents::none), "yes");
}

TEST(MatchList, ReadsTablesAndFiles) {
    const TestFiles files;
    const auto list = files.write("list", "# mine\na.test\n!b.test, c.test\n");
    EXPECT_EQ(name_in(list, "a.test"), "yes");
    EXPECT_EQ(name_in(list + " b.test", "b.test"), "no");
    EXPECT_EQ(name_in("!" + list, "a.test"), "no");
    EXPECT_EQ(name_in("inline:{a.test=x}", "A.test"), "yes");
    EXPECT_EQ(name_in("inline:{.test=x}", "a.test"), "yes");
    EXPECT_EQ(name_in("inline:{test=x}", "a.test", Parents::plain), "yes");
    EXPECT_EQ(name_in("/nonexistent/file", "a.test"), "failed");
    EXPECT_EQ(name_in("a.test /nonexistent/file", "a.test"), "yes");
    EXPECT_EQ(name_in("hash:/nonexistent/file", "a.test"), "failed");
    const auto self = files.path("self");
    files.write("self", self);
    EXPECT_EQ(name_in(self, "a.test"), "failed");
}

TEST(MatchList, MatchesClients) {
    const auto* nets = "127.0.0.0/8 [::1]/128 !192.0.2.9 192.0.2.0/24 [2001:db8::]/32 h.test";
    EXPECT_EQ(client_in(nets, "127.1.2.3"), "yes");
    EXPECT_EQ(client_in(nets, "::1"), "yes");
    EXPECT_EQ(client_in(nets, "192.0.2.9"), "no");
    EXPECT_EQ(client_in(nets, "192.0.2.8"), "yes");
    EXPECT_EQ(client_in(nets, "2001:db8::1"), "yes");
    EXPECT_EQ(client_in(nets, "10.0.0.1"), "no");
    EXPECT_EQ(client_in(nets, "10.0.0.1", "h.test"), "yes");
    EXPECT_EQ(client_in(nets, "10.0.0.1", "x.h.test"), "yes");
    EXPECT_EQ(client_in(nets, "10.0.0.1", "unknown"), "no");
    EXPECT_EQ(client_in("inline:{10.0.0.1=x}", "10.0.0.1"), "yes");
    EXPECT_EQ(client_in("fail:x", "10.0.0.1"), "failed");
    EXPECT_EQ(MatchList::parse("a !b static:x").words(), (std::vector<std::string>{"a", "!b"}));
}

}  // namespace
}  // namespace postern::table
