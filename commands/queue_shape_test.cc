#include "commands/queue_shape.h"

namespace postern::commands {
namespace {

constexpr std::int64_t kMinute = 60;

TEST(QueueShape, AnEmptyQueue) {
    EXPECT_EQ(QueueShape({.width = 62}).table(),
              "                       T  5 10 20 40 80 160 320 640 1280 1280+\n"
              "                TOTAL  0  0  0  0  0  0   0   0   0    0     0\n");
}

TEST(QueueShape, CountsByDomainAndAgeTheLargestFirst) {
    QueueShape shape({.buckets = 4, .first_minutes = 10, .width = 40});
    shape.add("small.test", 0, 1);
    shape.add("Large.Test", 9 * kMinute + 59, 10);
    shape.add("large.test", 10 * kMinute, 3);
    shape.add("large.test", 39 * kMinute, 4);
    shape.add("large.test", 40 * kMinute, 5);
    shape.add("", 1000 * kMinute, 2);
    shape.add("future.test", -5, 1);
    EXPECT_EQ(shape.table(),
              "                          T 10 20 40 40+\n"
              "                   TOTAL 26 12  3  4   7\n"
              "              large.test 22 10  3  4   5\n"
              "           MAILER-DAEMON  2  0  0  0   2\n"
              "             future.test  1  1  0  0   0\n"
              "              small.test  1  1  0  0   0\n");
}

TEST(QueueShape, Linear) {
    QueueShape shape({.buckets = 3, .first_minutes = 7, .linear = true, .width = 24});
    shape.add("a.test", 7 * kMinute, 1);
    shape.add("a.test", 13 * kMinute, 1);
    shape.add("a.test", 14 * kMinute, 1);
    EXPECT_EQ(shape.table(),
              "             T  7 14 14+\n"
              "      TOTAL  3  0  2   1\n"
              "     a.test  3  0  2   1\n");
}

TEST(QueueShape, OneBucket) {
    QueueShape shape({.buckets = 1, .width = 20});
    shape.add("a.test", 7 * kMinute, 3);
    EXPECT_EQ(shape.table(),
              "                T 0+\n"
              "         TOTAL  3  3\n"
              "        a.test  3  3\n");
}

TEST(QueueShape, ParentsWithEnoughSubdomains) {
    QueueShape shape({.parents = true, .min_subdomains = 2, .buckets = 2, .width = 30});
    for (const char* name : {"a.x.test", "b.x.test", "c.y.test", "x.test"}) shape.add(name, 0, 1);
    EXPECT_EQ(shape.table(),
              "                       T  5 5+\n"
              "                TOTAL  4  4  0\n"
              "              .x.test  2  2  0\n"
              "             a.x.test  1  1  0\n"
              "             b.x.test  1  1  0\n"
              "             c.y.test  1  1  0\n"
              "               x.test  1  1  0\n");
}

TEST(QueueShape, LongNamesKeepTheirEnd) {
    QueueShape shape({.buckets = 2, .width = 20});
    shape.add("a-very-long-name.of-some.example.test", 0, 1);
    shape.add(std::string("nasty\x1b[2J"), 0, 1);
    EXPECT_EQ(shape.table(),
              "             T  5 5+\n"
              "      TOTAL  2  2  0\n"
              "+ample.test  1  1  0\n"
              "  nasty?[2j  1  1  0\n");
}

}  // namespace
}  // namespace postern::commands
