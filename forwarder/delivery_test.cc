// Whole deliveries on a loop: a request over a socket pair, scripted SMTP servers on loopback
// ports, a fake name space.
#include "forwarder/delivery_fixture.h"

namespace postern::forwarder {
namespace {

TEST_F(DeliveryTest, Delivers) {
    FakeServer server(loop_, {});
    set_content("Subject: x\r\n\r\n.dot\r\nend\r\n");
    auto report = deliver(request(server.hop(), {"a@y.test", "b@y.test"}));
    ASSERT_EQ(report.recipients.size(), 2u);
    EXPECT_EQ(report.recipients[0].outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients[1].index, 11u);
    EXPECT_EQ(report.recipients[0].text, "250 2.0.0 Ok: queued");
    EXPECT_EQ(server.content, "Subject: x\r\n\r\n..dot\r\nend\r\n");
    EXPECT_THAT(server.lines,
                testing::ElementsAre("EHLO me.test", "MAIL FROM:<s@x.test>", "RCPT TO:<a@y.test>",
                                     "RCPT TO:<b@y.test>", "DATA"));
    std::string port = std::to_string(server.port());
    EXPECT_THAT(log_, testing::HasSubstr("4Xabcdefgh: to=<a@y.test>, relay=127.0.0.1[127.0.0.1]:" +
                                         port + ", delay="));
    EXPECT_THAT(log_, testing::HasSubstr("dsn=2.0.0, status=sent (250 2.0.0 Ok: queued)"));
}

// RFC 3461 5.2.1: each option as the client gave it, to hosts that know them; nothing to others.
TEST_F(DeliveryTest, PassesOnWhatTheSenderWantsToHear) {
    const struct {
        std::uint8_t notify;
        std::string original, orcpt, envid;
        ipc::DsnReturn ret;
        std::string mail, rcpt;
    } cases[] = {
        {0, "", "", "", ipc::DsnReturn::unset, "", " ORCPT=rfc822;a@y.test"},
        {0, "al+ias@x.test", "", "", ipc::DsnReturn::unset, "", " ORCPT=rfc822;al+2Bias@x.test"},
        {1, "", "rfc822;o@x.test", "QQ+2B1", ipc::DsnReturn::full, " RET=FULL ENVID=QQ+2B1",
         " NOTIFY=NEVER ORCPT=rfc822;o@x.test"},
        {2, "", "x400;+2Fo", "", ipc::DsnReturn::headers, " RET=HDRS",
         " NOTIFY=SUCCESS ORCPT=x400;+2Fo"},
        {14, "", "rfc822;o@x.test", "no xtext", ipc::DsnReturn::unset, "",
         " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;o@x.test"},
        {0, std::string(600, 'x') + "@x.test", "", "", ipc::DsnReturn::unset, "", ""},
    };
    set_content("x\r\n");
    for (const bool dsn : {true, false}) {
        FakeServer server(loop_, {{"EHLO", dsn ? "250-fake\r\n250 DSN\r\n" : "250 fake\r\n"}});
        for (const auto& c : cases) {
            auto to = request(server.hop(), {"a@y.test"});
            to.envid = c.envid;
            to.ret = c.ret;
            to.recipients[0].notify = c.notify;
            to.recipients[0].original = c.original;
            to.recipients[0].orcpt = c.orcpt;
            server.lines.clear();
            const auto report = deliver(to);
            EXPECT_THAT(server.lines,
                        testing::IsSupersetOf({"MAIL FROM:<s@x.test>" + (dsn ? c.mail : ""),
                                               "RCPT TO:<a@y.test>" + (dsn ? c.rcpt : "")}));
            EXPECT_EQ(report.recipients.at(0).passed_on, dsn);
            EXPECT_EQ(report.recipients.at(0).action, ipc::DsnAction::relayed);
        }
    }
}

TEST_F(DeliveryTest, ReusesConnections) {
    FakeServer server(loop_, {});
    set_content("x\r\n");
    for (int i = 0; i < 5; ++i) {
        auto report = deliver(request(server.hop(), {"a@y.test"}));
        EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    }
    EXPECT_EQ(server.connections, 1);
    EXPECT_EQ(server.messages, 5);
    EXPECT_EQ(pool_->idle_count(), 1u);
    pool_->drain();
    EXPECT_TRUE(eventually([&] { return pool_->size() == 0; }));
    EXPECT_TRUE(eventually([&] { return server.lines.back() == "QUIT"; }));
}

TEST_F(DeliveryTest, IdleConnectionsAreEnded) {
    options_.cache_time = Millis{20};
    FakeServer server(loop_, {});
    set_content("x\r\n");
    deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_TRUE(eventually([&] { return pool_->size() == 0; }));
    deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(server.connections, 2);
}

TEST_F(DeliveryTest, ReuseIsLimited) {
    options_.reuse_count = 2;
    FakeServer server(loop_, {});
    set_content("x\r\n");
    for (int i = 0; i < 4; ++i) deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(server.connections, 2);
}

TEST_F(DeliveryTest, ServerClosedTheKeptConnection) {
    // It closes when the second MAIL comes: the message goes over a new connection, nothing is
    // logged.
    FakeServer server(loop_, {{"MAIL", "250 ok\r\n", 1}, {"MAIL", "CLOSE", 1}});
    set_content("x\r\n");
    deliver(request(server.hop(), {"a@y.test"}));
    auto report = deliver(request(server.hop(), {"b@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(server.connections, 2);
    EXPECT_EQ(log_.find("lost connection"), std::string::npos);
}

TEST_F(DeliveryTest, ServerClosesAfterTheMessage) {
    FakeServer server(loop_, {{".", "CLOSE AFTER 250"}});
    set_content("x\r\n");
    for (int i = 0; i < 2; ++i) {
        auto report = deliver(request(server.hop(), {"a@y.test"}));
        EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    }
    EXPECT_EQ(server.messages, 2);
}

TEST_F(DeliveryTest, RecipientsApart) {
    FakeServer server(loop_,
                      {{"RCPT TO:<b", "450 4.2.1 later\r\n"}, {"RCPT TO:<c", "550 5.1.1 no\r\n"}});
    set_content("x\r\n");
    auto report = deliver(request(server.hop(), {"a@y.test", "b@y.test", "c@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients.at(1).outcome, ipc::Outcome::defer);
    EXPECT_EQ(report.recipients.at(1).status, "4.2.1");
    EXPECT_FALSE(report.recipients.at(1).site_down);
    EXPECT_EQ(report.recipients.at(2).outcome, ipc::Outcome::reject);
    EXPECT_THAT(log_,
                testing::HasSubstr("dsn=5.1.1, status=bounced (host 127.0.0.1[127.0.0.1] said: 550 "
                                   "5.1.1 no (in reply to RCPT TO command))"));
    EXPECT_THAT(
        log_, testing::HasSubstr("dsn=4.2.1, status=deferred (host 127.0.0.1[127.0.0.1] said: 450 "
                                 "4.2.1 later (in reply to RCPT TO command))"));
}

TEST_F(DeliveryTest, FallsBackToTheNextHost) {
    FakeServer second(loop_, {});
    FakeServer first(loop_, {{"RCPT TO:<a", "450 4.2.1 greylisted\r\n"}});
    set_content("x\r\n");
    auto report = deliver(request(first.hop() + "," + second.hop(), {"a@y.test", "b@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients.at(1).outcome, ipc::Outcome::accept);
    EXPECT_EQ(first.messages, 1);
    EXPECT_EQ(second.messages, 1);
    EXPECT_THAT(second.lines, testing::Not(testing::Contains("RCPT TO:<b@y.test>")));
    EXPECT_THAT(log_, testing::HasSubstr(
                          "4Xabcdefgh: host 127.0.0.1[127.0.0.1] said: 450 4.2.1 greylisted"));
}

TEST_F(DeliveryTest, GreetingRefusedAndHostsExhausted) {
    FakeServer first(loop_, {{"", "554 5.7.1 no\r\n"}});
    FakeServer second(loop_, {{"", "421 4.3.2 busy\r\n"}});
    set_content("x\r\n");
    auto report = deliver(request(first.hop() + "," + second.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_EQ(report.recipients.at(0).text,
              "host 127.0.0.1[127.0.0.1] refused to talk to me: 421 4.3.2 busy");
    EXPECT_TRUE(report.recipients.at(0).site_down);
}

TEST_F(DeliveryTest, ConnectionRefused) {
    std::uint16_t port = 0;
    {
        FakeServer gone(loop_, {});
        port = gone.port();
    }
    set_content("x\r\n");
    std::string at = "127.0.0.1[127.0.0.1]:" + std::to_string(port);
    auto report = deliver(request("[127.0.0.1]:" + std::to_string(port), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).text, "connect to " + at + ": Connection refused");
    EXPECT_EQ(report.recipients.at(0).status, "4.4.1");
    EXPECT_TRUE(report.recipients.at(0).site_down);
    EXPECT_THAT(log_, testing::HasSubstr("connect to " + at + ": Connection refused\n"));
    EXPECT_THAT(log_, testing::HasSubstr("relay=none, delay="));
}

TEST_F(DeliveryTest, ByMxRecords) {
    FakeServer server(loop_, {});
    dns_.zone = tests::FakeDns("y.test MX 10 mx.y.test\nmx.y.test A 127.0.0.1\n");
    set_content("x\r\n");
    auto report = deliver(request("y.test:" + std::to_string(server.port()), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients.at(0).remote_mta, "mx.y.test");
    dns_.zone.asked.clear();
    deliver(request("Y.test:" + std::to_string(server.port()), {"a@y.test"}));
    EXPECT_TRUE(dns_.zone.asked.empty());  // found by destination among the kept connections
    report = deliver(request("nosuch.test", {"a@nosuch.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::reject);
    EXPECT_THAT(log_, testing::HasSubstr("relay=none"));
}

TEST_F(DeliveryTest, BadDestinationWaits) {
    set_content("x\r\n");
    auto report = deliver(request("[oops", {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
}

TEST_F(DeliveryTest, Timeouts) {
    options_.helo = options_.mail = options_.data_done = Millis{30};
    set_content("x\r\n");
    FakeServer greeting(loop_, {{"", ""}});
    auto report = deliver(request(greeting.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).text,
              "conversation with 127.0.0.1[127.0.0.1] timed out while receiving the initial server "
              "greeting");
    EXPECT_EQ(report.recipients.at(0).status, "4.4.2");
    FakeServer mail(loop_, {{"MAIL", ""}, {"RCPT", ""}, {"DATA", ""}});
    report = deliver(request(mail.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).text,
              "conversation with 127.0.0.1[127.0.0.1] timed out while sending MAIL FROM");
    FakeServer end(loop_, {{".", ""}});
    report = deliver(request(end.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).text,
              "conversation with 127.0.0.1[127.0.0.1] timed out while sending end of data -- "
              "message may be "
              "sent more than once");
    EXPECT_TRUE(eventually([&] { return pool_->size() == 0; }));
}

TEST_F(DeliveryTest, ServerEndsTheConversation) {
    set_content("x\r\n");
    FakeServer server(loop_, {{"RCPT", "CLOSE"}});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_THAT(report.recipients.at(0).text,
                testing::StartsWith("lost connection with 127.0.0.1[127.0.0.1] while sending "));
}

TEST_F(DeliveryTest, LargeContent) {
    std::string text;
    while (text.size() < 5'000'000)
        text += ".A line that begins with a dot, " + std::to_string(text.size()) + "\r\n";
    set_content(text);
    FakeServer server(loop_, {});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    std::string expected;
    for (auto line : split(text, '\n')) {
        if (!line.empty()) expected += "." + std::string(line) + "\n";
    }
    EXPECT_TRUE(server.content == expected) << server.content.size() << " " << expected.size();
}

TEST_F(DeliveryTest, TruncatedQueueFileIsNotSent) {
    set_content("x\r\n");
    size_ += 100;
    FakeServer server(loop_, {});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_THAT(report.recipients.at(0).text, testing::HasSubstr("local data error"));
    EXPECT_EQ(server.messages, 0);
}

TEST_F(DeliveryTest, Lmtp) {
    options_.lmtp = true;
    options_.default_port = 24;
    FakeServer server(loop_, {{".", "250 2.1.5 a\r\n452 4.2.2 b\r\n"}});
    set_content("x\r\n");
    auto report = deliver(request("inet:" + server.hop(), {"a@y.test", "b@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients.at(0).status, "2.1.5");
    EXPECT_EQ(report.recipients.at(1).status, "4.2.2");
}

// best_mx_transport is qmgr's: it hears that the mail loops, and the log nothing.
TEST_F(DeliveryTest, WhatLoopsBack) {
    dns_.zone = tests::FakeDns("best.test MX 10 me.test\nme.test A 192.0.2.99\n");
    options_.own_addresses = {*IpAddress::parse("192.0.2.99")};
    set_content("x\r\n");
    for (const bool passes : {false, true}) {
        auto mail = request("best.test", {"a@best.test", "b@best.test"});
        mail.passes_loops = passes;
        const auto report = deliver(mail);
        for (const auto& one : report.recipients) {
            EXPECT_EQ(one.outcome, ipc::Outcome::reject);
            EXPECT_EQ(one.status, "5.4.6");
            EXPECT_EQ(one.loops_back, passes);
        }
        EXPECT_EQ(log_.find("to=<a@best.test>") == std::string::npos, passes);
    }
    FakeServer spare(loop_, {});
    options_.fallback_relays = {spare.hop()};
    auto mail = request("best.test", {"a@best.test"});
    mail.passes_loops = true;
    EXPECT_EQ(deliver(mail).recipients.at(0).outcome, ipc::Outcome::accept) << "that comes first";
}

TEST_F(DeliveryTest, StatusFilter) {
    options_.status_filter = [](Verdict verdict) {
        if (verdict.text.find("550") != std::string::npos)
            return Verdict::defer("4.1.1", "wait for him");
        if (verdict.deferred()) return Verdict::reject("5.4.1", "given up");
        return verdict;
    };
    set_content("x\r\n");
    FakeServer server(loop_,
                      {{"RCPT TO:<b", "550 5.1.1 no\r\n"}, {"RCPT TO:<c", "450 4.2.0 x\r\n"}});
    const auto report = deliver(request(server.hop(), {"a@y.test", "b@y.test", "c@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients.at(1).outcome, ipc::Outcome::defer);
    EXPECT_EQ(report.recipients.at(1).text, "wait for him");
    EXPECT_EQ(report.recipients.at(2).outcome, ipc::Outcome::reject);
    EXPECT_THAT(log_, testing::HasSubstr("dsn=4.1.1, status=deferred (wait for him)"));
    EXPECT_THAT(log_, testing::HasSubstr("dsn=5.4.1, status=bounced (given up)"));
    // A site that is down, and whose mail is given up, does not hold up other mail.
    const auto down = deliver(request("[127.0.0.1]:1", {"a@y.test"}));
    EXPECT_EQ(down.recipients.at(0).outcome, ipc::Outcome::reject);
    EXPECT_FALSE(down.recipients.at(0).site_down);
    EXPECT_EQ(
        deliver(request(server.hop() + ",[127.0.0.1]:1", {"c@y.test"})).recipients.at(0).status,
        "5.4.1");
}

}  // namespace
}  // namespace postern::forwarder
