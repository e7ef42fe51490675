#include "lib/smtp/client_session.h"

#include "lib/base/strings.h"

namespace postern::smtp {
namespace {

using Step = ClientSession::Step;
using ClientStage = ClientSession::Stage;

constexpr std::string_view kEhlo =
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n";
constexpr std::string_view kPlainEhlo = "250 mx.test\r\n";

PeerName peer() { return {"mx.test", "192.0.2.1", 25}; }

ClientTransaction to(std::vector<std::string> recipients) {
    ClientTransaction transaction;
    transaction.sender = "s@x.test";
    for (auto& address : recipients) transaction.recipients.push_back({address, "", ""});
    return transaction;
}

// A session that has been greeted and is ready.
struct Opened {
    explicit Opened(std::string_view ehlo = kEhlo, ClientOptions options = {})
        : session((options.helo_name = "me.test", options), peer()) {
        session.on_connected();
        session.on_input("220 hello\r\n");
        greeting_sent = session.take_output();
        step = session.on_input(ehlo);
    }
    // Server's bytes in; what the client then says.
    std::string say(std::string_view bytes) {
        step = session.on_input(bytes);
        return session.take_output();
    }
    std::string begin(ClientTransaction transaction) {
        step = session.start(std::move(transaction));
        return session.take_output();
    }
    const RecipientOutcome& outcome(std::size_t i) { return session.outcomes().at(i); }

