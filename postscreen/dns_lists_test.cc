#include "postscreen/dns_lists.h"

namespace postern::postscreen {
namespace {

TEST(DnsList, IsParsed) {
    const auto plain = DnsList::parse("list.test");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->domain(), "list.test");
    EXPECT_EQ(plain->weight(), 1);
    EXPECT_TRUE(plain->counts("127.0.0.99"));
    const auto full = DnsList::parse("list.test=127.0.[0;2].[2;4..8]*-3");
    ASSERT_TRUE(full);
    EXPECT_EQ(full->domain(), "list.test");
    EXPECT_EQ(full->weight(), -3);
    for (const char* yes : {"127.0.0.2", "127.0.0.4", "127.0.2.8", "127.0.0.6"})
        EXPECT_TRUE(full->counts(yes)) << yes;
    for (const char* no :
         {"127.0.0.3", "127.0.1.2", "127.0.0.9", "126.0.0.2", "", "::1", "127.0.0"})
        EXPECT_FALSE(full->counts(no)) << no;
    EXPECT_EQ(DnsList::parse("list.test*2")->weight(), 2);
}

TEST(DnsList, NonsenseIsNamed) {
    for (const char* bad : {"", "=127.0.0.1", "x*y", "x*99999", "x=127.0.0", "x=127.0.0.256",
                            "x=127.0.0.[8..2]", "x=127.0.0.[a]", "x=127.0.0.", "x=1.2.3.4.5"}) {
        const auto list = DnsList::parse(bad);
        ASSERT_FALSE(list) << bad;
        EXPECT_NE(list.error().what.find("bad list"), std::string::npos) << bad;
    }
}

TEST(ListScore, SumsWhatCounts) {
    const std::vector<DnsList> lists = {
        *DnsList::parse("a.test=127.0.0.2*2"), *DnsList::parse("b.test*3"),
        *DnsList::parse("a.test=127.0.0.[2..9]"), *DnsList::parse("good.test*-4")};
    ListScore score(lists);
    EXPECT_EQ(score.domains(), (std::vector<std::string>{"a.test", "b.test", "good.test"}));
    EXPECT_LT(score.lifetime(), Seconds{0});
    score.add("a.test", {"127.0.0.9", "127.0.0.2"}, Seconds{600});
    EXPECT_EQ(score.rank(), 3);
    EXPECT_EQ(score.reason(), "a.test");
    score.add("b.test", {"127.0.0.1"}, Seconds{60});
    EXPECT_EQ(score.rank(), 6);
    EXPECT_EQ(score.reason(), "b.test");
    score.add("good.test", {}, Seconds{900});
    EXPECT_EQ(score.rank(), 6);
    score.add("good.test", {"127.0.0.1"}, Seconds{900});
    EXPECT_EQ(score.rank(), 2);
    EXPECT_EQ(score.reason(), "b.test");
    EXPECT_EQ(score.lifetime(), Seconds{60});
}

}  // namespace
}  // namespace postern::postscreen
