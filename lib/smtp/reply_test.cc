#include "lib/smtp/reply.h"

#include "lib/base/strings.h"

namespace postern::smtp {
namespace {

std::vector<Reply> parse_all(std::string_view bytes) {
    ReplyParser parser;
    std::vector<Reply> replies;
    while (!bytes.empty()) {
        auto outcome = parser.feed(bytes);
        if (auto* reply = std::get_if<Reply>(&outcome)) replies.push_back(*reply);
        if (std::holds_alternative<Error>(outcome)) break;
    }
    return replies;
}

TEST(ReplyTest, CodesStatusesAndTexts) {
    struct Case {
        std::string name, bytes;
        int code;
        std::string status;
        bool has_status;
        std::string text;
    };
    const Case cases[] = {
        {"plain", "250 2.0.0 Ok\r\n", 250, "2.0.0", true, "250 2.0.0 Ok"},
        {"no status", "250 Ok\r\n", 250, "2.0.0", false, "250 Ok"},
        {"bare code", "220\r\n", 220, "2.0.0", false, "220"},
        {"LF only", "550 5.1.1 no\n", 550, "5.1.1", true, "550 5.1.1 no"},
        {"long status", "554 5.7.999 x\r\n", 554, "5.7.999", true, "554 5.7.999 x"},
        {"too long status", "554 5.7.9999 x\r\n", 554, "5.0.0", false, "554 5.7.9999 x"},
        {"status of another class", "450 5.1.1 hm\r\n", 450, "4.0.0", false, "450 5.1.1 hm"},
        {"no status with 354", "354 3.0.0 go\r\n", 354, "3.0.0", false, "354 3.0.0 go"},
        {"several lines", "550-5.1.1 a\r\n550-5.1.1 b\r\n550 5.1.2 c\r\n", 550, "5.1.2", true,
         "550-5.1.1 a 550-5.1.1 b 550 5.1.2 c"},
        {"empty continuation", "250-\r\n250 ok\r\n", 250, "2.0.0", false, "250- 250 ok"},
        {"control characters", "250 a\tb\x01\r\n", 250, "2.0.0", false, "250 a?b?"},
        {"two CR", "250 ok\r\r\n", 250, "2.0.0", false, "250 ok"},
    };
    for (const Case& c : cases) {
        auto replies = parse_all(c.bytes);
        ASSERT_EQ(replies.size(), 1u) << c.name;
        EXPECT_EQ(replies[0].code, c.code) << c.name;
        EXPECT_EQ(replies[0].status, c.status) << c.name;
        EXPECT_EQ(replies[0].has_status, c.has_status) << c.name;
        EXPECT_EQ(replies[0].text(), c.text) << c.name;
    }
}

TEST(ReplyTest, GarbageIsAnError) {
    for (std::string_view bytes : {"\r\n", "25\r\n", "abc def\r\n", "150 no\r\n", "650 no\r\n",
                                   "2500\r\n", "250_x\r\n", "250-fine\r\ngarbage\r\n"}) {
        ReplyParser parser;
        std::string_view rest = bytes;
        EXPECT_TRUE(std::holds_alternative<Error>(parser.feed(rest))) << bytes;
    }
}

TEST(ReplyTest, ArrivesByteByByte) {
    ReplyParser parser;
    std::string bytes = "250-first\r\n250 second\r\n";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string_view one = std::string_view(bytes).substr(i, 1);
        auto outcome = parser.feed(one);
        EXPECT_EQ(std::holds_alternative<Reply>(outcome), i + 1 == bytes.size());
        EXPECT_EQ(parser.in_reply(), i + 1 != bytes.size());
    }
}

TEST(ReplyTest, SeveralRepliesAtOnce) {
    auto replies = parse_all("250 a\r\n250 b\r\n354 c\r\n");
    ASSERT_EQ(replies.size(), 3u);
    EXPECT_TRUE(replies[2].intermediate());
}

TEST(ReplyTest, LongLineIsCut) {
    auto replies = parse_all("250 " + std::string(100000, 'x') + "\r\n250 next\r\n");
    ASSERT_EQ(replies.size(), 2u);
    EXPECT_EQ(replies[0].lines[0].size(), kMaxReplyLine);
    EXPECT_EQ(replies[1].text(), "250 next");
}

TEST(ReplyTest, ManyLinesAreBounded) {
    std::string lines;
    for (std::size_t i = 0; i + 1 < kMaxReplyLines; ++i)
        lines += "250-" + std::string(1000, 'x') + "\r\n";
    auto replies = parse_all(lines + "250 end\r\n");
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_LE(replies[0].text().size(), kMaxReplyText + kMaxReplyLines);
    EXPECT_TRUE(parse_all(lines + "250-one more\r\n250 end\r\n").empty());
}

}  // namespace
}  // namespace postern::smtp
