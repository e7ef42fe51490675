#include "lib/queue/delivery_log.h"

#include "lib/log/delay_digits.h"

namespace postern::queue {
namespace {

TEST(FormatDelay, HasTwoSignificantDigitsAsInPostfix) {
    const struct {
        std::int64_t micros;
        const char* text;
    } cases[] = {{0, "0"},           {4'999, "0"},           {5'000, "0.01"},    {40'000, "0.04"},
                 {99'000, "0.1"},    {123'456, "0.12"},      {990'000, "0.99"},  {996'000, "1"},
                 {1'000'000, "1"},   {1'240'000, "1.2"},     {9'940'000, "9.9"}, {9'960'000, "10"},
                 {14'600'000, "15"}, {3600'000'000, "3600"}, {-5, "0"}};
    for (const auto& c : cases) EXPECT_EQ(format_delay(Micros(c.micros)), c.text) << c.micros;
}

TEST(FormatDelay, HasNoMoreDigitsThanTheLogShallHave) {
    const struct {
        unsigned digits;
        std::int64_t micros;
        const char* text;
    } cases[] = {{0, 499'999, "0"},     {0, 500'000, "1"},     {0, 1'700'000, "2"},
                 {1, 123'456, "0.1"},   {1, 9'940'000, "9.9"}, {6, 123'456, "0.12"},
                 {6, 1'234, "0.0012"},  {6, 12, "0.000012"},   {6, 1, "0.000001"},
                 {6, 9'960'000, "10"},  {6, 99'600, "0.1"},    {3, 1'234, "0.001"},
                 {9, 1'234'567, "1.2"}, {3, 0, "0"},           {6, 86'400'000'000, "86400"}};
    for (const auto& c : cases) {
        log::set_delay_digits(c.digits);
        EXPECT_EQ(format_delay(Micros(c.micros)), c.text) << c.digits << " " << c.micros;
    }
    log::set_delay_digits(2);
}

TEST(DeliveryLine, LooksAsPostfixWritesIt) {
    const WallTime start(Micros(1'000'000'000));
    DeliveryLine line{.to = "u1@example.test",
                      .original = "u1@example.test",
                      .relay = "local",
                      .times = {start,
                                start + Micros(10'000),
                                start + Micros(30'000),
                                {},
                                start + Micros(40'000)},
                      .dsn = "2.0.0",
                      .status = status_word(Verdict::Kind::accept),
                      .text = "delivered to maildir"};
    EXPECT_EQ(delivery_line(line),
              "to=<u1@example.test>, relay=local, delay=0.04, delays=0.01/0.02/0/0.01, dsn=2.0.0, "
              "status=sent "
              "(delivered to maildir)");
    line.original = "alias@example.test";
    EXPECT_TRUE(delivery_line(line).starts_with(
        "to=<u1@example.test>, orig_to=<alias@example.test>, relay="));
}

TEST(DeliveryLine, CountsASkippedStageAsNoTime) {
    const WallTime start(Micros(1'000'000'000));
    const DeliveryLine line{.to = "a@b",
                            .original = "",
                            .relay = "none",
                            .times = {start, {}, {}, {}, start + Micros(15'000'000)},
                            .dsn = "4.4.1",
                            .status = status_word(Verdict::Kind::defer),
                            .text = "connect to b: Connection refused"};
    EXPECT_EQ(delivery_line(line),
              "to=<a@b>, relay=none, delay=15, delays=0/0/0/15, dsn=4.4.1, status=deferred "
              "(connect to b: Connection "
              "refused)");
}

}  // namespace
}  // namespace postern::queue