    ClientSession session;
    std::string greeting_sent;
    Step step;
};

TEST(ClientSessionTest, OpensWithEhlo) {
    Opened o;
    EXPECT_EQ(o.greeting_sent, "EHLO me.test\r\n");
    EXPECT_EQ(o.step, Step::ready);
    const Extensions& e = o.session.extensions();
    EXPECT_TRUE(e.pipelining && e.size && e.eight_bit_mime && e.dsn && e.smtputf8);
    EXPECT_EQ(e.size_limit, 1000u);
    EXPECT_FALSE(e.starttls);
    EXPECT_EQ(o.session.stage(), ClientStage::idle);
}

TEST(ClientSessionTest, FallsBackToHelo) {
    Opened o("502 what\r\n");
    EXPECT_EQ(o.step, Step::wait);
    EXPECT_EQ(o.session.take_output(), "HELO me.test\r\n");
    EXPECT_EQ(o.session.stage(), ClientStage::helo);
    EXPECT_EQ(o.session.on_input("250 hello\r\n"), Step::ready);
    EXPECT_FALSE(o.session.extensions().pipelining);
}

TEST(ClientSessionTest, RefusalsAtTheDoor) {
    struct Case {
        std::string greeting, ehlo, helo;
        Verdict::Kind kind;
        std::string status, text;
    };
    using Kind = Verdict::Kind;
    const Case cases[] = {
        {"554 5.7.1 go away", "", "", Kind::defer, "4.7.1",
         "host mx.test[192.0.2.1] refused to talk to me: 554 5.7.1 go away"},
        {"421 busy", "", "", Kind::defer, "4.0.0",
         "host mx.test[192.0.2.1] refused to talk to me: 421 busy"},
        {"220 hi", "421 4.3.2 later", "", Kind::defer, "4.3.2",
         "host mx.test[192.0.2.1] refused to talk to me: 421 4.3.2 later"},
        {"220 hi", "500 no", "550 5.7.0 not you", Kind::reject, "5.7.0",
         "host mx.test[192.0.2.1] refused to talk to me: 550 5.7.0 not you"},
    };
    for (const Case& c : cases) {
        ClientSession session({}, peer());
        session.on_connected();
        Step step = session.on_input(c.greeting + "\r\n");
        if (!c.ehlo.empty()) step = session.on_input(c.ehlo + "\r\n");
        if (!c.helo.empty()) step = session.on_input(c.helo + "\r\n");
        EXPECT_EQ(step, Step::failed) << c.text;
        EXPECT_EQ(session.failure().verdict.kind, c.kind) << c.text;
        EXPECT_EQ(session.failure().verdict.status, c.status);
        EXPECT_EQ(session.failure().verdict.text, c.text);
    }
}

TEST(ClientSessionTest, LoopIsSeenInEhlo) {
    ClientOptions options;
    options.own_name = "MX.test";
    options.destination = "x.test";
    Opened o(kEhlo, options);
    EXPECT_EQ(o.step, Step::failed);
    EXPECT_EQ(o.session.failure().verdict.text, "mail for x.test loops back to myself");
    EXPECT_TRUE(o.session.failure().verdict.rejected());
}

TEST(ClientSessionTest, PipelinedTransaction) {
    Opened o;
    ClientTransaction transaction = to({"a@y.test", "b@y.test"});
    transaction.size = 100;
    transaction.body_8bit = true;
    EXPECT_EQ(o.begin(transaction),
              "MAIL FROM:<s@x.test> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<a@y.test>\r\n"
              "RCPT TO:<b@y.test>\r\nDATA\r\n");
    EXPECT_EQ(o.session.stage(), ClientStage::mail);
    EXPECT_EQ(o.say("250 ok\r\n250 ok\r\n550 5.1.1 unknown\r\n354 go\r\n"), "");
    EXPECT_EQ(o.step, Step::send_body);
    EXPECT_EQ(o.session.stage(), ClientStage::data_xfer);
    o.session.on_body_sent();
    EXPECT_EQ(o.session.stage(), ClientStage::data_done);
    o.say("250 2.0.0 Ok: queued as 1\r\n");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_TRUE(o.outcome(0).verdict.accepted());
    EXPECT_EQ(o.outcome(0).verdict.text, "250 2.0.0 Ok: queued as 1");
    EXPECT_TRUE(o.outcome(1).verdict.rejected());
    EXPECT_EQ(o.outcome(1).verdict.status, "5.1.1");
    EXPECT_EQ(o.outcome(1).verdict.text,
              "host mx.test[192.0.2.1] said: 550 5.1.1 unknown (in reply to RCPT TO command)");
    EXPECT_EQ(o.outcome(1).reply, "550 5.1.1 unknown");
    EXPECT_TRUE(o.session.reusable());
    // The next one needs no RSET.
    EXPECT_TRUE(istarts_with(o.begin(to({"c@y.test"})), "MAIL FROM:<s@x.test>\r\n"));
}

TEST(ClientSessionTest, LockStepWithoutPipelining) {
    Opened o(kPlainEhlo);
    EXPECT_EQ(o.begin(to({"a@y.test", "b@y.test"})), "MAIL FROM:<s@x.test>\r\n");
    EXPECT_EQ(o.say("250 ok\r\n"), "RCPT TO:<a@y.test>\r\n");
    EXPECT_EQ(o.say("450 4.2.0 later\r\n"), "RCPT TO:<b@y.test>\r\n");
    EXPECT_EQ(o.say("250 ok\r\n"), "DATA\r\n");
    EXPECT_EQ(o.say("354 go\r\n"), "");
    EXPECT_EQ(o.step, Step::send_body);
    o.session.on_body_sent();
    o.say("250 done\r\n");
    EXPECT_TRUE(o.outcome(0).verdict.deferred());
    EXPECT_EQ(o.outcome(0).verdict.status, "4.2.0");
    EXPECT_TRUE(o.outcome(1).verdict.accepted());
}

TEST(ClientSessionTest, MailRefused) {
    for (std::string_view ehlo : {kEhlo, kPlainEhlo}) {
        Opened o(ehlo);
        o.begin(to({"a@y.test", "b@y.test"}));
        o.say(ehlo == kEhlo
                  ? "550 5.1.8 bad sender\r\n503 no mail\r\n503 no mail\r\n503 no rcpt\r\n"
                  : "550 5.1.8 bad sender\r\n");
        EXPECT_EQ(o.step, Step::finished);
        EXPECT_EQ(
            o.outcome(0).verdict.text,
            "host mx.test[192.0.2.1] said: 550 5.1.8 bad sender (in reply to MAIL FROM command)");
        EXPECT_EQ(o.outcome(1).verdict.status, "5.1.8");
        EXPECT_TRUE(o.session.reusable());
    }
}

TEST(ClientSessionTest, AllRecipientsRefused) {
    Opened plain(kPlainEhlo);
    plain.begin(to({"a@y.test"}));
    plain.say("250 ok\r\n");
    EXPECT_EQ(plain.say("550 no\r\n"), "");
    EXPECT_EQ(plain.step, Step::finished);
    // The server still has our MAIL: the next transaction begins with RSET.
    EXPECT_EQ(plain.begin(to({"b@y.test"})), "RSET\r\n");
    EXPECT_EQ(plain.session.stage(), ClientStage::rset);
    EXPECT_EQ(plain.say("250 ok\r\n"), "MAIL FROM:<s@x.test>\r\n");

    Opened piped;
    piped.begin(to({"a@y.test"}));
    piped.say("250 ok\r\n550 no\r\n554 no recipients\r\n");
    EXPECT_EQ(piped.step, Step::finished);
    EXPECT_EQ(piped.begin(to({"b@y.test"})),
              "RSET\r\nMAIL FROM:<s@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
    EXPECT_EQ(piped.say("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n"), "");
    EXPECT_EQ(piped.step, Step::send_body);
}

TEST(ClientSessionTest, DataAcceptedWithoutRecipients) {
    Opened o;
    o.begin(to({"a@y.test"}));
    EXPECT_EQ(o.say("250 ok\r\n550 no\r\n354 go\r\n"), ".\r\n");
    EXPECT_EQ(o.step, Step::wait);
    o.say("554 no recipients\r\n");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_EQ(o.outcome(0).verdict.text,
              "host mx.test[192.0.2.1] said: 550 no (in reply to RCPT TO command)");
    EXPECT_TRUE(o.session.reusable());
}

TEST(ClientSessionTest, DataRefused) {
    Opened o;
    o.begin(to({"a@y.test"}));
    o.say("250 ok\r\n250 ok\r\n451 4.3.0 disk\r\n");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_EQ(o.outcome(0).verdict.text,
              "host mx.test[192.0.2.1] said: 451 4.3.0 disk (in reply to DATA command)");
    EXPECT_TRUE(o.outcome(0).verdict.deferred());
}

TEST(ClientSessionTest, EndOfDataRefused) {
    Opened o;
    o.begin(to({"a@y.test", "b@y.test"}));
    o.say("250 ok\r\n250 ok\r\n452 full\r\n354 go\r\n");
    o.session.on_body_sent();
    o.say("554 5.6.0 spam\r\n");
    EXPECT_EQ(o.outcome(0).verdict.text,
              "host mx.test[192.0.2.1] said: 554 5.6.0 spam (in reply to end of DATA command)");
    EXPECT_TRUE(o.outcome(0).verdict.rejected());
    EXPECT_TRUE(o.outcome(1).verdict.deferred());  // its own answer stands
}

TEST(ClientSessionTest, RefusalDuringTheBody) {
    Opened o;
    o.begin(to({"a@y.test"}));
    o.say("250 ok\r\n250 ok\r\n354 go\r\n");
    o.say("552 5.3.4 too big\r\n");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_TRUE(o.outcome(0).verdict.rejected());
    EXPECT_FALSE(o.session.reusable());
    EXPECT_EQ(o.session.on_body_sent(), Step::wait);
}

TEST(ClientSessionTest, AcceptanceBeforeTheEndIsNotBelieved) {
    Opened o;
    o.begin(to({"a@y.test"}));
    o.say("250 ok\r\n250 ok\r\n354 go\r\n250 thanks already\r\n");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_TRUE(o.outcome(0).verdict.deferred());
    EXPECT_FALSE(o.session.reusable());
}

TEST(ClientSessionTest, LostAndTimedOut) {
    struct Case {
        std::string name;
        std::vector<std::string> server;
        bool body_sent;
        std::string doing;
        bool before_end;
    };
    const Case cases[] = {
        {"mail", {}, false, "sending MAIL FROM", true},
        {"rcpt", {"250 ok"}, false, "sending RCPT TO", true},
        {"data", {"250 ok", "250 ok"}, false, "sending DATA command", true},
        {"body", {"250 ok", "250 ok", "354 go"}, false, "sending message body", true},
        {"end",
         {"250 ok", "250 ok", "354 go"},
         true,
         "sending end of data -- message may be sent more than once",
         false},
    };
    for (const Case& c : cases) {
        for (bool timeout : {false, true}) {
            Opened o;
            o.begin(to({"a@y.test"}));
            for (const auto& line : c.server) o.say(line + "\r\n");
            if (c.body_sent) o.session.on_body_sent();
            EXPECT_EQ(timeout ? o.session.on_timeout() : o.session.on_lost(), Step::finished)
                << c.name;
            EXPECT_TRUE(o.outcome(0).verdict.deferred());
            EXPECT_EQ(o.outcome(0).verdict.status, "4.4.2");
            EXPECT_EQ(o.outcome(0).verdict.text,
                      (timeout ? "conversation with mx.test[192.0.2.1] timed out while "
                               : "lost connection with mx.test[192.0.2.1] while ") +
                          c.doing);
            EXPECT_EQ(o.session.lost_before_end(), c.before_end) << c.name;
            EXPECT_FALSE(o.session.reusable());
        }
    }
}

TEST(ClientSessionTest, LostBeforeATransaction) {
    ClientSession session({}, peer());
    session.on_connected();
    EXPECT_EQ(session.stage(), ClientStage::helo);
    EXPECT_EQ(session.on_lost(), Step::failed);
    EXPECT_EQ(
        session.failure().verdict.text,
        "lost connection with mx.test[192.0.2.1] while receiving the initial server greeting");
}

TEST(ClientSessionTest, PartialResultsSurviveALoss) {
    Opened o;
    o.begin(to({"a@y.test", "b@y.test"}));
    o.say("250 ok\r\n550 5.1.1 no\r\n");
    EXPECT_EQ(o.session.on_lost(), Step::finished);
    EXPECT_TRUE(o.outcome(0).verdict.rejected());
    EXPECT_TRUE(o.outcome(1).verdict.deferred());
}

TEST(ClientSessionTest, GarbageEndsTheSession) {
    Opened o;
    o.begin(to({"a@y.test"}));
    o.say("250 ok\r\nhello there\r\n");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_TRUE(o.outcome(0).verdict.deferred());
    EXPECT_FALSE(o.session.reusable());
    EXPECT_NE(o.outcome(0).verdict.text.find("Protocol error"), std::string::npos);
}

TEST(ClientSessionTest, UnexpectedReplyClasses) {
    Opened o;
    o.begin(to({"a@y.test"}));
    o.say("250 ok\r\n354 what\r\n250 what\r\n");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_TRUE(o.outcome(0).verdict.deferred());
    EXPECT_FALSE(o.session.reusable());
}

TEST(ClientSessionTest, UnaskedReplyMakesUnusable) {
    Opened o;
    EXPECT_TRUE(o.session.reusable());
    o.say("421 4.4.2 idle too long\r\n");
    EXPECT_EQ(o.step, Step::wait);
    EXPECT_FALSE(o.session.reusable());
    EXPECT_EQ(o.session.quit(), Step::close);
    EXPECT_FALSE(o.session.has_output());
}

TEST(ClientSessionTest, FourTwentyOneAfterSuccess) {
    Opened o;
    o.begin(to({"a@y.test"}));
    o.say("250 ok\r\n250 ok\r\n354 go\r\n");
    o.session.on_body_sent();
    o.say("250 taken\r\n421 enough\r\n");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_TRUE(o.outcome(0).verdict.accepted());
    EXPECT_FALSE(o.session.reusable());
}

TEST(ClientSessionTest, Lmtp) {
    ClientOptions options;
    options.lmtp = true;
    Opened o("250-mx\r\n250 PIPELINING\r\n", options);
    EXPECT_EQ(o.greeting_sent, "LHLO me.test\r\n");
    o.begin(to({"a@y.test", "b@y.test", "c@y.test"}));
    o.say("250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n");
    o.session.on_body_sent();
    o.say("250 2.1.5 stored\r\n");
    EXPECT_EQ(o.step, Step::wait);
    o.say("452 4.2.2 over quota\r\n");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_TRUE(o.outcome(0).verdict.accepted());
    EXPECT_TRUE(o.outcome(1).verdict.rejected());
    EXPECT_EQ(o.outcome(2).verdict.status, "4.2.2");
    EXPECT_TRUE(o.session.reusable());
}

TEST(ClientSessionTest, LmtpHasNoHelo) {
    ClientOptions options;
    options.lmtp = true;
    Opened o("500 what\r\n", options);
    EXPECT_EQ(o.step, Step::failed);
    EXPECT_TRUE(o.session.failure().verdict.rejected());
}

TEST(ClientSessionTest, StartTls) {
    ClientOptions options;
    options.tls = TlsLevel::may;
    Opened o("250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n", options);
    EXPECT_EQ(o.session.take_output(), "STARTTLS\r\n");
    EXPECT_EQ(o.session.stage(), ClientStage::starttls);
    EXPECT_EQ(o.say("220 go\r\n"), "");
    EXPECT_EQ(o.step, Step::start_tls);
    EXPECT_EQ(o.session.on_tls(true), Step::wait);
    EXPECT_EQ(o.session.take_output(), "EHLO me.test\r\n");
    EXPECT_FALSE(o.session.extensions().pipelining);  // forgotten
    o.say("250-mx\r\n250 STARTTLS\r\n");
    EXPECT_EQ(o.step, Step::ready);  // and not a second time
    EXPECT_TRUE(o.session.encrypted());
}

TEST(ClientSessionTest, StartTlsTroubles) {
    ClientOptions may, encrypt;
    may.tls = TlsLevel::may;
    encrypt.tls = TlsLevel::encrypt;
    constexpr std::string_view kTls = "250-mx\r\n250 STARTTLS\r\n";

    Opened not_offered(kEhlo, encrypt);
    EXPECT_EQ(not_offered.step, Step::failed);
    EXPECT_EQ(not_offered.session.failure().verdict.text,
              "TLS is required, but was not offered by host mx.test[192.0.2.1]");
    EXPECT_EQ(not_offered.session.failure().verdict.status, "4.7.4");

    Opened refused(kTls, encrypt);
    refused.say("454 4.7.0 no\r\n");
    EXPECT_EQ(refused.step, Step::failed);

    Opened plain(kTls, may);
    plain.say("454 4.7.0 no\r\n");
    EXPECT_EQ(plain.step, Step::ready);

    Opened handshake(kTls, may);
    handshake.say("220 go\r\n");
    EXPECT_EQ(handshake.session.on_tls(false, "wrong version"), Step::failed);
    EXPECT_TRUE(handshake.session.tls_failed());

    Opened lost(kTls, may);
    lost.say("220 go\r\n");
    EXPECT_EQ(lost.session.on_lost(), Step::failed);
    EXPECT_TRUE(lost.session.tls_failed());

    Opened injected(kTls, may);
    injected.say("220 go\r\n250 pretend\r\n");
    EXPECT_EQ(injected.step, Step::failed);
    EXPECT_TRUE(injected.session.tls_failed());
}

TEST(ClientSessionTest, SizeAndUtf8AreCheckedBeforehand) {
    Opened o;
    ClientTransaction big = to({"a@y.test"});
    big.size = 1001;
    EXPECT_EQ(o.begin(big), "");
    EXPECT_EQ(o.step, Step::finished);
    EXPECT_EQ(o.outcome(0).verdict.text,
              "message size 1001 exceeds size limit 1000 of server mx.test[192.0.2.1]");
    EXPECT_TRUE(o.session.reusable());

    Opened plain(kPlainEhlo);
    ClientTransaction utf8 = to({"a@y.test"});
    utf8.smtputf8 = utf8.utf8_header = true;
    EXPECT_EQ(plain.begin(utf8), "");
    EXPECT_EQ(plain.outcome(0).verdict.status, "5.6.7");
}

TEST(ClientSessionTest, DeliveryStatusParameters) {
    ClientTransaction transaction = to({"a@y.test"});
    transaction.envid = "QQ1";
    transaction.ret = "HDRS";
    transaction.recipients[0].notify = "NEVER";
    transaction.recipients[0].orcpt = "rfc822;a@y.test";
    transaction.smtputf8 = true;
    Opened o;
    EXPECT_EQ(o.begin(transaction),
              "MAIL FROM:<s@x.test> SMTPUTF8 RET=HDRS ENVID=QQ1\r\n"
              "RCPT TO:<a@y.test> NOTIFY=NEVER ORCPT=rfc822;a@y.test\r\nDATA\r\n");
    Opened plain(kPlainEhlo);
    transaction.smtputf8 = false;
    EXPECT_EQ(plain.begin(transaction), "MAIL FROM:<s@x.test>\r\n");
}

TEST(ClientSessionTest, AddressesCannotSmuggleCommands) {
    Opened o;
    EXPECT_EQ(o.begin(to({"a@y.test>\r\nRSET", "b@y.test"})),
              "MAIL FROM:<s@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
    EXPECT_TRUE(o.outcome(0).verdict.rejected());

    Opened bad_sender;
    ClientTransaction transaction = to({"b@y.test"});
    transaction.sender = "x\r\nQUIT";
    EXPECT_EQ(bad_sender.begin(transaction), "");
    EXPECT_EQ(bad_sender.step, Step::finished);
    EXPECT_EQ(bad_sender.outcome(0).verdict.status, "5.1.7");
}

TEST(ClientSessionTest, Quit) {
    Opened quick;
    EXPECT_EQ(quick.session.quit(), Step::close);
    EXPECT_EQ(quick.session.take_output(), "QUIT\r\n");

    ClientOptions options;
    options.skip_quit_response = false;
    Opened o(kEhlo, options);
    EXPECT_EQ(o.session.quit(), Step::wait);
    EXPECT_EQ(o.session.stage(), ClientStage::quit);
    o.session.take_output();
    o.say("221 bye\r\n");
    EXPECT_EQ(o.step, Step::close);
    EXPECT_EQ(o.session.on_lost(), Step::close);
}

// Says what the test wants said; notes what it was asked.
struct FakeAuthenticator final : ClientAuthenticator {
    Result<std::string> choose(const std::vector<std::string>& offered,
                               Protection protection) override {
        offers = offered;
        secured = protection != Protection::none;
        if (mechanism.empty()) return Error{Errc::not_found, "no mechanism available"};
        return mechanism;
    }
    std::optional<std::string> initial_response() override { return initial; }
    Result<std::string> respond(std::string_view challenge) override {
        challenges.emplace_back(challenge);
        if (challenges.size() > 2) return Error{Errc::invalid, "unexpected challenge"};
        return std::string("answer");
    }
    std::string mechanism = "TEST";
    std::optional<std::string> initial;
    std::vector<std::string> offers, challenges;
    bool secured = false;
};

struct Login {
    Login() { options.authenticator = auth; }
    std::shared_ptr<FakeAuthenticator> auth = std::make_shared<FakeAuthenticator>();
    ClientOptions options;
};
constexpr std::string_view kAuthEhlo = "250-mx.test\r\n250 AUTH PLAIN TEST\r\n";

TEST(ClientLoginTest, ChallengesAndSuccess) {
    Login login;
    Opened o(kAuthEhlo, login.options);
    EXPECT_EQ(o.step, Step::wait);
    EXPECT_EQ(o.session.take_output(), "AUTH TEST\r\n");
    EXPECT_THAT(login.auth->offers, testing::ElementsAre("PLAIN", "TEST"));
    EXPECT_FALSE(login.auth->secured);
    EXPECT_EQ(o.say("334 Q0g=\r\n"), "YW5zd2Vy\r\n");
    EXPECT_EQ(o.say("334 \r\n"), "YW5zd2Vy\r\n");
    EXPECT_THAT(login.auth->challenges, testing::ElementsAre("CH", ""));
    o.say("235 2.7.0 in\r\n");
    EXPECT_EQ(o.step, Step::ready);
}

TEST(ClientLoginTest, InitialResponse) {
    Login login;
    login.auth->initial = "";
    EXPECT_EQ(Opened(kAuthEhlo, login.options).session.take_output(), "AUTH TEST =\r\n");
    login.auth->initial = "x";
    EXPECT_EQ(Opened(kAuthEhlo, login.options).session.take_output(), "AUTH TEST eA==\r\n");
    login.auth->initial = std::string(500, 'x');  // RFC 5321 4.5.3.1.4
    Opened o(kAuthEhlo, login.options);
    EXPECT_EQ(o.step, Step::failed);
    EXPECT_EQ(o.session.take_output(), "");
}

TEST(ClientLoginTest, Failures) {
    struct Case {
        std::string answer;
        bool soft;
        Verdict::Kind kind;
        std::string status;
    };
    const Case cases[] = {
        {"535 5.7.8 no\r\n", true, Verdict::Kind::defer, "4.7.8"},
        {"535 5.7.8 no\r\n", false, Verdict::Kind::reject, "5.7.8"},
        {"454 4.7.0 later\r\n", false, Verdict::Kind::defer, "4.7.0"},
        {"250 what\r\n", false, Verdict::Kind::defer, "4.0.0"},
        {"334 !!!\r\n", false, Verdict::Kind::defer, "4.7.0"},
    };
    for (const Case& c : cases) {
        Login login;
        login.options.auth_soft_bounce = c.soft;
        Opened o(kAuthEhlo, login.options);
        o.say(c.answer);
        EXPECT_EQ(o.step, Step::failed) << c.answer;
        EXPECT_EQ(o.session.failure().verdict.kind, c.kind) << c.answer;
        EXPECT_EQ(o.session.failure().verdict.status, c.status) << c.answer;
        EXPECT_THAT(o.session.failure().verdict.text,
                    testing::HasSubstr("SASL authentication failed; "));
    }
}

TEST(ClientLoginTest, NoMechanismAndNoOffer) {
    Login login;
    Opened stranger(kPlainEhlo, login.options);
    EXPECT_EQ(stranger.step, Step::ready) << "a server without AUTH is spoken to without a login";
    login.auth->mechanism.clear();
    Opened o(kAuthEhlo, login.options);
    EXPECT_EQ(o.step, Step::failed);
    EXPECT_EQ(o.session.failure().verdict.text,
              "SASL authentication failed; cannot authenticate to server mx.test[192.0.2.1]: no "
              "mechanism available");
}

TEST(ClientLoginTest, AServerThatNeverStopsAskingIsLeft) {
    Login login;
    Opened o(kAuthEhlo, login.options);
    for (int i = 0; i < 3; ++i) o.say("334 Q0g=\r\n");
    EXPECT_EQ(o.step, Step::failed);
}

TEST(ClientSessionTest, AnUntrustedServerGetsNothing) {
    ClientOptions options;
    options.tls = TlsLevel::verify;
    Opened o("250-mx.test\r\n250 STARTTLS\r\n", options);
    o.session.take_output();
    o.say("220 go\r\n");
    EXPECT_EQ(o.session.on_untrusted("Server certificate not trusted"), Step::failed);
    EXPECT_EQ(o.session.failure().verdict.status, "4.7.5");
    EXPECT_FALSE(o.session.tls_failed());
    EXPECT_EQ(o.session.take_output(), "");
}

}  // namespace
}  // namespace postern::smtp
