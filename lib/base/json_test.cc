#include "lib/base/json.h"

namespace postern {
namespace {

TEST(Json, Values) {
    const auto json = Json::parse(
        " {\"a\" : [1, -2.5e3, true, false, null], \"b\": {\"c\": "
        "\"x\\ty\\u00e9\\ud83d\\ude00/\\/\"},"
        "\"\": \"\", \"big\": 1e300} \n");
    ASSERT_TRUE(json) << json.error().what;
    const auto& a = *json->find("a");
    ASSERT_EQ(a.elements().size(), 5U);
    EXPECT_EQ(a.elements()[0].integer(), 1);
    EXPECT_EQ(a.elements()[1].integer(), -2500);
    EXPECT_EQ(a.elements()[2].boolean(), true);
    EXPECT_EQ(a.elements()[3].boolean(), false);
    EXPECT_EQ(a.elements()[4].kind(), Json::Kind::null);
    EXPECT_EQ(json->find("b")->find("c")->string(), "x\ty\u00e9\U0001F600//");
    EXPECT_EQ(json->find("")->string(), "");
    EXPECT_FALSE(json->find("big")->integer());
    EXPECT_FALSE(json->find("none"));
    EXPECT_FALSE(json->find("a")->string() || json->find("a")->boolean() || a.integer());
    EXPECT_EQ(Json::parse("0")->integer(), 0);
    EXPECT_EQ(Json::parse("\"\\u20ac\"")->string(), "\u20ac");
    EXPECT_TRUE(Json::parse("[]")->elements().empty());
    EXPECT_TRUE(Json::parse("{}")->is_object());
}

TEST(Json, WhatIsNone) {
    const std::string bad[] = {"",
                               " ",
                               "x",
                               "nul",
                               "{",
                               "[",
                               "\"",
                               "{\"a\"}",
                               "{\"a\":}",
                               "{a:1}",
                               "{\"a\":1,}",
                               "[1,]",
                               "[1 2]",
                               "01",
                               "-",
                               "1.",
                               ".5",
                               "1e",
                               "1e+",
                               "+1",
                               "\"\n\"",
                               "\"\\x\"",
                               "\"\\u12\"",
                               "\"\\u12g4\"",
                               "\"\\ud800\"",
                               "\"\\udc00\"",
                               "\"\\ud800\\u0041\"",
                               "1 2",
                               "{\"a\":1,\"a\":2}",
                               "\xff",
                               "\"\xc0\xaf\"",
                               "[1}",
                               "true false",
                               "NaN",
                               "// x\n1",
                               std::string(100, '['),
                               "\"" + std::string(Json::kMaxText, 'x') + "\""};
    for (const auto& text : bad) EXPECT_FALSE(Json::parse(text)) << text.substr(0, 50);
    EXPECT_EQ(Json::parse("{\"a\": tru}").error().what, "JSON: no value at byte 6");
    EXPECT_TRUE(Json::parse(std::string(32, '[') + std::string(32, ']')));
    std::string many = "{";
    for (std::size_t i = 0; i <= Json::kMaxMembers; ++i)
        many += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
    EXPECT_EQ(Json::parse(many + "}").error().what.substr(0, 20), "JSON: too many names");
}

TEST(Json, Quotes) {
    EXPECT_EQ(json_quote("a\"b\\c\nd\u00e9"), "\"a\\\"b\\\\c\\u000ad\u00e9\"");
    EXPECT_EQ(Json::parse(json_quote("\"\\\x01\x1f"))->string(), "\"\\\x01\x1f");
}

}  // namespace
}  // namespace postern
