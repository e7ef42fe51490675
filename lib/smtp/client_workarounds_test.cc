// The client with servers that need to be treated differently, see client_opening.cc.
#include "lib/smtp/client_session.h"

namespace postern::smtp {
namespace {

constexpr std::string_view kServerOffer = "250-mx.test\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n";

struct PlainTalk {
    explicit PlainTalk(ClientOptions options, std::string_view greeting = "220 mx.test ESMTP\r\n")
        : session((options.helo_name = "me.test", options), {"mx.test", "192.0.2.1", 25}) {
        session.on_connected();
        session.on_input(greeting);
        hello = session.take_output();
    }
    std::string say(std::string_view bytes) {
        step = session.on_input(bytes);
        return session.take_output();
    }
    std::string begin(bool probe, std::vector<std::string> recipients = {"a@y.test"}) {
        ClientTransaction mail;
        mail.sender = "s@x.test";
        mail.probe = probe;
        for (auto& one : recipients) mail.recipients.push_back({std::move(one), "", ""});
        step = session.start(std::move(mail));
        return session.take_output();
    }
    ClientSession session;
    std::string hello;
    ClientSession::Step step = ClientSession::Step::wait;
};

// As Postfix 3.7 answers these greetings.
TEST(ClientWorkarounds, FirewallsAreKnownByTheirGreeting) {
    const struct {
        std::string greeting;
        bool pix;
    } cases[] = {
        {"220 **************************\r\n", true},
        {"220 ***0***2** 2\r\n", true},
        {"220-****\r\n220 ****\r\n", false},  // Postfix, too, does not look for "-"
        {"220\r\n", true},
        {"220 mx.test ESMTP ****\r\n", false},
        {"220 *** ESMTP\r\n", false},
    };
    for (const auto& c : cases) {
        for (const bool helo : {false, true}) {
            ClientOptions options;
            options.pix.disable_esmtp = helo;
            PlainTalk talk(options, c.greeting);
            EXPECT_EQ(talk.session.behind_pix(), c.pix) << c.greeting;
            EXPECT_EQ(talk.hello, c.pix && helo ? "HELO me.test\r\n" : "EHLO me.test\r\n");
        }
    }
    ClientOptions lmtp;
    lmtp.lmtp = lmtp.pix.disable_esmtp = true;
    EXPECT_EQ(PlainTalk(lmtp, "220 ***\r\n").hello, "LHLO me.test\r\n");
}

TEST(ClientWorkarounds, WhichHello) {
    const struct {
        bool always, never;
        std::string greeting, hello;
    } cases[] = {
        {true, false, "220 old", "EHLO"},       {false, false, "220 old", "HELO"},
        {false, false, "220 x esmtp", "EHLO"},  {false, false, "220-old\r\n220 ESMTP", "EHLO"},
        {false, false, "220 NOESMTPS", "HELO"}, {true, true, "220 x ESMTP", "HELO"},
    };
    for (const auto& c : cases) {
        ClientOptions options;
        options.always_ehlo = c.always;
        options.never_ehlo = c.never;
        EXPECT_EQ(PlainTalk(options, c.greeting + "\r\n").hello, c.hello + " me.test\r\n")
            << c.greeting;
    }
    ClientOptions strict;
    strict.never_ehlo = true;
    strict.tls = TlsLevel::encrypt;
    PlainTalk talk(strict);
    talk.say("250 mx.test\r\n");
    EXPECT_EQ(talk.step, ClientSession::Step::failed) << "no EHLO, no STARTTLS";
    EXPECT_EQ(talk.session.failure().verdict.status, "4.7.4");
}

TEST(ClientWorkarounds, ProbesThatEndAtData) {
    ClientOptions options;
    options.probe_at_data = true;
    const struct {
        std::string data;
        Verdict::Kind kind;
        std::string status;
    } cases[] = {
        {"354 go", Verdict::Kind::accept, "2.1.5"},
        {"550 5.7.1 not for you", Verdict::Kind::reject, "5.7.1"},
        {"451 4.3.0 later", Verdict::Kind::defer, "4.3.0"},
    };
    for (const auto& c : cases) {
        PlainTalk talk(options);
        talk.say(kServerOffer);
        EXPECT_THAT(talk.begin(true), testing::EndsWith("RCPT TO:<a@y.test>\r\nDATA\r\n"));
        EXPECT_EQ(talk.say("250 ok\r\n250 2.1.5 fine\r\n" + c.data + "\r\n"), "");
        EXPECT_EQ(talk.step, ClientSession::Step::finished);
        EXPECT_EQ(talk.session.outcomes().at(0).verdict.kind, c.kind) << c.data;
        EXPECT_EQ(talk.session.outcomes().at(0).verdict.status, c.status) << c.data;
        // Within the content nothing more can be said: the connection has to be broken off.
        EXPECT_EQ(talk.session.reusable(), c.kind != Verdict::Kind::accept);
    }
    PlainTalk refused(options);
    refused.say(kServerOffer);
    refused.begin(true, {"a@y.test", "b@y.test"});
    refused.say("250 ok\r\n550 5.1.1 no\r\n250 2.1.5 fine\r\n354 go\r\n");
    EXPECT_TRUE(refused.session.outcomes().at(0).verdict.rejected());
    EXPECT_TRUE(refused.session.outcomes().at(1).verdict.accepted());
    PlainTalk rcpt({});
    rcpt.say(kServerOffer);
    EXPECT_THAT(rcpt.begin(true), testing::EndsWith("RCPT TO:<a@y.test>\r\n")) << "no DATA";
}

TEST(ClientWorkarounds, NobodyVouchesForTheSender) {
    for (const bool dummy : {false, true}) {
        ClientOptions options;
        options.dummy_mail_auth = dummy;
        PlainTalk talk(options);
        talk.say(kServerOffer);
        EXPECT_EQ(talk.begin(false).starts_with("MAIL FROM:<s@x.test> AUTH=<>\r\n"), dummy);
        PlainTalk without(options);
        without.say("250 mx.test\r\n");
        EXPECT_EQ(without.begin(false), "MAIL FROM:<s@x.test>\r\n") << "no AUTH offered";
    }
}

// CVE-2009-3555: replies to commands that were put before ours.
TEST(ClientWorkarounds, EarlyReplies) {
    for (const bool block : {false, true}) {
        for (const bool early : {false, true}) {
            ClientOptions options;
            options.tls = TlsLevel::may;
            options.block_early_reply = block;
            PlainTalk talk(options);
            talk.say("250-mx.test\r\n250 STARTTLS\r\n");
            talk.say("220 go\r\n");
            talk.session.on_tls(true);
            talk.session.take_output();
            talk.say(early ? "250 mx.test\r\n250 injected\r\n" : "250 mx.test\r\n");
            const std::string said = talk.begin(false);
            if (!block || !early) {
                EXPECT_EQ(said, "MAIL FROM:<s@x.test>\r\n");
                continue;
            }
            EXPECT_EQ(said, "");
            EXPECT_EQ(talk.step, ClientSession::Step::finished);
            EXPECT_EQ(talk.session.outcomes().at(0).verdict.status, "4.7.0");
            EXPECT_EQ(talk.session.outcomes().at(0).verdict.text, "unexpected server message");
            EXPECT_FALSE(talk.session.reusable());
        }
    }
}

TEST(ClientWorkarounds, RepliesAreCounted) {
    PlainTalk talk({});
    EXPECT_EQ(talk.session.replies(), 1u);
    talk.say("250-mx");
    talk.say(".test\r\n250-X");
    EXPECT_EQ(talk.session.replies(), 1u) << "half a reply is none";
    talk.say("\r\n250 DSN\r\n");
    EXPECT_EQ(talk.session.replies(), 2u);
}

}  // namespace
}  // namespace postern::smtp
