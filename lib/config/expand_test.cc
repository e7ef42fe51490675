#include "lib/config/expand.h"

namespace postern::config {
namespace {

class Map final : public Names {
  public:
    std::optional<std::string> raw(std::string_view name) const override {
        auto at = values.find(name);
        if (at == values.end()) return std::nullopt;
        return at->second;
    }
    std::map<std::string, std::string, std::less<>> values = {
        {"a", "A"},        {"empty", ""},       {"two", "$a$a"},
        {"level", "3.6"},  {"loop", "x $pool"}, {"pool", "$loop"},
        {"self", "$self"}, {"long_name", "L"},  {"stress", ""},
    };
};

TEST(Expand, Table) {
    struct Case {
        const char* text;
        const char* expected;
    };
    const Case cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"$a", "A"},
        {"x$a.y", "xA.y"},
        {"$(a)${a}$a", "AAA"},
        {"${ a }", "A"},
        {"$two", "AA"},
        {"$unknown.", "."},
        {"$$a costs $$5", "$a costs $5"},
        {"${a?yes}", "yes"},
        {"${empty?yes}", ""},
        {"${unknown?yes}", ""},
        {"${a:no}", ""},
        {"${empty:no}", "no"},
        {"${unknown:$a}", "A"},
        {"${a?{yes}:{no}}", "yes"},
        {"${empty?{yes}:{no}}", "no"},
        {"${empty ? {yes} : {no}}", "no"},
        {"${empty?{yes}:no}", "no"},
        {"${stress?{10}:{300}}s", "300s"},
        {"${a?$two}", "AA"},
        {"${a?a:b}", "a:b"},
        {"${a?{${empty?{x}:{y}}}:{z}}", "y"},
        {"${{$a} == {A} ? {same} : {other}}", "same"},
        {"${{$a} != {A} ? {same} : {other}}", "other"},
        {"${{10} < {9} ? {text order} : {number order}}", "number order"},
        {"${{a} < {b}?{1}:{2}}", "1"},
        {"${{$level} <level {2} ? {old} : {new}}", "new"},
        {"${{3.10} <level {3.9} ? {old} : {new}}", "new"},
        {"${{3} >=level {3.0} ? {yes} : {no}}", "yes"},
        {"${{$level} <level {1} ? {} : {permit_mynetworks, defer}}", "permit_mynetworks, defer"},
        {"${{x} == {y} : {z}}", "z"},
        {"$long_name", "L"},
    };
    for (const Case& c : cases) {
        auto got = expand(c.text, Map());
        ASSERT_TRUE(got.has_value()) << c.text << ": " << got.error().what;
        EXPECT_EQ(*got, c.expected) << c.text;
    }
}

TEST(Expand, Errors) {
    struct Case {
        const char* text;
        const char* part;  // of the message
    };
    const Case cases[] = {
        {"$", "nothing after $"},
        {"5$ off", "no name after $"},
        {"${a", "missing }"},
        {"$(a", "missing )"},
        {"${}", "no name"},
        {"${a!}", "expected }"},
        {"${a?{x}y}", "expected :"},
        {"${a?{x}:{y}z}", "after the last }"},
        {"${{a} = {b}?x}", "expected one of =="},
        {"${{a} ==}", "expected {a} == {b}"},
        {"$self", "refers to itself: $self -> $self"},
        {"$loop", "refers to itself: $loop -> $pool -> $loop"},
    };
    for (const Case& c : cases) {
        auto got = expand(c.text, Map());
        ASSERT_FALSE(got.has_value()) << c.text;
        EXPECT_THAT(got.error().what, testing::HasSubstr(c.part)) << c.text;
    }
}

TEST(Expand, ValuesAsTheyAre) {
    EXPECT_EQ(*expand("$two", Map(), Recursion::none), "$a$a");
    EXPECT_EQ(*expand("$self", Map(), Recursion::none), "$self");
}

TEST(Expand, IsBounded) {
    Map names;
    // Each name doubles the next one: 2^60 steps if nobody counted.
    for (int i = 0; i < 60; i++) {
        std::string next = "$n" + std::to_string(i + 1);
        names.values["n" + std::to_string(i)] = next + next;
    }
    EXPECT_FALSE(expand("$n0", names).has_value());
    std::string deep(1000, ' ');
    deep.clear();
    for (int i = 0; i < 1000; i++) deep = "${a?{" + deep + "}}";
    EXPECT_FALSE(expand(deep, names).has_value());
}

}  // namespace
}  // namespace postern::config
