// Messages on their way from smtpd to cleanup.
#include "smtpd/smtpd_fixture.h"

namespace postern::smtpd {
namespace {

using testing::HasSubstr;

TEST_F(SmtpdTest, ALargeMessageMeetsAFullPipe) {
    options.engine.size_limit = 0;
    begin();
    cleanup->lazy = true;
    talk("HELO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    std::string line(98, 'x');
    line = "." + line + "\r\n";
    std::string body, plain;
    for (int i = 0; i < 30000; ++i) {
        body += "." + line;
        plain += line;
    }
    loop::Timer later(loop, [&] { cleanup->reader->want_read(true); });
    later.start(Millis(50));
    EXPECT_EQ(talk(body + ".\r\n", "\n"), "250 2.0.0 Ok: queued as 4cQ1zXy3lKz1\r\n");
    EXPECT_EQ(cleanup->messages.at(0), plain);
}

TEST_F(SmtpdTest, WhatIsTooBigIsReadAndRefused) {
    options.engine.size_limit = 1000;
    begin();
    talk("HELO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    std::string body;
    for (int i = 0; i < 3000; ++i) body += "0123456789\r\n";
    EXPECT_EQ(talk(body + ".\r\n", "\n"), "552 5.3.4 Error: message file too big\r\n");
    EXPECT_EQ(talk("RSET\r\n", "\n"), "250 2.0.0 Ok\r\n");
    EXPECT_TRUE(wait_for([&] { return cleanup->aborted == 1; }));
    EXPECT_TRUE(cleanup->messages.empty());
    EXPECT_THAT(logged(), HasSubstr("4cQ1zXy3lKz1: reject: END-OF-MESSAGE from"));
}

TEST_F(SmtpdTest, ManyRecipientsGoInSeveralPackets) {
    begin();
    std::string commands = "EHLO c\r\nMAIL FROM:<a@b.test>\r\n";
    for (int i = 0; i < 220; ++i) commands += "RCPT TO:<user" + std::to_string(i) + "@d.test>\r\n";
    talk(commands + "DATA\r\n", "<CR><LF>\r\n");
    talk("x\r\n.\r\n", "\n");
    EXPECT_EQ(cleanup->envelopes.at(0).recipients.size(), 220u);
    EXPECT_EQ(cleanup->envelopes.at(0).recipients.back().address, "user219@d.test");
}

// More packets than a channel holds: they wait for their turn, and the content for them.
TEST_F(SmtpdTest, VeryManyRecipients) {
    options.engine.recipient_limit = 30'000;
    options.engine.junk_command_limit = 1000;  // NOOP marks where a portion ends
    begin();
    talk("HELO c\r\nMAIL FROM:<a@b.test>\r\n", "2.1.0 Ok\r\n");
    for (int i = 0; i < 30'000; i += 100) {
        std::string commands;
        for (int k = i; k < i + 100; ++k)
            commands += "RCPT TO:<" + std::to_string(k) + "@d.test>\r\n";
        talk(commands + "NOOP\r\n", "2.0.0 Ok\r\n");
    }
    EXPECT_THAT(talk("DATA\r\n", "\n"), HasSubstr("354 "));
    EXPECT_THAT(talk("x\r\n.\r\n", "\n"), HasSubstr("250 2.0.0 Ok: queued as"));
    ASSERT_EQ(cleanup->envelopes.at(0).recipients.size(), 30'000u);
    EXPECT_EQ(cleanup->envelopes.at(0).recipients.back().address, "29999@d.test");
}

class KeptLinks : public SmtpdTest {
  protected:
    std::string message() {
        const auto got =
            talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
        return got + talk("text\r\n.\r\n", "\n");
    }
    void greet() {
        begin();
        talk("HELO c\r\n", "mail.test\r\n");
    }
};

TEST_F(KeptLinks, ServeOneMessageAfterTheOther) {
    greet();
    for (int i = 0; i < 5; ++i) EXPECT_THAT(message(), HasSubstr("250 2.0.0 Ok: queued")) << i;
    EXPECT_EQ(cleanup->conversations, 1U);
    EXPECT_EQ(policy->conversations, 1U);
    EXPECT_EQ(cleanup->messages, std::vector<std::string>(5, "text\r\n"));
}

TEST_F(KeptLinks, AreReplacedWhenCleanupHangsUpBetweenMessages) {
    greet();
    message();
    cleanup->hang_up();
    loop.run_for(Millis(5));  // seen before the next message
    EXPECT_THAT(message(), HasSubstr("250 2.0.0 Ok: queued"));
    EXPECT_EQ(cleanup->conversations, 2U);
    cleanup->hang_up();  // and in its way
    EXPECT_THAT(message(), HasSubstr("250 2.0.0 Ok: queued"));
    cleanup->hang_up_at_open = true;  // it has been sent, and not heard
    EXPECT_THAT(message(), HasSubstr("250 2.0.0 Ok: queued"));
    EXPECT_EQ(cleanup->conversations, 4U);
    EXPECT_EQ(cleanup->messages.size(), 4U);
}

TEST_F(KeptLinks, ANewOneThatFailsIsAFailure) {
    greet();
    cleanup->hang_up_at_open = true;
    EXPECT_THAT(talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "error\r\n"),
                HasSubstr("451 4.3.0 Error: queue file write error\r\n"));
}

TEST_F(KeptLinks, AMessageWhoseResultNeverComesIsNotSentAgain) {
    greet();
    message();
    cleanup->silent = true;
    talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    ASSERT_EQ(::send(client.get(), "text\r\n.\r\n", 9, 0), 9);
    ASSERT_TRUE(wait_for([&] { return cleanup->messages.size() == 2; }));
    cleanup->hang_up();
    EXPECT_THAT(talk("", "\n"), HasSubstr("451 4.3.0 Error: queue file write error\r\n"));
    EXPECT_EQ(cleanup->messages.size(), 2U);
}

TEST_F(KeptLinks, EndWhenTheProcessDrains) {
    greet();
    message();
    ASSERT_EQ(cleanup->closed, 0U);
    smtpd->drain();
    EXPECT_TRUE(wait_for([&] { return cleanup->closed == 1 && policy->closed == 1; }));
}

// Cleanup offers a queue id with each result.
class Offers : public KeptLinks {
  protected:
    void greet() {
        KeptLinks::greet();
        cleanup->offers = true;
        message();
    }
    std::string begin_message() {
        return talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    }
    const ipc::SubmitOpen& last() const { return cleanup->envelopes.back(); }
};

TEST_F(Offers, AShortMessageGoesInOnePacket) {
    greet();
    EXPECT_THAT(begin_message(), HasSubstr("354 "));
    EXPECT_EQ(cleanup->envelopes.size(), 1U) << "the client is asked before cleanup";
    EXPECT_THAT(logged(), HasSubstr("4cQ1zXy3lK11: client="));
    EXPECT_EQ(talk("text\r\n.\r\n", "\n"), "250 2.0.0 Ok: queued as 4cQ1zXy3lK11\r\n");
    EXPECT_TRUE(last().whole);
    EXPECT_EQ(last().recipients.size(), 1U);
    EXPECT_EQ(cleanup->messages.back(), "text\r\n");
    EXPECT_THAT(message(), HasSubstr("250 2.0.0 Ok: queued as 4cQ1zXy3lK12\r\n"));
    EXPECT_EQ(cleanup->conversations, 1U);
}

TEST_F(Offers, ALongOneThroughThePipe) {
    greet();
    begin_message();
    std::string body;
    while (body.size() < 200'000) body += "0123456789012345678901234567890123456789\r\n";
    EXPECT_EQ(talk(body + ".\r\n", "\n"), "250 2.0.0 Ok: queued as 4cQ1zXy3lK11\r\n");
    EXPECT_FALSE(last().whole);
    EXPECT_EQ(last().queue_id.str(), "4cQ1zXy3lK11");
    EXPECT_EQ(cleanup->messages.back(), body);
    EXPECT_THAT(message(), HasSubstr("250 2.0.0 Ok: queued as 4cQ1zXy3lK12\r\n"));
    EXPECT_TRUE(last().whole);
}

TEST_F(Offers, OfManyRecipientsTheEnvelopeGoesFirst) {
    greet();
    std::string commands = "MAIL FROM:<a@b.test>\r\n";
    for (int i = 0; i < 60; ++i) commands += "RCPT TO:<" + std::to_string(i) + "@d.test>\r\n";
    talk(commands + "DATA\r\n", "<CR><LF>\r\n");
    EXPECT_THAT(talk("text\r\n.\r\n", "\n"), HasSubstr("250 2.0.0 Ok: queued as"));
    EXPECT_FALSE(last().whole);
    EXPECT_TRUE(last().queue_id.empty());
    EXPECT_EQ(last().recipients.size(), 60U);
}

TEST_F(Offers, LongAddressesGoAhead) {
    greet();
    std::string commands = "MAIL FROM:<a@b.test>\r\n";
    for (int i = 0; i < 20; ++i)
        commands += "RCPT TO:<" + std::to_string(i) + std::string(200, 'x') + "@d.test>\r\n";
    talk(commands + "DATA\r\n", "<CR><LF>\r\n");
    EXPECT_THAT(talk("text\r\n.\r\n", "\n"), HasSubstr("250 2.0.0 Ok: queued as"));
    EXPECT_FALSE(last().whole);
    EXPECT_EQ(last().recipients.size(), 20U);
}

TEST_F(Offers, WhatIsSaidToBeLargeIsNotGathered) {
    greet();
    talk("EHLO c\r\n", "\n");
    talk("MAIL FROM:<a@b.test> SIZE=17000\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    EXPECT_THAT(talk("text\r\n.\r\n", "\n"), HasSubstr("250 2.0.0 Ok: queued as"));
    EXPECT_FALSE(last().whole);
}

// More than fits beside the content: it comes behind, with the end.
TEST_F(Offers, ManyLateActions) {
    options.engine.ask_end_of_data = true;
    greet();
    for (int i = 0; i < 12; ++i)
        policy->actions[ipc::PolicyStage::end_of_data].push_back(
            {ipc::MailActionKind::prepend, "X-A: " + std::to_string(i) + std::string(900, 'x'),
             std::string(900, 'y')});
    EXPECT_THAT(message(), HasSubstr("250 2.0.0 Ok: queued as 4cQ1zXy3lK11"));
    EXPECT_FALSE(last().whole);
    EXPECT_EQ(cleanup->late_actions.size(), 12U);
    EXPECT_EQ(cleanup->messages.back(), "text\r\n");
}

TEST(CleanupLink, AnOfferServesOnceAndForASecond) {
    const auto id = QueueId::parse("4cQ1zXy3lK11").value();
    const SteadyTime now{Micros{1'000'000'000}};
    CleanupLink link;
    EXPECT_TRUE(link.take_offer(now).empty());
    link.keep_offer(id, now);
    EXPECT_EQ(link.take_offer(now + Millis{999}), id);
    EXPECT_TRUE(link.take_offer(now + Millis{999}).empty());
    link.keep_offer(id, now);
    EXPECT_TRUE(link.take_offer(now + Millis{1000}).empty());
}

// The end of the link is there to be seen, and the message is sent before it is.
TEST_F(Offers, HungUpOnAsTheEndOfAMessageComes) {
    greet();
    CleanupLinks links(loop, folder.path() + "/cleanup");
    const auto send = [&](bool hung_up) {
        std::string told;
        Submission::Handler handler;
        handler.on_opened = [&](const QueueId&) { told += "opened "; };
        handler.on_result = [&](const ipc::SubmitResult&) { told += "result"; };
        handler.on_failed = [&](const Error& error) { told += error.what; };
        Submission one(links, std::move(handler));
        ipc::SubmitOpen envelope;
        envelope.sender = "a@b.test";
        envelope.recipients = last().recipients;
        one.open(envelope);
        EXPECT_TRUE(wait_for([&] { return told == "opened "; })) << told;
        if (hung_up) cleanup->hang_up();
        EXPECT_EQ(one.write("text\r\n"), 6U);
        one.commit({});
        EXPECT_TRUE(wait_for([&] { return told.size() > 7; }));
        return told;
    };
    EXPECT_EQ(send(false), "opened result") << "which offers an id for the next one";
    EXPECT_EQ(send(true), "opened result");
    EXPECT_TRUE(last().whole);
}

TEST_F(Offers, WhatAClientGivesUpHalfwayIsNoMessage) {
    greet();
    begin_message();
    ASSERT_EQ(::send(client.get(), "half", 4, 0), 4);
    loop.run_for(Millis(5));
    client.reset();
    EXPECT_TRUE(wait_for([&] { return cleanup->closed == 1; }));
    EXPECT_EQ(cleanup->envelopes.size(), 1U);
}

TEST_F(Offers, WhoHangsUpMeanwhileHasNotHeardOfTheMessage) {
    greet();
    begin_message();
    cleanup->hang_up();
    loop.run_for(Millis(5));
    EXPECT_THAT(talk("text\r\n.\r\n", "\n"), HasSubstr("250 2.0.0 Ok: queued as 4cQ1zXy3lKz1"));
    EXPECT_TRUE(last().whole);
    EXPECT_TRUE(last().queue_id.empty()) << "nobody there has offered it";
    EXPECT_EQ(cleanup->conversations, 2U);
    EXPECT_THAT(logged(), HasSubstr("4cQ1zXy3lKz1: client=")) << "and the log knows whose it is";
}

TEST_F(Offers, ALongMessageGoesElsewhere) {
    greet();
    begin_message();
    cleanup->hang_up();
    const std::string body(40'000, 'x');
    EXPECT_THAT(talk(body + "\r\n.\r\n", "\n"), HasSubstr("250 2.0.0 Ok: queued as 4cQ1zXy3lKz1"));
    EXPECT_EQ(cleanup->messages.back(), body + "\r\n");
}

// The packet was sent, and the other side closed without reading it: the kernel says so.
TEST_F(Offers, WhatWasNotReadIsSentAgain) {
    greet();
    begin_message();
    cleanup->turn_deaf();
    ASSERT_EQ(::send(client.get(), "text\r\n.\r\n", 9, 0), 9);
    loop.run_for(Millis(20));
    EXPECT_EQ(cleanup->messages.size(), 1U);
    cleanup->hang_up();
    EXPECT_THAT(talk("", "\n"), HasSubstr("250 2.0.0 Ok: queued as"));
    EXPECT_EQ(cleanup->messages.size(), 2U);
}

TEST_F(Offers, WhatWasReadIsNot) {
    greet();
    begin_message();
    cleanup->silent = true;
    ASSERT_EQ(::send(client.get(), "text\r\n.\r\n", 9, 0), 9);
    ASSERT_TRUE(wait_for([&] { return cleanup->messages.size() == 2; }));
    cleanup->hang_up();
    EXPECT_THAT(talk("", "\n"), HasSubstr("451 4.3.0 Error: queue file write error\r\n"));
    EXPECT_EQ(cleanup->messages.size(), 2U);
}

}  // namespace
}  // namespace postern::smtpd
