// Milters as smtpd sees them: at each step of the client cleanup is asked, over one connection.
#include "smtpd/smtpd_fixture.h"

namespace postern::smtpd {
namespace {

struct MilterTest : SmtpdTest {
    MilterTest() { options.milters = options.engine.ask_early = true; }
};

TEST_F(MilterTest, EachStepIsTold) {
    begin();
    talk("EHLO me\r\n", "8BITMIME\r\n");
    talk("MAIL FROM:<a@b.test> SIZE=10\r\n", "\r\n");
    EXPECT_EQ(policy->questions.size(), 0U) << "smtpd_delay_reject";
    talk("RCPT TO:<nosuch@example.test>\r\n", "\r\n");
    talk("RCPT TO:<c@example.test>\r\n", "\r\n");
    EXPECT_THAT(talk("DATA\r\n", "\r\n"), testing::StartsWith("354 "));
    EXPECT_THAT(talk("hi\r\n.\r\n", "\r\n"), testing::StartsWith("250 2.0.0 Ok: queued"));
    ASSERT_EQ(cleanup->events.size(), 4U) << "who was refused before is not told";
    EXPECT_EQ(cleanup->events[0].stage, ipc::MilterStage::connect);
    EXPECT_EQ(cleanup->events[0].service, "smtp");
    EXPECT_EQ(cleanup->events[1].helo, "me");
    EXPECT_EQ(cleanup->events[2].address, "a@b.test");
    EXPECT_THAT(cleanup->events[2].parameters, testing::ElementsAre("SIZE=10"));
    EXPECT_EQ(cleanup->events[3].address, "c@example.test");
    EXPECT_TRUE(cleanup->envelopes.at(0).has_milters);
    talk("MAIL FROM:<>\r\n", "\r\n");
    EXPECT_EQ(cleanup->conversations, 1U) << "the message and the session share a connection";
}

TEST_F(MilterTest, Refusals) {
    begin();
    cleanup->milter_refuses = ipc::MilterStage::rcpt;
    talk("EHLO me\r\nMAIL FROM:<a@b.test>\r\n", "2.1.0 Ok\r\n");
    EXPECT_EQ(talk("RCPT TO:<c@example.test>\r\n", "\r\n"), "550 5.7.1 Command rejected\r\n");
    EXPECT_THAT(logged(),
                testing::HasSubstr(
                    "NOQUEUE: milter-reject: RCPT from unknown[127.0.0.1]: 550 5.7.1 Command "
                    "rejected; from=<a@b.test> to=<c@example.test> proto=ESMTP helo=<me>"));
    EXPECT_EQ(policy->questions.size(), 1U);
}

TEST_F(MilterTest, ARefusedClientHearsNoReason) {
    options.engine.hostname = "mail.test";
    policy = std::make_unique<FakePolicy>(loop, options.policy_path);
    auth = std::make_unique<FakeAuth>(loop, options.auth_path);
    cleanup = std::make_unique<FakeCleanup>(loop, options.cleanup_path);
    cleanup->milter_refuses = ipc::MilterStage::connect;
    smtpd = std::make_unique<SmtpdService>(loop, std::move(options), [this] { ++ended; });
    connect();
    EXPECT_EQ(talk("", "\r\n"), "554 mail.test ESMTP not accepting connections\r\n");
    EXPECT_THAT(talk("MAIL FROM:<a@b.test>\r\n", "\r\n"), testing::StartsWith("503 "));
}

TEST_F(MilterTest, WithoutCleanupNothingPasses) {
    begin();
    talk("EHLO me\r\n", "8BITMIME\r\n");
    cleanup.reset();
    EXPECT_EQ(talk("MAIL FROM:<a@b.test>\r\n", "\r\n"), "451 4.3.0 Error: mail filter failure\r\n");
    EXPECT_THAT(logged(), testing::HasSubstr("warning milters: "));
}

}  // namespace
}  // namespace postern::smtpd
