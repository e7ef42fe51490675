#include "forwarder/transcript.h"

#include <gtest/gtest.h>

namespace postern::forwarder {
namespace {

TEST(Transcript, HasBothSides) {
    Transcript transcript;
    transcript.received("220 mx");
    transcript.received(".test ESMTP\r\n");
    transcript.sent("EHLO here.test\r\n");
    transcript.received("250-mx.test\r\n250 DSN\r\n");
    transcript.sent("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
    transcript.received("500 what\x01?\r\n");
    EXPECT_EQ(
        transcript.text(),
        " In:  220 mx.test ESMTP\r\n Out: EHLO here.test\r\n In:  250-mx.test\r\n"
        " In:  250 DSN\r\n Out: MAIL FROM:<a@b>\r\n Out: RCPT TO:<c@d>\r\n In:  500 what??\r\n");
}

TEST(Transcript, HasNoPasswords) {
    Transcript transcript;
    transcript.sent("AUTH PLAIN AGEAYg==\r\n");
    transcript.received("535 5.7.8 no\r\n");
    transcript.sent("AUTH LOGIN\r\n");
    transcript.received("334 VXNlcm5hbWU6\r\n");
    transcript.sent("c2VjcmV0\r\n");
    transcript.received("334 UGFzc3dvcmQ6\r\n");
    transcript.sent("c2VjcmV0\r\n");
    transcript.received("235 ok\r\n");
    transcript.sent("QUIT\r\n");
    const std::string text = transcript.text();
    EXPECT_EQ(text.find("AGEAYg"), std::string::npos) << text;
    EXPECT_EQ(text.find("c2Vj"), std::string::npos) << text;
    EXPECT_NE(text.find(" Out: AUTH PLAIN [not shown]\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find(" Out: AUTH LOGIN\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find(" Out: QUIT\r\n"), std::string::npos) << text;
}

TEST(Transcript, KeepsTheLatestPart) {
    Transcript transcript;
    for (int i = 0; i < 5000; ++i) transcript.sent("NOOP " + std::to_string(i) + "\r\n");
    transcript.received(std::string(100'000, 'x'));  // never a line
    const std::string text = transcript.text();
    EXPECT_LE(text.size(), 17U << 10);
    EXPECT_TRUE(text.starts_with(" (what came before is left out)\r\n Out: NOOP "));
    EXPECT_TRUE(text.ends_with("NOOP 4999\r\n"));
}

}  // namespace
}  // namespace postern::forwarder
