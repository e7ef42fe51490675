#include "postscreen/test_session.h"

#include "lib/base/strings.h"

namespace postern::postscreen {
namespace {

class TestSessionTest : public testing::Test {
  protected:
    TestSessionTest() {
        options.hostname = "mail.test";
        options.smtpd_banner = "mail.test ESMTP";
        options.forbidden_commands = {"CONNECT", "GET", "POST"};
        options.pipelining = {true, Action::enforce, Seconds{1}};
        options.non_smtp = {true, Action::drop, Seconds{1}};
        options.bare_newline = {true, Action::ignore, Seconds{1}};
    }
    void begin(bool deep = true) {
        session = std::make_unique<TestSession>(
            options, "[192.0.2.1]:99", std::array<bool, kTests>{false, false, deep, deep, deep},
            std::vector<std::string>{"DSN"});
    }
    std::string say(std::string_view line, std::string_view behind = {}, bool crlf = true) {
        const auto step = session->on_line(line, crlf, behind);
        closed = step.close;
        for (auto& text : session->take_log()) log.push_back(std::move(text));
        return step.reply;
    }
    Options options;
    std::unique_ptr<TestSession> session;
    std::vector<std::string> log;
    bool closed = false;
};

TEST_F(TestSessionTest, NobodyGetsMailThrough) {
    begin();
    EXPECT_EQ(session->greeting(), "220 mail.test ESMTP\r\n");
    EXPECT_EQ(say("ehlo client.test"),
              "250-mail.test\r\n250-SIZE 0\r\n250-VRFY\r\n250-ETRN\r\n250-ENHANCEDSTATUSCODES\r\n"
              "250 8BITMIME\r\n");
    EXPECT_EQ(say("MAIL FROM:<a@b.test> SIZE=5"), "250 2.1.0 Ok\r\n");
    EXPECT_FALSE(session->through());
    EXPECT_EQ(say("RCPT TO:<c@d.test>"), "450 4.3.2 Service currently unavailable\r\n");
    EXPECT_TRUE(session->through());
    EXPECT_FALSE(session->failed());
    EXPECT_EQ(log,
              (std::vector<std::string>{
                  "NOQUEUE: reject: RCPT from [192.0.2.1]:99: 450 4.3.2 Service currently "
                  "unavailable; from=<a@b.test>, to=<c@d.test>, proto=ESMTP, helo=<client.test>"}));
    EXPECT_EQ(say("DATA"), "554 5.5.1 Error: no valid recipients\r\n");
    EXPECT_EQ(say("QUIT"), "221 2.0.0 Bye\r\n");
    EXPECT_TRUE(closed);
}

TEST_F(TestSessionTest, RefusedClientsAreTold) {
    begin(false);
    session->refuse("550 5.7.1 Service unavailable; client [192.0.2.1] blocked using x.test");
    say("HELO x");
    EXPECT_NE(say("EHLO x").find("250-PIPELINING"), std::string::npos) << "nothing to test";
    say("MAIL FROM:a@b.test");
    EXPECT_EQ(say("RCPT TO:<c@d.test>", "RCPT TO:<e@d.test>\r\n"),
              "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using x.test\r\n");
}

TEST_F(TestSessionTest, CommandsOutOfOrder) {
    options.helo_required = options.no_vrfy = true;
    begin();
    const std::pair<const char*, const char*> steps[] = {{"MAIL FROM:<a@b>", "503"},
                                                         {"RCPT TO:<a@b>", "503"},
                                                         {"DATA", "503"},
                                                         {"EHLO", "501"},
                                                         {"HELO x", "250 mail.test"},
                                                         {"MAIL", "501"},
                                                         {"MAIL FROM:<a", "501"},
                                                         {"MAIL FROM:<>", "250"},
                                                         {"MAIL FROM:<>", "503"},
                                                         {"RCPT TO:<>", "501"},
                                                         {"VRFY a", "502"},
                                                         {"NOOP", "250"},
                                                         {"RSET", "250"},
                                                         {"RCPT TO:<a@b>", "503"},
                                                         {"AUTH PLAIN", "503"},
                                                         {"STARTTLS", "502"},
                                                         {"", "502"},
                                                         {"ETRN x", "458"}};
    for (const auto& [line, reply] : steps)
        EXPECT_EQ(say(line).substr(0, 3), std::string(reply).substr(0, 3)) << line;
    EXPECT_FALSE(session->failed());
}

TEST_F(TestSessionTest, StartTls) {
    begin();
    EXPECT_EQ(say("STARTTLS"), "502 5.5.1 Error: command not implemented\r\n");
    options.offers_tls = true;
    begin();
    EXPECT_THAT(say("EHLO x"), testing::HasSubstr("250-STARTTLS\r\n"));
    EXPECT_EQ(say("STARTTLS now"), "501 5.5.4 Syntax: STARTTLS\r\n");
    say("MAIL FROM:<a@b>");
    const auto step = session->on_line("starttls", true, {});
    EXPECT_TRUE(step.start_tls && !step.close);
    EXPECT_EQ(step.reply, "220 2.0.0 Ready to start TLS\r\n");
    session->on_tls();
    EXPECT_EQ(session->helo() + session->sender(), "") << "forgotten";
    EXPECT_EQ(say("RCPT TO:<c@d>").substr(0, 3), "503") << "so is MAIL";
    EXPECT_THAT(say("EHLO x"), testing::Not(testing::HasSubstr("STARTTLS")));
    EXPECT_EQ(say("STARTTLS"), "554 5.5.1 Error: TLS already active\r\n");
    EXPECT_EQ(say("MAIL FROM:<a@b>"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(say("RCPT TO:<c@d>"), "450 4.3.2 Service currently unavailable\r\n");
}

TEST_F(TestSessionTest, TlsMayBeRequired) {
    options.offers_tls = options.tls_required = true;
    begin();
    say("EHLO x");
    for (const char* line :
         {"MAIL FROM:<a@b>", "RCPT TO:<a@b>", "DATA", "VRFY a", "ETRN x", "RSET"})
        EXPECT_EQ(say(line), "530 5.7.0 Must issue a STARTTLS command first\r\n") << line;
    EXPECT_EQ(say("NOOP"), "250 2.0.0 Ok\r\n");
    session->on_tls();
    say("EHLO x");
    EXPECT_EQ(say("MAIL FROM:<a@b>"), "250 2.1.0 Ok\r\n");
}

TEST_F(TestSessionTest, Pipelining) {
    begin();
    say("EHLO x");
    EXPECT_EQ(say("MAIL FROM:<a@b>", "RCPT TO:<c@d>\r\n"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(log.back(), "COMMAND PIPELINING from [192.0.2.1]:99 after MAIL: RCPT TO:<c@d>??");
    EXPECT_TRUE(session->failed());
    EXPECT_EQ(say("RCPT TO:<c@d>", "DATA\r\n"), "550 5.5.1 Protocol error\r\n");
    EXPECT_EQ(log.size(), 2U) << "told once, and the recipient";
    options.pipelining.action = Action::drop;
    begin();
    EXPECT_EQ(say("EHLO x", "MAIL"), "521 5.5.1 Protocol error\r\n");
    EXPECT_TRUE(closed);
}

TEST_F(TestSessionTest, WhatIsNoSmtp) {
    for (const char* line : {"CONNECT x:25 HTTP/1.0", "get / HTTP/1.1", "Subject: hello", "X-Y:"}) {
        log.clear();
        begin();
        EXPECT_EQ(say(line), "521 5.7.0 Error: I can break rules, too. Goodbye.\r\n") << line;
        EXPECT_TRUE(closed);
        EXPECT_EQ(log.at(0), cat({"NON-SMTP COMMAND from [192.0.2.1]:99 after CONNECT: ", line}));
    }
    begin();
    EXPECT_EQ(say("FOO bar: x").substr(0, 3), "502");
    EXPECT_EQ(say("MAIL FROM:<a@b>").substr(0, 3), "250") << "a known command may have a colon";
    EXPECT_FALSE(session->failed());
    begin(false);
    EXPECT_EQ(say("GET /").substr(0, 3), "502");
}

TEST_F(TestSessionTest, BareNewlines) {
    begin();
    EXPECT_EQ(say("HELO x", {}, false), "250 mail.test\r\n") << "ignored, but it has not passed";
    EXPECT_EQ(log.at(0), "BARE NEWLINE from [192.0.2.1]:99 after CONNECT");
    EXPECT_TRUE(session->failed());
}

TEST_F(TestSessionTest, Limits) {
    options.command_limit = 2;
    begin();
    say("NOOP");
    say("NOOP");
    EXPECT_EQ(say("NOOP"), "421 4.7.0 mail.test Error: too many commands\r\n");
    EXPECT_TRUE(closed);
    EXPECT_EQ(log.back(), "COMMAND COUNT LIMIT from [192.0.2.1]:99 after NOOP");
    begin();
    EXPECT_TRUE(session->on_long_line().close);
    EXPECT_TRUE(session->on_silence().reply.starts_with("421 4.4.2 "));
    EXPECT_EQ(session->take_log().back(), "COMMAND TIME LIMIT from [192.0.2.1]:99 after CONNECT");
}

}  // namespace
}  // namespace postern::postscreen
