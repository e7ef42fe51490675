#include "lib/config/value.h"

namespace postern::config {
namespace {

TEST(Value, Millis) {
    struct Case {
        const char* text;
        const char* unit;
        std::optional<std::int64_t> expected;
    };
    const Case cases[] = {
        {"300s", "s", 300'000},
        {"5", "s", 5000},
        {"5", "d", 432'000'000},
        {"100ms", "s", 100},
        {"2m", "s", 120'000},
        {"1h", "s", 3'600'000},
        {"1w", "s", 604'800'000},
        {"", "s", std::nullopt},
        {"s", "s", std::nullopt},
        {"5x", "s", std::nullopt},
        {"-5s", "s", std::nullopt},
        {"5 s", "s", std::nullopt},
        {"99999999999999999999s", "s", std::nullopt},
        {"9223372036854775807w", "s", std::nullopt},
    };
    for (const Case& c : cases) EXPECT_EQ(parse_millis(c.text, c.unit), c.expected) << c.text;
}

TEST(Value, DefaultUnit) {
    EXPECT_EQ(default_unit("5d"), "d");
    EXPECT_EQ(default_unit("300s"), "s");
    EXPECT_EQ(default_unit("100ms"), "ms");
    EXPECT_EQ(default_unit("${stress?{10}:{300}}s"), "s");
    EXPECT_EQ(default_unit("$a_d"), "s");
    EXPECT_EQ(default_unit(""), "s");
}

TEST(Value, ParseByRow) {
    struct Case {
        Type type;
        Limits limits;
        const char* default_text;
        const char* text;
        std::optional<std::int64_t> expected;
    };
    const Case cases[] = {
        {Type::Seconds, range(1, 60), "10s", "60s", 60'000},
        {Type::Seconds, range(1, 60), "10s", "61s", std::nullopt},
        {Type::Seconds, range(1, 60), "10s", "0", std::nullopt},
        {Type::Seconds, range(1, 60), "10s", "50ms", 50},
        {Type::Seconds, range(1, 60), "10s", "0ms", std::nullopt},
        {Type::Seconds, any, "5d", "0", 0},
        {Type::Count, range(4, 9), "5", "9", 9},
        {Type::Count, range(4, 9), "5", "10", std::nullopt},
        {Type::Count, range(4, 9), "5", "five", std::nullopt},
        {Type::Count, any, "5", "", std::nullopt},
        {Type::Bytes, any, "5", "10240000", 10240000},
        {Type::Flag, any, "no", "yes", 1},
        {Type::Flag, any, "no", "No", 0},
        {Type::Flag, any, "no", "on", std::nullopt},
        {Type::Choice, one_of("none may"), "none", "may", 0},
        {Type::Choice, one_of("none may"), "none", "ma", std::nullopt},
        {Type::Choice, one_of("none may"), "none", "none may", std::nullopt},
        {Type::Choice, one_of("none may"), "none", "", std::nullopt},
        {Type::Choice, one_of("none may"), "", "", 0},
        {Type::Text, any, "", "anything at all", 0},
    };
    for (const Case& c : cases) {
        Row row{"x", c.default_text, c.limits, "", c.type, Standing::honoured};
        auto value = parse_value(row, c.text);
        ASSERT_EQ(value.has_value(), c.expected.has_value()) << c.text;
        if (value) {
            EXPECT_EQ(*value, *c.expected) << c.text;
        }
    }
}

TEST(Value, ErrorsTellWhatWouldBeRight) {
    Row time{"x", "10s", range(1, 60), "", Type::Seconds, Standing::honoured};
    EXPECT_EQ(parse_value(time, "5x").error().what,
              "bad value \"5x\": expected a whole number and a unit (ms, s, m, h, d or w), from 1s "
              "to 60s");
    Row choice{"x", "may", one_of("none may encrypt"), "", Type::Choice, Standing::honoured};
    EXPECT_EQ(parse_value(choice, "maybe").error().what,
              "bad value \"maybe\": expected one of: none may encrypt");
}

TEST(Value, SplitList) {
    using Words = std::vector<std::string>;
    EXPECT_EQ(split_list(""), Words{});
    EXPECT_EQ(split_list(" a, b\n\tc ,,d"), (Words{"a", "b", "c", "d"}));
    EXPECT_EQ(split_list("a { b, c } d"), (Words{"a", "b, c", "d"}));
    EXPECT_EQ(split_list("check_x inline:{a=b, {c = d}} e"),
              (Words{"check_x", "inline:{a=b, {c = d}}", "e"}));
    EXPECT_EQ(split_list("{open, ended"), (Words{"{open, ended"}));
}

}  // namespace
}  // namespace postern::config
