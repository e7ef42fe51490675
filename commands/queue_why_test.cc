#include "commands/queue_why.h"

#include <algorithm>
#include <string>

namespace postern::commands {
namespace {

const WallTime kNow(Seconds(1'800'000'000));

TEST(QueueWhy, NamesWhatHoldsEachDestination) {
    QueueWhy why({"20", "0s"});
    for (int i = 0; i < 3; ++i)
        why.add("Far.test", "deferred", "connect to mx.far.test[192.0.2.1]:25: Connection refused",
                kNow + Seconds(600 + i));
    why.add("far.test", "deferred", "host mx said: 450 4.2.0 greylisted", kNow - Seconds(1));
    why.add("far.test", "active", "", std::nullopt);
    why.add("near.test", "hold", "", std::nullopt);
    why.add("near.test", "deferred", "", std::nullopt);
    EXPECT_EQ(why.text(kNow),
              "far.test: 5 recipients\n"
              "        3  backs off, next in 10 min: connect to mx.far.test[192.0.2.1]:25: "
              "Connection refused\n"
              "        1  under way or waiting for a turn: at most 20 at a time\n"
              "        1  backs off, due now: host mx said: 450 4.2.0 greylisted\n"
              "near.test: 2 recipients\n"
              "        1  backs off: no reason recorded\n"
              "        1  held: released by \"postsuper -H\"\n");
}

TEST(QueueWhy, NamesTheRate) {
    QueueWhy why({"5", "30s"});
    why.add("x.test", "active", "", std::nullopt);
    EXPECT_NE(why.text(kNow).find("at most 5 at a time, 30s between two"), std::string::npos);
    EXPECT_EQ(QueueWhy({"5", ""}).text(kNow), "nothing waits\n");
}

TEST(QueueWhy, RepliesThatDifferInDetailsAreOne) {
    EXPECT_EQ(without_details("host a[192.0.2.1] said: 451 id 4cB3xYz1jZ, try in 300 s"),
              "host a[192.0.2.1] said: 451 id *, try in 300 s");
    EXPECT_EQ(without_details(""), "");
    EXPECT_EQ(without_details("a\nb"), "a?b");
    EXPECT_LE(without_details(std::string(5000, 'x')).size(), 210U);
    QueueWhy why({"20", ""});
    for (int i = 0; i < 50; ++i)
        why.add("x.test", "deferred", "451 session " + std::to_string(1'000'000 + i), std::nullopt);
    EXPECT_EQ(why.text(kNow), "x.test: 50 recipients\n       50  backs off: 451 session *\n");
}

TEST(QueueWhy, ManyReasonsAreBounded) {
    QueueWhy why({"20", ""});
    for (int i = 0; i < 5000; ++i)
        why.add("x.test", "deferred",
                std::string(1 + static_cast<std::size_t>(i) % 150, 'a') + std::to_string(i % 60),
                std::nullopt);
    const std::string text = why.text(kNow);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7);
    EXPECT_NE(text.find("  other reasons\n"), std::string::npos);
}

}  // namespace
}  // namespace postern::commands
