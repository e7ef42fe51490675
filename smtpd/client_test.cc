// What depends on who the client is: limits, XCLIENT and XFORWARD, rules that policy knows.
#include "lib/ipc/channel.h"

#include "smtpd/smtpd_fixture.h"

namespace postern::smtpd {
namespace {

using ipc::AnvilEvent;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kHello = "EHLO me\r\nMAIL FROM:<a@b.test>\r\n";

struct FakeAnvil : Neighbour {
    using Neighbour::Neighbour;
    void on_packet(Talk& talk, ipc::Packet packet) override {
        if (const auto report = packet.as<ipc::SessionReport>()) {
            for (const auto& facts : report->sessions) told.push_back(facts);
            if (dismisses) (void)talk.channel->send(ipc::DismissSessions{{told.back().session.str()}}).has_value();
            return;
        }
        questions.push_back(packet.as<ipc::AnvilQuestion>().value());
        const auto event = questions.back().event;
        if (event == AnvilEvent::disconnect) {
            ++disconnects;
            return;
        }
        const auto number = ++numbers[event];
        if (silent) return;
        ASSERT_TRUE(talk.channel->send(ipc::AnvilAnswer{sessions, number}));
    }
    bool silent = false;
    std::vector<ipc::AnvilQuestion> questions;
    std::map<AnvilEvent, std::uint32_t> numbers;
    std::vector<ipc::SessionFacts> told;  // of clients that logged in
    bool dismisses = false;               // whoever it is told of
    std::uint32_t sessions = 1;
    int disconnects = 0;
};

class ClientTest : public SmtpdTest {
  protected:
    ClientTest() {
        options.anvil_path = folder.path() + "/anvil";
        anvil = std::make_unique<FakeAnvil>(loop, options.anvil_path);
    }
    std::unique_ptr<FakeAnvil> anvil;
};

TEST_F(ClientTest, TooManyConnections) {
    options.limits.connections = 2;
    options.limits.connection_rate = 2;
    begin();
    EXPECT_EQ(talk("", "ESMTP\r\n"), "220 mail.test ESMTP\r\n");
    EXPECT_EQ(anvil->questions.at(0).service, "smtp");
    EXPECT_EQ(anvil->questions.at(0).client, "127.0.0.1");
    anvil->sessions = 3;
    connect();
    EXPECT_EQ(talk("", ""), "421 4.7.0 mail.test Error: too many connections from 127.0.0.1\r\n");
    EXPECT_THAT(logged(), HasSubstr("warning Connection concurrency limit exceeded: 3 from "
                                    "unknown[127.0.0.1] for service smtp"));
    anvil->sessions = 1;
    connect();
    EXPECT_EQ(talk("", ""), "421 4.7.0 mail.test Error: too many connections from 127.0.0.1\r\n");
    EXPECT_THAT(logged(), HasSubstr("warning Connection rate limit exceeded: 3 from "
                                    "unknown[127.0.0.1] for service smtp"));
    ASSERT_TRUE(wait_for([&] { return anvil->disconnects == 3; }))
        << "the refused ones are over too";
}

TEST_F(ClientTest, TooMuchMail) {
    options.limits.messages = 1;
    options.limits.recipients = 2;
    begin();
    talk("EHLO me\r\n", "8BITMIME\r\n");
    EXPECT_EQ(talk("MAIL FROM:<a@b.test>\r\n", "\n"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(talk("RCPT TO:<1@d.test>\r\nRCPT TO:<2@d.test>\r\n", "Ok\r\n250 2.1.5 Ok\r\n"),
              "250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n");
    EXPECT_EQ(talk("RCPT TO:<3@d.test>\r\n", "\n"),
              "450 4.7.1 Error: too many recipients from 127.0.0.1\r\n");
    talk("RSET\r\n", "Ok\r\n");
    EXPECT_EQ(talk("MAIL FROM:<a@b.test>\r\n", "\n"),
              "450 4.7.1 Error: too much mail from 127.0.0.1\r\n");
    EXPECT_THAT(logged(), HasSubstr("warning Recipient address rate limit exceeded: 3 from "
                                    "unknown[127.0.0.1] for service smtp"));
    EXPECT_THAT(logged(), HasSubstr("warning Message delivery request rate limit exceeded: 2 from "
                                    "unknown[127.0.0.1] for service smtp"));
}

TEST_F(ClientTest, TooManyLogins) {
    options.engine.auth_enabled = true;
    options.limits.auth = 1;
    begin();
    talk("EHLO me\r\n", "8BITMIME\r\n");
    EXPECT_THAT(talk("AUTH PLAIN AG1lAHNlY3JldA==\r\n", "\n"), StartsWith("235 "));
    EXPECT_EQ(talk("AUTH PLAIN AG1lAHNlY3JldA==\r\n", "\n"),
              "450 4.7.1 Error: too many AUTH commands from 127.0.0.1\r\n");
    EXPECT_THAT(logged(), HasSubstr("warning AUTH command rate limit exceeded: 2 from "));
    EXPECT_EQ(auth->requests.size(), 1U);
}

TEST_F(ClientTest, WhoLogsInIsKnownAndCanBeDismissed) {
    options.engine.auth_enabled = true;
    begin();
    talk("EHLO me\r\n", "8BITMIME\r\n");
    EXPECT_TRUE(anvil->told.empty());
    EXPECT_THAT(talk("AUTH PLAIN AG1lAHNlY3JldA==\r\n", "\n"), StartsWith("235 "));
    ASSERT_TRUE(wait_for([&] { return anvil->told.size() == 1; }));
    EXPECT_EQ(anvil->told[0].user, "me@example.test");
    EXPECT_EQ(anvil->told[0].address, "127.0.0.1");
    EXPECT_EQ(anvil->told[0].protocol, ipc::AuthProtocol::smtp);
    EXPECT_EQ(anvil->told[0].state, ipc::SessionState::active);
    talk("QUIT\r\n", "\n");
    ASSERT_TRUE(wait_for([&] { return anvil->told.size() == 2; }));
    EXPECT_EQ(anvil->told[1].state, ipc::SessionState::over);
    connect();
    anvil->dismisses = true;
    talk("EHLO me\r\n", "8BITMIME\r\n");
    EXPECT_THAT(talk("AUTH PLAIN AG1lAHNlY3JldA==\r\n", "421 "), testing::HasSubstr("421 4.3.2 "));
    ASSERT_TRUE(wait_for([&] { return anvil->told.size() == 4; }));
}

TEST_F(ClientTest, ExceptionsAreNotCounted) {
    options.limits.messages = 1;
    options.limits.exceptions.push_back(*IpNetwork::parse("127.0.0.0/8"));
    begin();
    talk("EHLO me\r\n", "8BITMIME\r\n");
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(talk("MAIL FROM:<a@b.test>\r\nRSET\r\n", "2.0.0 Ok\r\n"),
                  "250 2.1.0 Ok\r\n250 2.0.0 Ok\r\n");
    EXPECT_TRUE(anvil->questions.empty());
}

TEST_F(ClientTest, WithoutAnvilThereAreNoLimits) {
    options.limits.connections = 1;
    options.limits.messages = 1;
    anvil.reset();
    begin();
    EXPECT_EQ(talk("", "ESMTP\r\n"), "220 mail.test ESMTP\r\n");
    EXPECT_THAT(logged(), HasSubstr("/anvil"));
    anvil = std::make_unique<FakeAnvil>(loop, folder.path() + "/anvil2");
    EXPECT_THAT(talk(kHello, "2.1.0 Ok\r\n"), HasSubstr("250 2.1.0 Ok"));
}

TEST_F(ClientTest, AnvilMayEndAndComeBack) {
    options.limits.messages = 10;
    begin();
    talk("EHLO me\r\n", "8BITMIME\r\n");
    anvil->hang_up();
    EXPECT_EQ(talk("MAIL FROM:<a@b.test>\r\n", "\n"), "250 2.1.0 Ok\r\n");
    talk("RSET\r\n", "Ok\r\n");
    EXPECT_EQ(talk("MAIL FROM:<a@b.test>\r\n", "\n"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(anvil->conversations, 2U);
    talk("QUIT\r\n", "");
    ASSERT_TRUE(wait_for([&] { return ended == 1; }));
    loop.run_for(Millis{20});
    EXPECT_NE(anvil->questions.back().event, AnvilEvent::disconnect)
        << "the new connection never heard of the session";
}

class AnvilLinkTest : public ClientTest {
  protected:
    void ask() {
        link.ask({AnvilEvent::mail, "smtp", "192.0.2.1"},
                 [this](const Result<ipc::AnvilAnswer>& answer) { ++(answer ? answers : failures); });
    }
    AnvilLink link{loop, options.anvil_path};
    int answers = 0, failures = 0;
};

// As after a reload: the process has not seen yet that the other end is closed.
TEST_F(AnvilLinkTest, AQuestionThatMeetsTheEndOfAnvilIsAskedOnceMore) {
    ask();
    ASSERT_TRUE(wait_for([&] { return answers == 1; }));
    anvil->hang_up();
    ask();
    ask();
    ASSERT_TRUE(wait_for([&] { return answers == 3; }));
    EXPECT_EQ(anvil->conversations, 2U);
    EXPECT_EQ(link.epoch(), 2U);
    anvil->silent = true;
    ask();
    ASSERT_TRUE(wait_for([&] { return anvil->questions.size() == 4; }));
    anvil->hang_up();
    ASSERT_TRUE(wait_for([&] { return anvil->questions.size() == 5; })) << "what was not answered";
    EXPECT_EQ(failures, 0);
    anvil->hang_up();
    ASSERT_TRUE(wait_for([&] { return failures == 1; })) << "once";
    loop.run_for(Millis{20});
    EXPECT_EQ(anvil->questions.size(), 5U);
}

TEST(Limits, NetworksCountAsOneClient) {
    Options::Limits limits;
    limits.v4_bits = 20;
    limits.v6_bits = 84;
    const std::pair<std::string, std::string> cases[] = {
        {"192.0.2.77", "192.0.0.0/20"},
        {"192.0.18.1", "192.0.16.0/20"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3::/84"},
        {"unknown", "unknown"},
    };
    for (const auto& [address, expected] : cases) EXPECT_EQ(limits.range_of(address), expected);
    limits.v4_bits = 32;
    EXPECT_EQ(limits.range_of("192.0.2.77"), "192.0.2.77");
    limits.v4_bits = 0;
    EXPECT_EQ(limits.range_of("192.0.2.77"), "0.0.0.0/0");
}

// The end is there already, but the loop comes to it only after who asks.
TEST_F(AnvilLinkTest, TheEndThatAQuestionHasMetIsNotTheNextOnesEnd) {
    ask();
    ASSERT_TRUE(wait_for([&] { return answers == 1; }));
    auto bell = sys::packet_pair().value();
    loop::Watch watch(loop, bell.first.get(), [&] {
        watch.want_read(false);
        ask();
    });
    watch.want_read(true);
    ASSERT_TRUE(sys::send_packet(bell.second.get(), "ring", {}));
    anvil->hang_up();
    ASSERT_TRUE(wait_for([&] { return answers + failures == 2; }));
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(anvil->conversations, 2U);
}

TEST_F(ClientTest, PolicyKnowsTheClient) {
    options.ask_client = true;
    begin();
    policy->traits.hides_keywords = true;
    policy->traits.hidden_keywords = "pipelining, VRFY";
    policy->traits.debug = true;
    const auto hello = talk("EHLO me\r\n", "8BITMIME\r\n");
    EXPECT_THAT(hello, Not(HasSubstr("PIPELINING")));
    EXPECT_THAT(hello, Not(HasSubstr("VRFY")));
    EXPECT_EQ(policy->clients.at(0).address, "127.0.0.1");
    EXPECT_THAT(logged(), HasSubstr("info < unknown[127.0.0.1]: EHLO me"));
    EXPECT_THAT(logged(), HasSubstr("info > unknown[127.0.0.1]: 250-mail.test"));
    policy->traits.failed = true;
    connect();
    EXPECT_EQ(talk("", ""), "421 4.3.0 mail.test Server local data error\r\n");
}

TEST_F(ClientTest, XclientBeginsAnotherSession) {
    options.ask_client = options.policy_early = options.engine.ask_early = true;
    options.limits.connections = 1;
    begin();
    anvil->sessions = 7;
    policy->traits.may_xclient = true;
    talk("EHLO proxy\r\n", "8BITMIME\r\n");
    EXPECT_TRUE(anvil->questions.empty()) << "who may be anybody has no limits";
    EXPECT_EQ(talk("XCLIENT NAME=c.test ADDR=192.0.2.7 PORT=99 HELO=said LOGIN=ann PROTO=ESMTP\r\n",
                   "\n"),
              "220 mail.test ESMTP\r\n");
    const auto& question = policy->questions.back();
    EXPECT_EQ(question.stage, ipc::PolicyStage::connect) << "asked again, about the other";
    EXPECT_EQ(question.client_address, "192.0.2.7");
    EXPECT_EQ(question.client_name, "c.test");
    EXPECT_EQ(question.client_port, 99);
    talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n.\r\n", "4cQ1zXy3lKz1\r\n");
    const auto& envelope = cleanup->envelopes.at(0);
    EXPECT_EQ(envelope.client_address, "192.0.2.7");
    EXPECT_EQ(envelope.client_name, "c.test");
    EXPECT_EQ(envelope.helo, "said");
    EXPECT_EQ(envelope.sasl_username, "ann");
    EXPECT_EQ(envelope.sasl_method, "XCLIENT");
    EXPECT_FALSE(envelope.rewrite_headers);
    EXPECT_THAT(logged(), HasSubstr("client=c.test[192.0.2.7], sasl_method=XCLIENT, "
                                    "sasl_username=ann"));
    talk("XCLIENT ADDR=[UNAVAILABLE] NAME=[UNAVAILABLE]\r\n", "\n");
    EXPECT_EQ(policy->questions.back().client_address, "unknown");
    talk("QUIT\r\n", "");
    EXPECT_THAT(logged(), HasSubstr("disconnect from unknown[unknown]"));
}

TEST_F(ClientTest, XforwardIsForTheRecord) {
    options.ask_client = true;
    begin();
    policy->traits.may_xforward = true;
    talk("EHLO filter\r\n", "8BITMIME\r\n");
    talk("XFORWARD NAME=c.test ADDR=192.0.2.7 PORT=99\r\n", "\n");
    talk("XFORWARD PROTO=ESMTP HELO=said IDENT=4cQ1a SOURCE=REMOTE\r\n", "\n");
    talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n.\r\n", "4cQ1zXy3lKz1\r\n");
    const auto& envelope = cleanup->envelopes.at(0);
    EXPECT_EQ(envelope.client_address, "127.0.0.1");
    EXPECT_TRUE(envelope.forwarded);
    EXPECT_EQ(envelope.origin_address, "192.0.2.7");
    EXPECT_EQ(envelope.origin_helo, "said");
    EXPECT_FALSE(envelope.rewrite_headers);
    EXPECT_THAT(logged(), HasSubstr("client=unknown[127.0.0.1], orig_queue_id=4cQ1a, "
                                    "orig_client=c.test[192.0.2.7]"));
    talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n.\r\n", "4cQ1zXy3lKz1\r\n");
    EXPECT_FALSE(cleanup->envelopes.at(1).forwarded) << "for one message";
}

TEST_F(ClientTest, WhatIsToBecomeOfAMessageGoesToCleanup) {
    options.engine.ask_end_of_data = true;
    begin();
    using Kind = ipc::MailActionKind;
    policy->actions[ipc::PolicyStage::rcpt] = {
        {Kind::hold, "", "<1@d.test>: Recipient address triggers HOLD action"},
        {Kind::prepend, "X-A: b", ""}};
    policy->actions[ipc::PolicyStage::end_of_data] = {{Kind::bcc, "c@d.test", "it triggers BCC"}};
    talk(
        "EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nRCPT TO:<2@d.test>\r\n"
        "RCPT TO:<nosuch@example.test>\r\nDATA\r\nx\r\n.\r\n",
        "4cQ1zXy3lKz1\r\n");
    const auto& actions = cleanup->envelopes.at(0).actions;
    ASSERT_EQ(actions.size(), 2U) << "each once";
    EXPECT_EQ(actions[0].kind, Kind::hold);
    EXPECT_EQ(actions[1].argument, "X-A: b");
    ASSERT_EQ(cleanup->late_actions.size(), 1U);
    EXPECT_EQ(cleanup->late_actions[0].argument, "c@d.test");
    EXPECT_THAT(logged(), HasSubstr("NOQUEUE: hold: RCPT from unknown[127.0.0.1]: <1@d.test>: "
                                    "Recipient address triggers HOLD action; from=<a@b.test> "
                                    "to=<1@d.test> proto=ESMTP helo=<me>"));
    EXPECT_THAT(logged(), HasSubstr("4cQ1zXy3lKz1: bcc: END-OF-MESSAGE from unknown[127.0.0.1]: it "
                                    "triggers BCC; from=<a@b.test> proto=ESMTP"));
    policy->actions.clear();
    talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n.\r\n", "4cQ1zXy3lKz1\r\n");
    EXPECT_TRUE(cleanup->envelopes.at(1).actions.empty());
    EXPECT_TRUE(cleanup->late_actions.empty());
}

// In Postfix's shape: "permit" has a blank before the semicolon.
TEST_F(ClientTest, WhatPolicyTellsIsLogged) {
    options.engine.ask_end_of_data = true;
    begin();
    using Kind = ipc::PolicyNoteKind;
    policy->notes[ipc::PolicyStage::rcpt] = {{Kind::permit, "action=permit for Helo command=me "},
                                             {Kind::warn, "some words"}};
    policy->notes[ipc::PolicyStage::end_of_data] = {{Kind::reject_warning, "554 5.7.1 no"}};
    talk("EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n.\r\n",
         "4cQ1zXy3lKz1\r\n");
    for (const char* line :
         {"NOQUEUE: permit: RCPT from unknown[127.0.0.1]: action=permit for Helo command=me ; "
          "from=<a@b.test> to=<1@d.test> proto=ESMTP helo=<me>",
          "NOQUEUE: warn: RCPT from unknown[127.0.0.1]: some words; from=<a@b.test>",
          "4cQ1zXy3lKz1: reject_warning: END-OF-MESSAGE from unknown[127.0.0.1]: 554 5.7.1 no; "
          "from=<a@b.test> to=<1@d.test> proto=ESMTP helo=<me>"})
        EXPECT_THAT(logged(), HasSubstr(line));
}

TEST_F(ClientTest, WhoSpeaksTooEarlyIsDisconnected) {
    options.forbid_pipelining = true;
    begin();
    talk("", "ESMTP\r\n");
    EXPECT_EQ(talk("HELO me\r\nMAIL FROM:<a@b.test>\r\n", ""),
              "554 5.5.0 Error: SMTP protocol synchronization\r\n");
    EXPECT_THAT(logged(), HasSubstr("improper command pipelining after HELO from unknown"));
}

TEST_F(ClientTest, CommandsAreFiltered) {
    options.command_filter = true;
    begin();
    policy->lines["HELO x"] = "EHLO x";
    talk("", "ESMTP\r\n");
    EXPECT_THAT(talk("HELO x\r\n", "8BITMIME\r\n"), HasSubstr("250-PIPELINING"));
    EXPECT_EQ(talk("NOOP\r\n", "\n"), "250 2.0.0 Ok\r\n");
    EXPECT_THAT(logged(), HasSubstr("info unknown[127.0.0.1]: replacing client command \"HELO x\" "
                                    "with \"EHLO x\""));
    policy->lines_fail = true;
    EXPECT_EQ(talk("NOOP\r\n", ""), "421 4.3.0 mail.test Server local data error\r\n");
}

TEST_F(ClientTest, RefusalsHaveFooters) {
    options.reject_footer = "Ask ${server_name} about $client_address";
    options.reject_footer_maps = true;
    begin();
    policy->lines["500 5.5.2 Error: command not recognized"] = "\\c. Sorry, $helo_name!";
    talk("EHLO me\r\n", "8BITMIME\r\n");
    EXPECT_EQ(talk("FOO\r\n", "\n"), "500 5.5.2 Error: command not recognized. Sorry, me!\r\n");
    talk("MAIL FROM:<a@b.test>\r\n", "\n");
    EXPECT_EQ(talk("RCPT TO:<nosuch@example.test>\r\n", "127.0.0.1\r\n"),
              "550-5.1.1 <nosuch@example.test>: Recipient address rejected: User unknown\r\n"
              "550 5.1.1 Ask mail.test about 127.0.0.1\r\n");
    EXPECT_THAT(logged(), Not(HasSubstr("Ask mail.test"))) << "the log does without";
    EXPECT_EQ(talk("QUIT\r\n", ""), "221 2.0.0 Bye\r\n");
}

TEST_F(ClientTest, AFooterOfTheLastWord) {
    options.reject_footer = "by rule";
    options.reject_footer_maps = true;
    options.engine.hard_error_limit = 1;
    begin();
    talk("EHLO me\r\n", "8BITMIME\r\n");
    EXPECT_EQ(talk("FOO\r\n", ""),
              "500-5.5.2 Error: command not recognized\r\n500 5.5.2 by rule\r\n"
              "421-4.7.0 mail.test Error: too many errors\r\n421 4.7.0 by rule\r\n");
}

// A service of type "pass".
class HandedOverTest : public ClientTest {
  protected:
    // As postscreen does it: a connection of its own, the message, and the end.
    void hand_over(const ipc::Handoff& message, bool with_client = true) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        client = Fd(ends[0]);
        const Fd other(ends[1]);
        auto [ours, theirs] = sys::packet_pair().value();
        const int fd = other.get();
        const auto descriptors = with_client ? std::span(&fd, 1) : std::span<const int>();
        ASSERT_TRUE(ipc::Channel(std::move(theirs))
                        .send(message, Deadline::in(Millis(1000)), "", descriptors));
        smtpd->on_connection(std::move(ours));
    }
};

TEST_F(HandedOverTest, TheClientIsWhoPostscreenSays) {
    options.host_names["127.0.0.1"] = "localhost";
    begin();
    talk("QUIT\r\n", "");
    ipc::Handoff message;
    message.client_address = "192.0.2.7";
    message.client_port = 4321;
    message.server_address = "198.51.100.1";
    message.server_port = 25;
    hand_over(message);
    EXPECT_EQ(talk("", "ESMTP\r\n"), "220 mail.test ESMTP\r\n");
    EXPECT_THAT(logged(), HasSubstr("connect from unknown[192.0.2.7]"));
    EXPECT_EQ(talk("QUIT\r\n", ""), "221 2.0.0 Bye\r\n");
    EXPECT_TRUE(wait_for([&] { return ended == 2; }));
}

TEST_F(HandedOverTest, NobodyComes) {
    begin();
    talk("QUIT\r\n", "");
    hand_over({}, false);
    EXPECT_TRUE(wait_for([&] { return ended == 2; }));
    EXPECT_THAT(logged(), HasSubstr("no client came with it"));
    auto [ours, theirs] = sys::packet_pair().value();
    smtpd->on_connection(std::move(ours));
    theirs.reset();
    EXPECT_TRUE(wait_for([&] { return ended == 3; }));
}

}  // namespace
}  // namespace postern::smtpd
