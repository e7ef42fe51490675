// Sessions of smtpd with their clients.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/encode.h"
#include "lib/base/strings.h"

#include "smtpd/smtpd_fixture.h"

namespace postern::smtpd {
namespace {

using testing::HasSubstr;

TEST_F(SmtpdTest, OneMessageStepByStep) {
    begin();
    EXPECT_EQ(talk("", "ESMTP\r\n"), "220 mail.test ESMTP\r\n");
    EXPECT_THAT(talk("EHLO client.test\r\n", "8BITMIME\r\n"), HasSubstr("250-PIPELINING\r\n"));
    EXPECT_EQ(talk("MAIL FROM:<a@client.test> SIZE=30 BODY=8BITMIME\r\n", "\n"),
              "250 2.1.0 Ok\r\n");
    EXPECT_EQ(talk("RCPT TO:<u1@example.test>\r\n", "\n"), "250 2.1.5 Ok\r\n");
    EXPECT_EQ(talk("DATA\r\n", "\n"), "354 End data with <CR><LF>.<CR><LF>\r\n");
    EXPECT_EQ(talk("Subject: x\r\n\r\n..dot\r\n.\r\n", "\n"),
              "250 2.0.0 Ok: queued as 4cQ1zXy3lKz1\r\n");
    EXPECT_EQ(talk("QUIT\r\n", ""), "221 2.0.0 Bye\r\n");
    ASSERT_TRUE(wait_for([&] { return ended == 1; }));
    ASSERT_EQ(cleanup->messages.size(), 1u);
    EXPECT_EQ(cleanup->messages[0], "Subject: x\r\n\r\n.dot\r\n");
    const auto& envelope = cleanup->envelopes.at(0);
    EXPECT_EQ(envelope.sender, "a@client.test");
    EXPECT_EQ(envelope.recipients.at(0).address, "u1@example.test");
    EXPECT_EQ(envelope.protocol, "ESMTP");
    EXPECT_EQ(envelope.helo, "client.test");
    EXPECT_TRUE(envelope.body_8bit);
    const auto& question = policy->questions.at(0);
    EXPECT_EQ(question.stage, ipc::PolicyStage::rcpt);
    EXPECT_EQ(question.recipient, "u1@example.test");
    EXPECT_EQ(question.sender, "a@client.test");
    EXPECT_THAT(logged(), HasSubstr("4cQ1zXy3lKz1: client=unknown["));
    EXPECT_THAT(logged(), HasSubstr("disconnect from unknown["));
    EXPECT_THAT(logged(), HasSubstr(" ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"));
}

constexpr std::string_view kMessage =
    "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n.\r\n";

TEST_F(SmtpdTest, TellsTheClientsName) {
    connect_inet();
    names->answer = {"mx.client.test", "mx.client.test", ipc::NameStatus::found,
                     ipc::NameStatus::found, ""};
    EXPECT_EQ(talk("", "ESMTP\r\n"), "220 mail.test ESMTP\r\n");
    EXPECT_EQ(names->addresses, std::vector<std::string>{"127.0.0.1"});
    EXPECT_THAT(talk(kMessage, "4cQ1zXy3lKz1\r\n"), HasSubstr("queued"));
    EXPECT_EQ(policy->questions.at(0).client_name, "mx.client.test");
    EXPECT_EQ(policy->questions.at(0).reverse_name, "mx.client.test");
    EXPECT_EQ(cleanup->envelopes.at(0).client_name, "mx.client.test");
    EXPECT_THAT(logged(), HasSubstr("connect from mx.client.test[127.0.0.1]"));
    EXPECT_THAT(logged(), HasSubstr("4cQ1zXy3lKz1: client=mx.client.test[127.0.0.1]"));
}

TEST_F(SmtpdTest, KeepsTheReverseNameOfWhoMayLie) {
    connect_inet();
    names->answer = {"liar.test", "unknown", ipc::NameStatus::found, ipc::NameStatus::none,
                     "hostname liar.test does not resolve to address 127.0.0.1"};
    talk("", "ESMTP\r\n");
    talk(kMessage, "4cQ1zXy3lKz1\r\n");
    EXPECT_EQ(policy->questions.at(0).client_name, "unknown");
    EXPECT_EQ(policy->questions.at(0).reverse_name, "liar.test");
    EXPECT_EQ(cleanup->envelopes.at(0).reverse_name, "liar.test");
    EXPECT_THAT(logged(),
                HasSubstr("warning hostname liar.test does not resolve to address 127.0.0.1"));
    EXPECT_THAT(logged(), HasSubstr("connect from unknown[127.0.0.1]"));
}

TEST_F(SmtpdTest, DoesWithoutNamesInTime) {
    options.name_timeout = Millis(50);
    connect_inet();
    names->silent = true;
    EXPECT_EQ(talk("", "ESMTP\r\n"), "220 mail.test ESMTP\r\n");
    EXPECT_THAT(logged(), HasSubstr("connect from unknown[127.0.0.1]"));
    names.reset();  // nobody serves the socket any more
    connect();
    EXPECT_EQ(talk("", "ESMTP\r\n"), "220 mail.test ESMTP\r\n");
}

TEST_F(SmtpdTest, ForgetsWhoLeavesBeforeHisName) {
    connect_inet();
    names->silent = true;
    ASSERT_TRUE(wait_for([&] { return names->addresses.size() == 1; }));
    linger now{1, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client.reset();
    ASSERT_TRUE(wait_for([&] { return ended == 1; }));
    EXPECT_THAT(logged(), HasSubstr("disconnect from unknown[127.0.0.1]"));
}

TEST_F(SmtpdTest, PipelinedWithHalfClose) {
    begin();
    talk("", "ESMTP\r\n");
    const std::string all =
        "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nRCPT "
        "TO:<nosuch@example.test>\r\nDATA\r\n"
        "hello\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<2@d.test>\r\nDATA\r\n.\r\nQUIT\r\n";
    ASSERT_EQ(::send(client.get(), all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
    ::shutdown(client.get(), SHUT_WR);
    const auto got = talk("", "");
    EXPECT_THAT(
        got,
        HasSubstr("550 5.1.1 <nosuch@example.test>: Recipient address rejected: User unknown\r\n"));
    EXPECT_TRUE(got.ends_with("221 2.0.0 Bye\r\n")) << got;
    EXPECT_EQ(cleanup->messages, (std::vector<std::string>{"hello\r\n", ""}));
    EXPECT_EQ(cleanup->envelopes.at(0).recipients.size(), 1u);
    EXPECT_THAT(
        logged(),
        HasSubstr("NOQUEUE: reject: RCPT from unknown[127.0.0.1]: 550 5.1.1 <nosuch@example.test>: "
                  "Recipient address rejected: User unknown; from=<a@b.test> "
                  "to=<nosuch@example.test> proto=ESMTP helo=<c>"));
    EXPECT_THAT(logged(), HasSubstr("improper command pipelining after EHLO from"));
    EXPECT_THAT(logged(), HasSubstr("rcpt=2/3"));
}

// smtpd_forbid_bare_newline = reject.
TEST_F(SmtpdTest, BareLineFeedsRefuseTheMessage) {
    options.refuse_bare_newlines = true;
    begin();
    talk("HELO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    EXPECT_EQ(talk("hello\n.\r\nMAIL FROM:<evil@b.test>\r\n.\r\n", "\n"),
              "550 5.5.2 mail.test Error: bare <LF> received\r\n");
    EXPECT_TRUE(wait_for([&] { return cleanup->aborted == 1; }));
    EXPECT_TRUE(cleanup->messages.empty());
    EXPECT_THAT(talk("NOOP\n", ""), HasSubstr("550 5.5.2 mail.test Error: bare <LF> received\r\n"));
    EXPECT_TRUE(wait_for([&] { return ended == 1; }));
    EXPECT_THAT(logged(), HasSubstr("reject: END-OF-MESSAGE from unknown[127.0.0.1]: 550 5.5.2 "
                                    "mail.test Error: bare <LF> received; from=<a@b.test>"));
}

// smtpd_forbid_bare_newline = note: lines in LF are lines, and nothing is smuggled.
TEST_F(SmtpdTest, BareLineFeedsAreMended) {
    options.engine.note_bare_newlines = true;
    begin();
    talk("HELO c\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    talk("hello\n.\r\nMAIL FROM:<evil@b.test>\nDATA\n.\nx\r\n.\r\nQUIT\r\n", "Bye\r\n");
    EXPECT_EQ(cleanup->messages,
              (std::vector<std::string>{"hello\r\nMAIL FROM:<evil@b.test>\r\nDATA\r\nx\r\n"}));
    EXPECT_TRUE(wait_for([&] { return ended == 1; }));
    EXPECT_THAT(logged(), HasSubstr("commands=5 notes=bare_lf"));
}

// Exclusions: who never sends a CR ends his messages without; who does, does not.
TEST_F(SmtpdTest, DevicesThatKnowNoCr) {
    options.refuse_bare_newlines = true;
    options.omitting_cr.push_back(*IpNetwork::parse("127.0.0.0/8"));
    begin();
    talk("HELO c\nMAIL FROM:<a@b.test>\nRCPT TO:<1@d.test>\nDATA\n", "<CR><LF>\r\n");
    talk("hello\n.\nQUIT\n", "Bye\r\n");
    EXPECT_EQ(cleanup->messages, (std::vector<std::string>{"hello\r\n"}));
    connect();
    talk("HELO c\r\nMAIL FROM:<a@b.test>\nRCPT TO:<1@d.test>\nDATA\n", "<CR><LF>\r\n");
    talk("hello\n.\nMAIL FROM:<evil@b.test>\n\r\n.\r\nQUIT\n", "Bye\r\n");
    EXPECT_EQ(cleanup->messages.at(1), "hello\r\nMAIL FROM:<evil@b.test>\r\n\r\n");
    options.omitting_cr.clear();
    options.ask_client = true;
    policy->traits.may_omit_cr = true;
    connect();
    talk("HELO c\nMAIL FROM:<a@b.test>\nRCPT TO:<1@d.test>\nDATA\n", "<CR><LF>\r\n");
    talk("hi\n.\nQUIT\n", "Bye\r\n");
    EXPECT_EQ(cleanup->messages.at(2), "hi\r\n");
}

TEST_F(SmtpdTest, VerpAndWhatReceivedTells) {
    options.hide_client = true;
    options.verp_clients.push_back(*IpNetwork::parse("127.0.0.0/8"));
    begin();
    talk("EHLO c\r\n", "8BITMIME\r\n");
    talk("MAIL FROM:<a@b.test> XVERP=-=\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    talk("x\r\n.\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
         "Bye\r\n");
    ASSERT_EQ(cleanup->envelopes.size(), 2u);
    EXPECT_EQ(cleanup->envelopes[0].verp, "-=");
    EXPECT_EQ(cleanup->envelopes[1].verp, "") << "each message asks for itself";
    EXPECT_TRUE(cleanup->envelopes[0].hide_client);
}

// Without smtpd_per_request_deadline what counts is how long a transfer stands still.
TEST_F(SmtpdTest, ASlowTransferGoesOn) {
    constexpr Millis kTimeout{300};
    options.request_deadline = false;
    options.command_timeout = kTimeout;
    clock.held = clock.steady();
    begin();
    talk("HELO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    loop.run_for(kTimeout + Millis(50));  // the timer comes, and sees that it is too early
    for (int line = 0; line < 3; ++line) {
        *clock.held += kTimeout * 2 / 3;
        ASSERT_EQ(::send(client.get(), "a\r\n", 3, MSG_NOSIGNAL), 3);
        ASSERT_TRUE(wait_for([&] {
            int unread = 0;
            return ::ioctl(client.get(), SIOCOUTQ, &unread) == 0 && unread == 0;
        }));
    }
    talk(".\r\n", "Kz1\r\n");
    ASSERT_EQ(cleanup->messages.size(), 1u);
    EXPECT_EQ(cleanup->messages[0], "a\r\na\r\na\r\n");
    talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n", "<CR><LF>\r\n");
    *clock.held += kTimeout;
    EXPECT_THAT(talk("", ""), HasSubstr("421 4.4.2 mail.test Error: timeout exceeded\r\n"));
    EXPECT_THAT(logged(), HasSubstr("timeout after DATA (3 bytes) from"));
}

TEST_F(SmtpdTest, NeighboursThatFail) {
    begin();
    cleanup->refuse_open = true;
    const auto refused =
        talk("HELO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "storage\r\n");
    EXPECT_THAT(refused, HasSubstr("452 4.3.1 Error: insufficient system storage\r\n"));
    cleanup->refuse_open = false;
    cleanup->verdict_text = "Error: too many hops";
    EXPECT_THAT(
        talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n.\r\n", "hops\r\n"),
        HasSubstr("554 5.4.6 Error: too many hops\r\n"));
    cleanup.reset();
    EXPECT_THAT(talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "error\r\n"),
                HasSubstr("451 4.3.0 Error: queue file write error\r\n"));
    policy.reset();
    EXPECT_THAT(talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\n", "failure\r\n"),
                HasSubstr("451 4.3.0 Error: policy lookup failure\r\n"));
    EXPECT_THAT(talk("QUIT\r\n", ""), HasSubstr("221 2.0.0 Bye\r\n"));
}

TEST_F(SmtpdTest, TheClientGoesAway) {
    begin();
    talk("HELO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nabc\r\n", "<CR><LF>\r\n");
    client.reset();
    ASSERT_TRUE(wait_for([&] { return ended == 1; }));
    EXPECT_THAT(logged(), HasSubstr("lost connection after DATA (5 bytes) from unknown["));
    EXPECT_TRUE(wait_for([&] { return cleanup->aborted == 1; }));
    connect();
    policy->silent = true;
    talk("HELO c\r\nMAIL FROM:<a@b.test>\r\n", "Ok\r\n");
    ::send(client.get(), "RCPT TO:<1@d.test>\r\n", 20, 0);
    ASSERT_TRUE(wait_for([&] { return policy->questions.size() == 2; }));
    client.reset();
    loop.run_for(Millis(20));
    EXPECT_EQ(ended, 1) << "waits for policy, then notices";
}

TEST_F(SmtpdTest, AClientThatNeverReadsIsHeardNoMore) {
    begin();
    std::string flood;
    for (int i = 0; i < 20000; ++i) flood += "EHLO a.client.that.never.reads\r\n";
    std::size_t sent = 0;
    for (int idle = 0; idle < 20 && sent < flood.size();) {
        const ssize_t n =
            ::send(client.get(), flood.data() + sent, flood.size() - sent, MSG_NOSIGNAL);
        n > 0 ? sent += static_cast<std::size_t>(n), idle = 0 : ++idle;
        loop.run_for(Millis(1));
    }
    EXPECT_LT(sent, flood.size()) << "back-pressure reaches the client";
    EXPECT_THAT(talk(flood.substr(sent) + "QUIT\r\n", "Bye\r\n"), HasSubstr("221 2.0.0 Bye\r\n"));
}

TEST_F(SmtpdTest, TimesOut) {
    options.command_timeout = Millis(30);
    begin();
    EXPECT_EQ(talk("EHLO", ""),
              "220 mail.test ESMTP\r\n421 4.4.2 mail.test Error: timeout exceeded\r\n");
    EXPECT_TRUE(wait_for([&] { return ended == 1; }));
    EXPECT_THAT(logged(), HasSubstr("timeout after CONNECT from unknown["));
}

TEST_F(SmtpdTest, ErrorsSlowAndEndTheSession) {
    options.engine.soft_error_limit = 1;
    options.engine.hard_error_limit = 3;
    options.error_sleep = Millis(5);
    begin();
    const auto got = talk("FOO\r\nFOO\r\nFOO\r\nNOOP\r\n", "");
    EXPECT_TRUE(got.ends_with("421 4.7.0 mail.test Error: too many errors\r\n")) << got;
    EXPECT_TRUE(wait_for([&] { return ended == 1; }));
    EXPECT_THAT(logged(), HasSubstr("too many errors after UNKNOWN from unknown["));
}

TEST_F(SmtpdTest, Authenticates) {
    options.engine.auth_enabled = true;
    begin();
    talk("EHLO c\r\n", "8BITMIME\r\n");
    EXPECT_THAT(talk("AUTH PLAIN " + base64_encode(std::string("\0me\0wrong", 9)) + "\r\n", "\n"),
                HasSubstr("535 5.7.8"));
    EXPECT_EQ(talk("AUTH LOGIN\r\n", "\n"), "334 VXNlcm5hbWU6\r\n");
    EXPECT_EQ(talk(base64_encode("me") + "\r\n", "\n"), "334 UGFzc3dvcmQ6\r\n");
    EXPECT_EQ(talk(base64_encode("secret") + "\r\n", "\n"),
              "235 2.7.0 Authentication successful\r\n");
    talk("MAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\nx\r\n.\r\n", "Kz1\r\n");
    EXPECT_EQ(policy->questions.at(0).sasl_username, "me@example.test");
    EXPECT_EQ(cleanup->envelopes.at(0).sasl_method, "LOGIN");
    EXPECT_EQ(cleanup->envelopes.at(0).protocol, "ESMTPA");
    EXPECT_THAT(logged(),
                HasSubstr("warning unknown[127.0.0.1]: SASL PLAIN authentication failed"));
    EXPECT_THAT(logged(), HasSubstr(", sasl_method=LOGIN, sasl_username=me@example.test"));
}

// A TLS client on a raw socket.
TEST_F(SmtpdTest, NothingDependsOnHowTheBytesArrive) {
    constexpr std::size_t kLimit = 60;
    options.line_limit = kLimit;
    options.engine.soft_error_limit = options.engine.hard_error_limit = 100;
    const auto exactly = [](std::string line, std::size_t size) {
        return line + std::string(size - line.size(), 'x');
    };
    const std::string input =
        "EHLO client.test\r\n" + exactly("NOOP ", kLimit) + "\r\n" + exactly("NOOP ", kLimit + 1) +
        "\r\n" + exactly("NOOP ", kLimit + 2) + "\r\n" + exactly("NOOP ", 1000) + "\r\n" +
        std::string("NOOP \0\r\n", 8) + "\r\n" +
        "RSET\r\nDATA\r\nMAIL FROM:<a@client.test>\r\nDATA\r\nRCPT "
        "TO:<nosuch@example.test>\r\nRCPT TO:<b@example.test>\r\n"
        "DATA\r\nSubject: dots\r\n\r\n..\r\n.x\r\n..x\r\n...\r\nx.\r\n. \r\n\r\n.\r\n"
        "MAIL FROM:<>\r\nRCPT TO:<c@example.test>\r\nDATA\r\n.\r\n"
        "VRFY b@example.test\r\nQUIT and more\r\nMAIL FROM:<late@client.test>\r\nRCPT "
        "TO:<d@example.test>\r\nDATA\r\nx\r\n.\r\n";
    begin();
    std::string replies;
    std::vector<std::string> messages;
    const auto play = [&](const std::function<std::size_t()>& next) {
        cleanup->messages.clear();
        connect();
        std::string got = talk("", "ESMTP\r\n");
        for (std::size_t at = 0; at < input.size();) {
            const std::size_t size = next();
            const auto chunk = std::string_view(input).substr(at, size);
            if (::send(client.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL) < 0)
                break;  // after QUIT
            at += size;
            loop.run_for(Millis(0));
        }
        got += talk("", "221 2.0.0 Bye\r\n");
        return got;
    };
    replies = play([&] { return input.size(); });
    messages = cleanup->messages;
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0], "Subject: dots\r\n\r\n.\r\nx\r\n.x\r\n..\r\nx.\r\n \r\n\r\n");
    EXPECT_EQ(messages[1], "");
    EXPECT_THAT(replies, HasSubstr("8BITMIME\r\n250 2.0.0 Ok\r\n500 5.5.2 Error: line too long\r\n"
                                   "500 5.5.2 Error: line too long\r\n500 5.5.2 Error: line too "
                                   "long\r\n250 2.0.0 Ok\r\n"));
    EXPECT_TRUE(replies.ends_with("252 2.0.0 b@example.test\r\n221 2.0.0 Bye\r\n")) << replies;
    for (const std::size_t size : {1U, 2U, 3U, 7U, 59U, 60U, 61U, 62U, 63U, 500U}) {
        EXPECT_EQ(play([=] { return size; }), replies) << size;
        EXPECT_EQ(cleanup->messages, messages) << size;
    }
    std::uint64_t seed = 4711;
    for (int round = 0; round < 10; ++round) {
        EXPECT_EQ(play([&] {
                      seed = seed * 6364136223846793005U + 1442695040888963407U;
                      return static_cast<std::size_t>(1 + (seed >> 33) % 80);
                  }),
                  replies)
            << round;
        EXPECT_EQ(cleanup->messages, messages) << round;
    }
}

// The lines that log tools know, in the words and the order of a recorded Postfix log.
TEST_F(SmtpdTest, LogsAsPostfixDoes) {
    const std::string peer = "unknown\\[127\\.0\\.0\\.1\\]";
    const std::string to_nosuch = "RCPT TO:<nosuch@example.test>\r\n";
    const struct {
        std::vector<std::string> steps;
        std::vector<std::string> lines;  // regular expressions
    } cases[] = {
        {{"HELO vm\r\n", "MAIL FROM:<sender@client.test>\r\n", "RCPT TO:<u1@example.test>\r\n",
          "DATA\r\n", "x\r\n.\r\n", "QUIT\r\n"},
         {"connect from " + peer, "4cQ1zXy3lKz1: client=" + peer,
          "disconnect from " + peer + " helo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"}},
        {{"HELO vm\r\n", "MAIL FROM:<sender@client.test>\r\n", to_nosuch},
         {"connect from " + peer,
          "NOQUEUE: reject: RCPT from " + peer +
              ": 550 5\\.1\\.1 <nosuch@example\\.test>: Recipient address rejected: User unknown; "
              "from=<sender@client\\.test> to=<nosuch@example\\.test> proto=SMTP helo=<vm>",
          "lost connection after RCPT from " + peer,
          "disconnect from " + peer + " helo=1 mail=1 rcpt=0/1 commands=2/3"}},
        {{"EHLO vm\r\n", "QUIT\r\nNOOP\r\n"},
         {"connect from " + peer, "disconnect from " + peer + " ehlo=1 quit=1 commands=2"}},
        {{},
         {"connect from " + peer, "lost connection after CONNECT from " + peer,
          "disconnect from " + peer + " commands=0/0"}},
    };
    begin();
    talk("QUIT\r\n", "Bye\r\n");
    for (const auto& c : cases) {
        ASSERT_TRUE(wait_for([&] { return logged().ends_with("commands=1\n") || log_.empty(); }));
        connect();
        talk("", "ESMTP\r\n");
        for (const auto& step : c.steps) talk(step, "\r\n");
        client.reset();
        log_.clear();
        ASSERT_TRUE(wait_for([&] { return logged().find("disconnect from") != log_.npos; }));
        const auto lines = split_words(log_, "\n");
        ASSERT_EQ(lines.size(), c.lines.size()) << log_;
        for (std::size_t i = 0; i < lines.size(); ++i)
            EXPECT_THAT(std::string(lines[i]), testing::MatchesRegex("info " + c.lines[i]));
        log_.clear();
    }
}

TEST_F(SmtpdTest, DrainingEndsIdleSessionsOnly) {
    begin();
    talk("HELO c\r\nMAIL FROM:<a@b.test>\r\n", "Ok\r\n");
    smtpd->drain();
    EXPECT_EQ(talk("RCPT TO:<1@d.test>\r\n", "\n"), "250 2.1.5 Ok\r\n");
    EXPECT_THAT(talk("DATA\r\nx\r\n.\r\n", "Kz1\r\n"), HasSubstr("250 2.0.0 Ok: queued"));
}

TEST_F(SmtpdTest, ThePostmasterHearsOfErrors) {
    options.notices.classes = kProtocol;
    options.notices.sender = "double-bounce@mail.test";
    begin();
    talk("EHLO c\r\n", "250 8BITMIME\r\n");
    talk("FOO\r\n", "\n");
    talk("QUIT\r\n", "Bye\r\n");
    ASSERT_TRUE(wait_for([&] { return cleanup->messages.size() == 1; }));
    EXPECT_EQ(cleanup->envelopes.at(0).sender, "double-bounce@mail.test");
    EXPECT_EQ(cleanup->envelopes.at(0).recipients.at(0).address, "postmaster");
    EXPECT_THAT(
        cleanup->messages.at(0),
        HasSubstr(" In:  FOO\r\n Out: 500 5.5.2 Error: command not recognized\r\n In:  QUIT"));
    EXPECT_TRUE(wait_for([&] {
        return logged().find("postmaster notification of a session's errors") != std::string::npos;
    }));
}

TEST_F(SmtpdTest, ThePostmasterHearsOfNothingElse) {
    options.notices.classes = kResource | kSoftware;
    begin();
    talk("EHLO c\r\n", "250 8BITMIME\r\n");
    talk("FOO\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<1@d.test>\r\nDATA\r\n", "<CR><LF>\r\n");
    talk("x\r\n.\r\n", "Kz1\r\n");
    talk("QUIT\r\n", "Bye\r\n");
    EXPECT_EQ(cleanup->messages.size(), 1u) << "the message, and no notice";
}

TEST(HostNames, FromAHostsFile) {
    const auto names = loopback_names(
        "127.0.0.1\tlocalhost me\n::1 ip6-localhost # x\n192.0.2.1 other\n# 127.0.0.2 "
        "no\n127.0.0.1 again\nx y\n");
    EXPECT_EQ(names, (std::map<std::string, std::string>{{"127.0.0.1", "localhost"},
                                                         {"::1", "ip6-localhost"}}));
}

TEST(ReadOptions, FromConfiguration) {
    auto config =
        config::Config::parse(
            "myhostname = mail.test\nsmtpd_timeout = 7s\nsmtpd_sasl_auth_enable = yes\n"
            "smtpd_data_restrictions = reject_unauth_pipelining\ndisable_vrfy_command = yes\n")
            .value();
    auto options = read_options(config, "smtp");
    ASSERT_TRUE(options) << options.error().what;
    EXPECT_EQ(options->engine.hostname, "mail.test");
    EXPECT_EQ(options->command_timeout, Millis(7000));
    EXPECT_TRUE(options->engine.auth_enabled && options->engine.ask_data);
    EXPECT_FALSE(options->engine.vrfy_enabled || options->engine.tls_available);
    EXPECT_EQ(options->engine.forbidden_commands,
              (std::vector<std::string>{"CONNECT", "GET", "POST"}));
    auto required = config::Config::parse("smtpd_tls_security_level = encrypt\n").value();
    EXPECT_FALSE(read_options(required, "smtps")) << "no certificate";
}

TEST_F(SmtpdTest, EtrnAsksPolicyAndQmgr) {
    begin();
    talk("EHLO c\r\n", "8BITMIME\r\n");
    EXPECT_EQ(talk("ETRN site.test\r\n", "\n"), "458 Unable to queue messages\r\n");
    EXPECT_THAT(logged(), HasSubstr("warning ETRN site.test from unknown["));
    FakeQmgr qmgr(loop, folder.path() + "/qmgr");
    qmgr.answer.ok = true;
    EXPECT_EQ(talk("ETRN @site.test\r\n", "\n"), "250 Queuing started\r\n");
    ASSERT_EQ(qmgr.orders.size(), 1u);
    EXPECT_EQ(qmgr.orders[0].operation, ipc::QueueOperation::flush_site);
    EXPECT_EQ(qmgr.orders[0].site, "site.test");
    EXPECT_EQ(policy->questions.back().stage, ipc::PolicyStage::etrn);
    EXPECT_EQ(policy->questions.back().recipient, "site.test");
    qmgr.answer.ok = false;
    EXPECT_EQ(talk("ETRN site.test\r\n", "\n"), "458 Unable to queue messages\r\n");
    qmgr.answer.not_served = true;
    // What waits behind it is answered behind it.
    EXPECT_EQ(talk("ETRN site.test\r\nNOOP\r\n", "Ok\r\n"),
              "459 <site.test>: service unavailable\r\n250 2.0.0 Ok\r\n");
    EXPECT_THAT(logged(), HasSubstr("warning reject: ETRN site.test... from unknown["));
}

}  // namespace
}  // namespace postern::smtpd
