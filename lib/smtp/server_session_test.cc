// Dialogues with the engine: a list of lines and what comes out. The "driver" here answers every
// question as it is told to.
#include "lib/smtp/server_session.h"

#include "lib/base/encode.h"

namespace postern::smtp {
namespace {

struct Talk {
    ServerOptions options;
    std::optional<ServerSession> session;
    Answer policy = Answer::accept();
    Answer opening = Answer::accept();
    Answer commit = Answer::accept();
    AuthResult auth{AuthResult::Kind::success, "user@example.test"};
    ContentEnd content = ContentEnd::complete;
    std::vector<Stage> asked;
    std::string response;  // what auth was given
    std::string site;      // what ETRN asked for
    Flushed flushed = Flushed::begun;
    bool closed = false;
    bool logged = false;

    Talk() {
        options.hostname = "mail.test";
        options.banner = "mail.test ESMTP Postern";
    }
    ServerSession& s() {
        if (!session) session.emplace(options);
        return *session;
    }
    // Carries out actions until the engine waits for a line; gives what was said.
    std::string run(Action action) {
        std::string said;
        for (;;) {
            if (auto* say = std::get_if<Say>(&action)) {
                logged = say->log;
                return said + say->text;
            }
            if (auto* close = std::get_if<Close>(&action)) {
                closed = true;
                logged = close->log;
                return said + close->text;
            }
            if (auto* tls = std::get_if<StartTls>(&action)) {
                s().on_tls();
                return said + tls->text;
            }
            if (auto* ask = std::get_if<Ask>(&action)) {
                asked.push_back(ask->stage);
                action = s().on_answer(policy);
            } else if (auto* login = std::get_if<Authenticate>(&action)) {
                response = login->response;
                action = s().on_auth(auth);
            } else if (auto* flush = std::get_if<Flush>(&action)) {
                site = flush->site;
                action = s().on_flushed(flushed);
            } else if (std::holds_alternative<Open>(action)) {
                action = s().on_opened(opening);
            } else if (auto* read = std::get_if<ReadData>(&action)) {
                said += read->text;
                action = s().on_content(content, 1234);
            } else {
                action = s().on_committed(commit, commit.accepted ? "4cQ1" : "");
            }
        }
    }
    std::string line(std::string_view text) { return run(s().on_line(text)); }
    void lines(std::initializer_list<const char*> all) {
        for (const char* text : all) line(text);
    }
};

TEST(ServerSession, OneMessage) {
    Talk t;
    EXPECT_EQ(t.run(t.s().greet()), "220 mail.test ESMTP Postern\r\n");
    EXPECT_EQ(t.line("EHLO client.test"),
              "250-mail.test\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n"
              "250-ETRN\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n");
    EXPECT_EQ(t.line("MAIL FROM:<a@client.test> SIZE=100 BODY=8BITMIME"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(t.line("RCPT TO:<b@example.test>"), "250 2.1.5 Ok\r\n");
    EXPECT_EQ(t.s().envelope().sender, "a@client.test");
    EXPECT_EQ(t.s().envelope().recipients.at(0).address, "b@example.test");
    EXPECT_EQ(t.line("DATA"),
              "354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok: queued as 4cQ1\r\n");
    EXPECT_FALSE(t.s().envelope().open);
    EXPECT_EQ(t.s().where(), "END-OF-MESSAGE");
    EXPECT_EQ(t.line("QUIT"), "221 2.0.0 Bye\r\n");
    EXPECT_TRUE(t.closed);
    EXPECT_EQ(t.s().summary(), " ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5");
    EXPECT_EQ(t.asked, std::vector<Stage>{Stage::rcpt});
}

TEST(ServerSession, Smtputf8) {
    Talk talk;
    talk.options.smtputf8 = talk.options.dsn = true;
    EXPECT_THAT(talk.line("EHLO x"), testing::HasSubstr("250-DSN\r\n250 SMTPUTF8\r\n"));
    EXPECT_EQ(talk.line("MAIL FROM:<a@\xc3\xbc.test> SMTPUTF8"), "250 2.1.0 Ok\r\n");
    EXPECT_TRUE(talk.s().envelope().mail.smtputf8);
    EXPECT_EQ(talk.line("RCPT TO:<\xc3\xbc@\xc3\xbc.test>"), "250 2.1.5 Ok\r\n");
    EXPECT_EQ(talk.line("RCPT TO:<\xfc@x.test>"), "500 5.5.2 Error: bad UTF-8 syntax\r\n");
    EXPECT_EQ(talk.line("RSET"), "250 2.0.0 Ok\r\n");
    // Each transaction says it for itself.
    EXPECT_EQ(talk.line("MAIL FROM:<a@x.test>"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(talk.line("RCPT TO:<b@\xc3\xbc.test>"), "501 5.1.3 Bad recipient address syntax\r\n");
    EXPECT_EQ(talk.line("VRFY b@\xc3\xbc.test SMTPUTF8"), "252 2.0.0 b@\xc3\xbc.test\r\n");

    Talk hidden;
    hidden.options.smtputf8 = true;
    hidden.options.hidden_keywords = {"SMTPUTF8"};
    EXPECT_THAT(hidden.line("EHLO x"), testing::Not(testing::HasSubstr("SMTPUTF8")));
    EXPECT_EQ(hidden.line("MAIL FROM:<a@b.test> SMTPUTF8"),
              "555 5.5.4 Unsupported option: SMTPUTF8\r\n");
    EXPECT_EQ(hidden.line("NOOP \xfc"), "500 5.5.2 Error: bad UTF-8 syntax\r\n");

    Talk without;
    EXPECT_THAT(without.line("EHLO x"), testing::Not(testing::HasSubstr("SMTPUTF8")));
    EXPECT_EQ(without.line("NOOP \xfc"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(without.line("MAIL FROM:<\xfc@b.test>"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(without.line("MAIL FROM:<a@\xc3\xbc.test>"),
              "503 5.5.1 Error: nested MAIL command\r\n");
}

TEST(ServerSession, RepliesInEveryState) {
    struct Case {
        std::vector<const char*> before;
        const char* line;
        const char* reply;
    };
    const Case cases[] = {
        {{}, "HELO client.test", "250 mail.test\r\n"},
        {{}, "HELO", "501 Syntax: HELO hostname\r\n"},
        {{}, "EHLO", "501 Syntax: EHLO hostname\r\n"},
        {{}, "", "500 5.5.2 Error: bad syntax\r\n"},
        {{}, "FOO", "500 5.5.2 Error: command not recognized\r\n"},
        {{}, "ETRN site.test", "250 Queuing started\r\n"},
        {{}, "etrn @site.test", "250 Queuing started\r\n"},
        {{}, "ETRN #site.test", "250 Queuing started\r\n"},
        {{}, "ETRN [192.0.2.1]", "250 Queuing started\r\n"},
        {{}, "ETRN [IPv6:2001:db8::1]", "250 Queuing started\r\n"},
        {{}, "ETRN", "500 Syntax: ETRN domain\r\n"},
        {{}, "ETRN a b", "500 Syntax: ETRN domain\r\n"},
        {{}, "ETRN @", "501 Error: invalid parameter syntax\r\n"},
        {{}, "ETRN a..b", "501 Error: invalid parameter syntax\r\n"},
        {{}, "ETRN -a", "501 Error: invalid parameter syntax\r\n"},
        {{}, "ETRN ../a", "501 Error: invalid parameter syntax\r\n"},
        {{}, "ETRN 192.0.2.1", "501 Error: invalid parameter syntax\r\n"},
        {{}, "ETRN [192.0.2]", "501 Error: invalid parameter syntax\r\n"},
        {{}, "ETRN [192.0.2.1", "501 Error: invalid parameter syntax\r\n"},
        {{"MAIL FROM:<a@b.test>"}, "ETRN x", "503 Error: MAIL transaction in progress\r\n"},
        {{}, "NOOP", "250 2.0.0 Ok\r\n"},
        {{}, "RSET", "250 2.0.0 Ok\r\n"},
        {{}, "RSET x", "501 5.5.4 Syntax: RSET\r\n"},
        {{}, "QUIT x", "221 2.0.0 Bye\r\n"},
        {{}, "  NOOP  ", "250 2.0.0 Ok\r\n"},
        {{}, "NOOP\tx", "250 2.0.0 Ok\r\n"},
        {{}, "nOoP x y", "250 2.0.0 Ok\r\n"},
        {{"EHLO x"}, "MAIL\tFROM:<a@b.test> SIZE=1", "250 2.1.0 Ok\r\n"},
        {{}, "VRFY b@example.test", "252 2.0.0 b@example.test\r\n"},
        {{}, "VRFY", "501 5.5.4 Syntax: VRFY address\r\n"},
        {{}, "MAIL FROM:<a@b.test>", "250 2.1.0 Ok\r\n"},
        {{}, "RCPT TO:<a@b.test>", "503 5.5.1 Error: need MAIL command\r\n"},
        {{}, "DATA", "503 5.5.1 Error: need RCPT command\r\n"},
        {{}, "STARTTLS", "502 5.5.1 Error: command not implemented\r\n"},
        {{}, "AUTH PLAIN", "503 5.5.1 Error: send HELO/EHLO first\r\n"},
        {{"EHLO x"}, "AUTH PLAIN", "503 5.5.1 Error: authentication not enabled\r\n"},
        {{}, "MAIL FROM:<a@b.test> SIZE=1", "555 5.5.4 Unsupported option: SIZE=1\r\n"},
        {{"EHLO x"},
         "MAIL FROM:<a@b.test> SIZE=10240001",
         "552 5.3.4 Message size exceeds fixed limit\r\n"},
        {{"EHLO x"}, "MAIL FROM:<a@b.test> RET=FULL", "501 5.7.1 DSN support is disabled\r\n"},
        {{"MAIL FROM:<a@b.test>"},
         "MAIL FROM:<a@b.test>",
         "503 5.5.1 Error: nested MAIL command\r\n"},
        {{"MAIL FROM:<a@b.test>"}, "DATA", "554 5.5.1 Error: no valid recipients\r\n"},
        {{"MAIL FROM:<a@b.test>"}, "RCPT TO:<>", "501 5.1.3 Bad recipient address syntax\r\n"},
        {{"MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"}, "DATA x", "501 5.5.4 Syntax: DATA\r\n"},
        {{"MAIL FROM:<a@b.test>", "RSET"},
         "RCPT TO:<c@d.test>",
         "503 5.5.1 Error: need MAIL command\r\n"},
        {{"MAIL FROM:<a@b.test>", "EHLO y"},
         "RCPT TO:<c@d.test>",
         "503 5.5.1 Error: need MAIL command\r\n"},
        {{}, "GET / HTTP/1.1", "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"},
    };
    for (const auto& c : cases) {
        Talk t;
        for (const char* line : c.before) t.line(line);
        EXPECT_EQ(t.line(c.line), c.reply) << c.line;
    }
}

TEST(ServerSession, PolicyRefuses) {
    Talk t;
    t.lines({"HELO x", "MAIL FROM:<a@b.test>"});
    t.policy =
        Answer::refuse(550, "5.1.1", "<n@example.test>: Recipient address rejected: User unknown");
    EXPECT_EQ(t.line("RCPT TO:<n@example.test>"),
              "550 5.1.1 <n@example.test>: Recipient address rejected: User unknown\r\n");
    EXPECT_TRUE(t.logged);
    EXPECT_EQ(t.s().recipient(), "n@example.test");
    EXPECT_EQ(t.line("DATA"), "554 5.5.1 Error: no valid recipients\r\n");
    EXPECT_EQ(t.s().summary(), " helo=1 mail=1 rcpt=0/1 data=0/1 commands=2/4");
    t.policy.disconnect = true;
    t.line("RCPT TO:<n@example.test>");
    EXPECT_TRUE(t.closed);
    EXPECT_EQ(t.s().protocol(), "SMTP");
}

TEST(ServerSession, EarlyQuestions) {
    Talk t;
    t.options.ask_early = t.options.ask_data = t.options.ask_end_of_data = true;
    t.run(t.s().greet());
    t.lines({"EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA", "VRFY c@d.test"});
    EXPECT_EQ(t.asked, (std::vector{Stage::connect, Stage::helo, Stage::mail, Stage::rcpt,
                                    Stage::data, Stage::end_of_data, Stage::vrfy}));
}

TEST(ServerSession, RefusedAtConnectMayOnlyQuit) {
    Talk t;
    t.options.ask_early = true;
    t.policy =
        Answer::refuse(554, "5.7.1", "<unknown[192.0.2.1]>: Client host rejected: Access denied");
    EXPECT_EQ(t.run(t.s().greet()),
              "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied\r\n");
    EXPECT_EQ(t.line("EHLO x"), "503 5.5.1 Error: access denied\r\n");
    EXPECT_EQ(t.line("QUIT"), "221 2.0.0 Bye\r\n");
}

TEST(ServerSession, RefusedMailCanBeTriedAgain) {
    Talk t;
    t.options.ask_early = true;
    t.line("EHLO x");
    t.policy =
        Answer::refuse(450, "4.1.8", "<a@b.test>: Sender address rejected: Domain not found");
    t.line("MAIL FROM:<a@b.test>");
    EXPECT_EQ(t.line("RCPT TO:<c@d.test>"), "503 5.5.1 Error: need MAIL command\r\n");
    t.policy = Answer::accept();
    EXPECT_EQ(t.line("MAIL FROM:<a@c.test>"), "250 2.1.0 Ok\r\n");
}

TEST(ServerSession, ContentThatIsNotTaken) {
    struct Case {
        ContentEnd end;
        const char* reply;
        bool closed;
    };
    const Case cases[] = {
        {ContentEnd::too_big, "552 5.3.4 Error: message file too big\r\n", false},
        {ContentEnd::pipe_broken, "451 4.3.0 Error: queue file write error\r\n", false},
        {ContentEnd::bare_lf, "550 5.5.2 mail.test Error: bare <LF> received\r\n", false},
    };
    for (const auto& c : cases) {
        Talk t;
        t.lines({"HELO x", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"});
        t.content = c.end;
        EXPECT_EQ(t.line("DATA"), "354 End data with <CR><LF>.<CR><LF>\r\n" + std::string(c.reply));
        EXPECT_EQ(t.closed, c.closed);
    }
    Talk t;
    t.lines({"HELO x", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"});
    t.opening = Answer::refuse(452, "4.3.1", "Insufficient system storage");
    EXPECT_EQ(t.line("DATA"), "452 4.3.1 Insufficient system storage\r\n");
    t.lines({"MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"});
    t.opening = Answer::accept();
    t.commit = Answer::refuse(554, "5.4.6", "Error: too many hops");
    EXPECT_EQ(t.line("DATA"),
              "354 End data with <CR><LF>.<CR><LF>\r\n554 5.4.6 Error: too many hops\r\n");
    EXPECT_EQ(t.s().summary(), " helo=1 mail=2 rcpt=2 data=0/2 commands=5/7");
}

TEST(ServerSession, Limits) {
    Talk t;
    t.options.recipient_limit = 2;
    t.options.recipient_overshoot = 1;
    t.lines({"HELO x", "MAIL FROM:<a@b.test>", "RCPT TO:<1@d.test>", "RCPT TO:<2@d.test>"});
    EXPECT_EQ(t.line("RCPT TO:<3@d.test>"), "452 4.5.3 Error: too many recipients\r\n");
    EXPECT_EQ(t.s().envelope().recipients.size(), 2u);

    Talk errors;
    errors.options.soft_error_limit = 2;
    errors.options.hard_error_limit = 3;
    errors.lines({"FOO", "FOO"});
    EXPECT_TRUE(errors.s().slow());
    EXPECT_FALSE(errors.s().too_many_errors());
    errors.line("FOO");
    EXPECT_TRUE(errors.s().too_many_errors());
    EXPECT_EQ(errors.run(errors.s().on_too_many_errors()),
              "421 4.7.0 mail.test Error: too many errors\r\n");
    EXPECT_TRUE(errors.closed);

    Talk junk;
    junk.options.junk_command_limit = 2;
    junk.options.hard_error_limit = 2;
    junk.lines({"NOOP", "RSET", "NOOP", "NOOP"});
    EXPECT_TRUE(junk.s().too_many_errors());

    Talk good;
    good.line("FOO");
    good.lines({"HELO x", "MAIL FROM:<a@b.test>", "RCPT TO:<1@d.test>", "DATA"});
    good.options.soft_error_limit = 1;
    EXPECT_FALSE(good.s().slow()) << "a delivered message clears the record";

    Talk lengthy;
    EXPECT_EQ(lengthy.run(lengthy.s().on_long_line()), "500 5.5.2 Error: line too long\r\n");
}

TEST(ServerSession, StartTlsForgetsEverything) {
    Talk t;
    t.options.tls_available = true;
    EXPECT_NE(t.line("EHLO x").find("250-STARTTLS\r\n"), std::string::npos);
    t.line("MAIL FROM:<a@b.test>");
    EXPECT_EQ(t.line("STARTTLS x"), "501 5.5.4 Syntax: STARTTLS\r\n");
    EXPECT_EQ(t.line("STARTTLS"), "220 2.0.0 Ready to start TLS\r\n");
    EXPECT_EQ(t.s().helo(), "");
    EXPECT_FALSE(t.s().envelope().open);
    EXPECT_EQ(t.line("EHLO x").find("STARTTLS"), std::string::npos);
    EXPECT_EQ(t.s().protocol(), "ESMTPS");
    EXPECT_EQ(t.line("STARTTLS"), "554 5.5.1 Error: TLS already active\r\n");
}

TEST(ServerSession, TlsRequired) {
    Talk t;
    t.options.tls_available = t.options.tls_required = t.options.auth_enabled = true;
    t.line("EHLO x");
    for (const char* line : {"MAIL FROM:<a@b.test>", "AUTH PLAIN", "VRFY x", "DATA", "RSET"}) {
        EXPECT_EQ(t.line(line), "530 5.7.0 Must issue a STARTTLS command first\r\n") << line;
    }
    EXPECT_EQ(t.line("NOOP"), "250 2.0.0 Ok\r\n");
    t.line("STARTTLS");
    EXPECT_EQ(t.line("MAIL FROM:<a@b.test>"), "250 2.1.0 Ok\r\n");
}

std::string b64(std::string_view text) { return base64_encode(text); }

TEST(ServerSession, AuthPlainAndLogin) {
    const std::string plain("\0me\0secret", 10);
    Talk t;
    t.options.auth_enabled = true;
    EXPECT_NE(t.line("EHLO x").find("250-AUTH PLAIN LOGIN\r\n"), std::string::npos);
    EXPECT_EQ(t.line("AUTH PLAIN " + b64(plain)), "235 2.7.0 Authentication successful\r\n");
    EXPECT_EQ(t.response, plain);
    EXPECT_EQ(t.s().user(), "user@example.test");
    EXPECT_EQ(t.s().protocol(), "ESMTPA");
    EXPECT_EQ(t.line("AUTH PLAIN"), "503 5.5.1 Error: already authenticated\r\n");

    Talk two;
    two.options.auth_enabled = true;
    two.line("EHLO x");
    EXPECT_EQ(two.line("AUTH PLAIN"), "334 \r\n");
    EXPECT_TRUE(two.s().in_auth());
    EXPECT_EQ(two.line(b64(plain)), "235 2.7.0 Authentication successful\r\n");

    Talk login;
    login.options.auth_enabled = login.options.auth_for_broken_clients = true;
    EXPECT_NE(login.line("EHLO x").find("250-AUTH=PLAIN LOGIN\r\n"), std::string::npos);
    EXPECT_EQ(login.line("auth login"), "334 VXNlcm5hbWU6\r\n");
    EXPECT_EQ(login.line(b64("me")), "334 UGFzc3dvcmQ6\r\n");
    EXPECT_EQ(login.line(b64("secret")), "235 2.7.0 Authentication successful\r\n");
    EXPECT_EQ(login.response, plain);
    EXPECT_EQ(login.s().auth_method(), "LOGIN");
    EXPECT_EQ(login.s().summary(), " ehlo=1 auth=1 commands=2");
}

TEST(ServerSession, AuthFails) {
    struct Case {
        std::vector<std::string> lines;
        const char* reply;
    };
    const Case cases[] = {
        {{"AUTH"}, "501 5.5.4 Syntax: AUTH mechanism\r\n"},
        {{"AUTH CRAM-MD5"},
         "535 5.7.8 Error: authentication failed: Invalid authentication mechanism\r\n"},
        {{"AUTH PLAIN", "*"}, "501 5.7.0 Authentication aborted\r\n"},
        {{"AUTH PLAIN", "!!!"}, "501 5.5.2 Error: cannot decode response\r\n"},
        {{"AUTH PLAIN", b64("no nul")}, "501 5.5.2 Error: cannot decode response\r\n"},
        {{"AUTH PLAIN ="}, "501 5.5.2 Error: cannot decode response\r\n"},
        {{"AUTH LOGIN", b64("a"), "*"}, "501 5.7.0 Authentication aborted\r\n"},
        {{"AUTH LOGIN", b64("a"), b64("b")},
         "535 5.7.8 Error: authentication failed: authentication failure\r\n"},
        {{"MAIL FROM:<a@b.test>", "AUTH LOGIN"},
         "503 5.5.1 Error: MAIL transaction in progress\r\n"},
    };
    for (const auto& c : cases) {
        Talk t;
        t.options.auth_enabled = true;
        t.auth = {AuthResult::Kind::failure, ""};
        t.line("EHLO x");
        std::string last;
        for (const auto& line : c.lines) last = t.line(line);
        EXPECT_EQ(last, c.reply);
        EXPECT_FALSE(t.s().in_auth());
        EXPECT_EQ(t.s().user(), "");
    }
    Talk t;
    t.options.auth_enabled = true;
    t.auth = {};
    t.line("EHLO x");
    EXPECT_EQ(t.line("AUTH PLAIN " + b64(std::string("\0a\0b", 4))),
              "454 4.7.0 Temporary authentication failure\r\n");
    EXPECT_EQ(t.s().summary(), " ehlo=1 auth=0/1 commands=1/2");
}

TEST(ServerSession, AuthOnlyUnderTls) {
    Talk t;
    t.options.auth_enabled = t.options.auth_tls_only = t.options.tls_available = true;
    EXPECT_EQ(t.line("EHLO x").find("AUTH"), std::string::npos);
    EXPECT_EQ(t.line("AUTH PLAIN"),
              "538 5.7.11 Encryption required for requested authentication mechanism\r\n");
    t.line("STARTTLS");
    EXPECT_NE(t.line("EHLO x").find("AUTH"), std::string::npos);
}

// RFC 1985: the policy first, then qmgr.
TEST(ServerSession, Etrn) {
    Talk t;
    t.options.helo_required = true;
    EXPECT_EQ(t.line("ETRN site.test"), "503 Error: send HELO/EHLO first\r\n");
    t.line("EHLO x");
    EXPECT_EQ(t.line("ETRN @Site.test"), "250 Queuing started\r\n");
    EXPECT_EQ(t.site, "Site.test");
    EXPECT_EQ(t.asked, std::vector<Stage>{Stage::etrn});
    EXPECT_EQ(t.s().recipient(), "Site.test") << "for the question and the log";
    t.flushed = Flushed::not_served;
    EXPECT_EQ(t.line("ETRN site.test"), "459 <site.test>: service unavailable\r\n");
    t.flushed = Flushed::failed;
    EXPECT_EQ(t.line("ETRN site.test"), "458 Unable to queue messages\r\n");
    EXPECT_FALSE(t.logged);
    t.site.clear();
    t.policy = Answer::refuse(554, "5.7.1", "<site.test>: Etrn command rejected: Access denied");
    EXPECT_EQ(t.line("ETRN site.test"),
              "554 5.7.1 <site.test>: Etrn command rejected: Access denied\r\n");
    EXPECT_TRUE(t.logged);
    EXPECT_EQ(t.site, "") << "qmgr is not asked";
    EXPECT_EQ(t.s().where(), "ETRN");
}

TEST(ServerSession, HiddenKeywordsAndDsn) {
    Talk t;
    t.options.dsn = true;
    t.options.hidden_keywords = {"VRFY", "8BITMIME"};
    EXPECT_EQ(t.line("EHLO x"),
              "250-mail.test\r\n250-PIPELINING\r\n250-SIZE "
              "10240000\r\n250-ETRN\r\n250-ENHANCEDSTATUSCODES\r\n250 DSN\r\n");
    EXPECT_EQ(t.line("MAIL FROM:<a@b.test> RET=FULL ENVID=x"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(t.line("RCPT TO:<c@d.test> NOTIFY=NEVER"), "250 2.1.5 Ok\r\n");
    EXPECT_EQ(t.s().envelope().recipients.at(0).notify, kNever);
}

TEST(ServerSession, SoftBounceRefusesForNow) {
    Talk t;
    t.options.soft_bounce = true;
    EXPECT_EQ(t.line("FOO"), "400 4.5.2 Error: command not recognized\r\n");
    EXPECT_EQ(t.line("HELO"), "401 Syntax: HELO hostname\r\n");
    EXPECT_EQ(t.line("MAIL FROM:<a@b.test>"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(t.line("DATA"), "454 4.5.1 Error: no valid recipients\r\n");
}

TEST(ServerSession, KnowsWhoPipelinesTooEarly) {
    Talk t;
    t.line("EHLO x");
    EXPECT_TRUE(t.s().must_not_pipeline());
    t.line("MAIL FROM:<a@b.test>");
    EXPECT_FALSE(t.s().must_not_pipeline());
    Talk helo;
    helo.lines({"HELO x", "MAIL FROM:<a@b.test>"});
    EXPECT_TRUE(helo.s().must_not_pipeline()) << "without ESMTP nothing may be pipelined";
}

// RFC 5321 4.1.1.5: RSET is taken in every state, and a new transaction can begin behind it.
TEST(ServerSession, ResetsInEveryState) {
    const struct {
        const char* name;
        std::vector<const char*> before;
    } cases[] = {
        {"nothing said", {}},
        {"greeted", {"EHLO x"}},
        {"sender", {"EHLO x", "MAIL FROM:<a@b.test>"}},
        {"recipient", {"EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"}},
        {"wrong DATA", {"EHLO x", "MAIL FROM:<a@b.test>", "DATA"}},
        {"wrong MAIL", {"EHLO x", "MAIL FROM:a b"}},
        {"after a message", {"EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA"}},
        {"reset", {"EHLO x", "MAIL FROM:<a@b.test>", "RSET"}},
    };
    for (const auto& c : cases) {
        Talk t;
        for (const char* line : c.before) t.line(line);
        EXPECT_EQ(t.line("RSET"), "250 2.0.0 Ok\r\n") << c.name;
        EXPECT_TRUE(t.s().envelope().recipients.empty()) << c.name;
        EXPECT_TRUE(t.s().envelope().sender.empty()) << c.name;
        EXPECT_FALSE(t.s().envelope().open) << c.name;
        EXPECT_EQ(t.line("RCPT TO:<c@d.test>"), "503 5.5.1 Error: need MAIL command\r\n") << c.name;
        EXPECT_EQ(t.line("MAIL FROM:<a@b.test>"), "250 2.1.0 Ok\r\n") << c.name;
    }
    Talk t;
    t.options.auth_enabled = true;
    t.lines({"EHLO x", "AUTH LOGIN"});
    EXPECT_EQ(t.line("RSET"), "334 UGFzc3dvcmQ6\r\n")
        << "there it is base64: an answer as any other";
}

TEST(ServerSession, NulBytesAreDataLikeAnyOther) {
    using namespace std::string_view_literals;
    const std::pair<std::string_view, const char*> cases[] = {
        {"NOOP\0"sv, "500 5.5.2 Error: command not recognized\r\n"},
        {"\0"sv, "500 5.5.2 Error: command not recognized\r\n"},
        {"NOOP \0"sv, "250 2.0.0 Ok\r\n"},
        {"QUIT\0x"sv, "500 5.5.2 Error: command not recognized\r\n"},
        {"MAIL FROM:<a\0b@c.test>"sv, "501 5.1.7 Bad sender address syntax\r\n"},
        {"MAIL FROM:<a@c.test>\0"sv, "501 5.1.7 Bad sender address syntax\r\n"},
        {"MAIL FROM:<a@c.test> SIZE=1\0"sv, "501 5.5.4 Bad message size syntax\r\n"},
        {"VRFY a\0b@c.test"sv, "501 5.1.3 Bad recipient address syntax\r\n"},
    };
    for (const auto& [line, reply] : cases) {
        Talk t;
        t.line("EHLO x");
        EXPECT_EQ(t.line(line), reply) << line;
        EXPECT_FALSE(t.closed);
    }
    Talk t;
    t.line("EHLO a\0\r\x1b[2Jb"sv);
    EXPECT_EQ(t.s().helo(), "a???[2Jb") << "fit for the log and for Received:";
}

TEST(ServerSession, CommandsWithoutATransactionAreCountedAsErrors) {
    const char* const wrong[] = {
        "DATA", "RCPT TO:<a@b.test>", "FOO", "", "MAIL FROM:a b", "EHLO", "VRFY", "RSET x"};
    for (const char* line : wrong) {
        Talk t;
        t.options.hard_error_limit = 3;
        for (int i = 0; i < 2; ++i) t.line(line);
        EXPECT_FALSE(t.s().too_many_errors()) << line;
        t.line(line);
        EXPECT_TRUE(t.s().too_many_errors()) << line;
    }
}

// What policy or cleanup say becomes one reply, whatever they say.
TEST(ServerSession, LongRefusalsStayOneLine) {
    for (const std::size_t size : {0U, 1U, 500U, 512U, 5000U}) {
        Talk t;
        t.policy = Answer::refuse(550, "5.7.1", std::string(size, 'x'));
        t.lines({"EHLO x", "MAIL FROM:<a@b.test>"});
        const auto reply = t.line("RCPT TO:<c@d.test>");
        EXPECT_EQ(reply, "550 5.7.1 " + std::string(size, 'x') + "\r\n");
        EXPECT_FALSE(t.closed);
    }
}

TEST(ServerSession, QuitIsTakenInEveryStateButAuthentication) {
    for (const std::vector<const char*>& before :
         {std::vector<const char*>{},
          {"EHLO x"},
          {"MAIL FROM:<a@b.test>"},
          {"MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"}}) {
        Talk t;
        for (const char* line : before) t.line(line);
        EXPECT_EQ(t.line("QUIT"), "221 2.0.0 Bye\r\n");
        EXPECT_TRUE(t.closed);
    }
}

TEST(ServerSession, AFullDiskIsToldAtMail) {
    Talk talk;
    std::vector<std::uint64_t> asked;
    talk.options.size_limit = 1000;
    talk.options.room_for = [&](std::uint64_t size) {
        asked.push_back(size);
        return size < 500;
    };
    (void)talk.run(talk.s().on_line("EHLO client.test"));
    EXPECT_EQ(talk.run(talk.s().on_line("MAIL FROM:<a@b.test> SIZE=600")),
              "452 4.3.1 Insufficient system storage\r\n");
    EXPECT_TRUE(talk.logged);
    EXPECT_EQ(talk.run(talk.s().on_line("RCPT TO:<c@d.test>")),
              "503 5.5.1 Error: need MAIL command\r\n");
    // Too large for ever comes before too large for now.
    EXPECT_EQ(talk.run(talk.s().on_line("MAIL FROM:<a@b.test> SIZE=2000")),
              "552 5.3.4 Message size exceeds fixed limit\r\n");
    EXPECT_EQ(talk.run(talk.s().on_line("MAIL FROM:<a@b.test>")), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(asked, (std::vector<std::uint64_t>{600, 0}));
}

}  // namespace
}  // namespace postern::smtp
