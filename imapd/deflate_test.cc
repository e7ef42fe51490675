// COMPRESS=DEFLATE (RFC 4978): the streams, and a session behind them.
#include "imapd/deflate.h"

#include "imapd/test_client.h"

namespace postern::imapd {
namespace {

TEST(Deflate, RoundTrips) {
    auto out = *Deflater::make();
    auto in = *Inflater::make();
    std::string large;
    for (int i = 0; i < 100000; ++i) large += static_cast<char>(i * 7919 >> 5);
    for (const std::string& text : {std::string("a001 NOOP\r\n"), large, std::string("x"), large}) {
        const auto bytes = out.compress(text);
        ASSERT_TRUE(bytes);
        std::string back;
        for (std::size_t at = 0; at < bytes->size(); at += 100)  // in pieces
            back += *in.expand(std::string_view(*bytes).substr(at, 100));
        EXPECT_EQ(back, text);
    }
}

TEST(Deflate, RefusesWhatIsNone) {
    auto in = *Inflater::make();
    EXPECT_EQ(in.expand("\xff\xff\xff\xff").error().code, Errc::invalid);
    auto ended = *Inflater::make();
    EXPECT_EQ(ended.expand(std::string_view("\x03\x00", 2)).error().code, Errc::invalid);
    auto nothing = *Inflater::make();
    EXPECT_EQ(*nothing.expand(""), "");
}

class DeflateTest : public SessionTest {
  protected:
    std::string ask(Client& c, const std::string& command, const std::string& end) {
        c.send(*out_.compress(command));
        std::string answer;
        while (answer.find(end) == std::string::npos) {
            const std::string bytes = c.some();
            if (bytes.empty()) break;
            answer += *in_.expand(bytes);
        }
        return answer;
    }

    Deflater out_ = *Deflater::make();
    Inflater in_ = *Inflater::make();
};

TEST_F(DeflateTest, ASessionGoesOnBehindIt) {
    Client c(maildir);
    EXPECT_THAT(c("COMPRESS FOO"), StartsWith("t NO"));
    EXPECT_THAT(c("COMPRESS"), StartsWith("t BAD"));
    EXPECT_THAT(c("COMPRESS DEFLATE"), StartsWith("t OK"));
    EXPECT_THAT(ask(c, "a NOOP\r\nb SELECT INBOX\r\n", "b OK"), HasSubstr("a OK"));
    const std::string text = "A: b\r\n\r\n" + std::string(200000, 'x') + "\r\n";
    EXPECT_THAT(
        ask(c, "c APPEND INBOX {" + std::to_string(text.size()) + "+}\r\n" + text + "\r\n", "c OK"),
        HasSubstr("[APPENDUID"));
    EXPECT_THAT(ask(c, "d FETCH 1 BODY.PEEK[]\r\n", "d OK"), HasSubstr(text));
    EXPECT_THAT(ask(c, "e COMPRESS DEFLATE\r\n", "e NO"), HasSubstr("[COMPRESSIONACTIVE]"));
    EXPECT_THAT(ask(c, "f IDLE\r\n", "+ idling"), HasSubstr("+ idling"));
    EXPECT_THAT(ask(c, "DONE\r\n", "f OK"), HasSubstr("f OK"));
}

// Thunderbird may not look at what came with "+ idling" until something else comes.
TEST_F(DeflateTest, NewsAtTheBeginningOfIdleAreFollowedBySomethingSoon) {
    Client c(maildir);
    c("SELECT INBOX");
    c("COMPRESS DEFLATE");
    ask(c, "a IDLE\r\n", "+ idling");
    EXPECT_THAT(ask(c, "DONE\r\nb NOOP\r\n", "b OK"), Not(HasSubstr("Still here")));
    Client(maildir).append("INBOX", kPlain);
    EXPECT_THAT(ask(c, "c IDLE\r\n", "Still here"),
                HasSubstr("+ idling\r\n* 1 EXISTS\r\n* 1 RECENT\r\n* OK Still here"));
}

TEST_F(DeflateTest, WhatExpandsWithoutEndIsATooLongLine) {
    Client c(maildir);
    c("COMPRESS DEFLATE");
    EXPECT_THAT(ask(c, "a " + std::string(50000000, 'x') + "\r\nb NOOP\r\n", "b OK"),
                HasSubstr("Too long command line"));
    c.send("\xff\xff\xff\xff");
    EXPECT_THAT(c.finish(), HasSubstr("no deflate stream"));
}

TEST_F(DeflateTest, WhatWasSentTooEarlyIsPartOfTheStream) {
    Client c(maildir);
    c.send("a COMPRESS DEFLATE\r\n" + *out_.compress("b NOOP\r\n"));
    EXPECT_THAT(c.line(), StartsWith("a OK"));
    EXPECT_THAT(ask(c, "c NOOP\r\n", "c OK"), HasSubstr("b OK"));
}

}  // namespace
}  // namespace postern::imapd
