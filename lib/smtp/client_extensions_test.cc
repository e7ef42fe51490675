// What a client makes of a server's extensions.
#include "lib/smtp/client_session.h"

namespace postern::smtp {
namespace {

Extensions offered(std::string_view answer, std::vector<std::string> ignored) {
    ClientOptions options;
    options.ignored_extensions = std::move(ignored);
    ClientSession session(options, {"mx.test", "192.0.2.1", 25});
    session.on_connected();
    session.on_input("220 hello\r\n");
    session.on_input(answer);
    return session.extensions();
}

TEST(ClientExtensions, IgnoredAsTold) {
    constexpr std::string_view kAnswer =
        "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 DSN\r\n";
    const Extensions all = offered(kAnswer, {});
    EXPECT_TRUE(all.pipelining && all.size && all.eight_bit_mime && all.dsn);
    const Extensions some = offered(kAnswer, {"dsn", "PIPELINING", "silent-discard"});
    EXPECT_TRUE(some.size && some.eight_bit_mime);
    EXPECT_FALSE(some.dsn || some.pipelining);
}

// Begins a transaction that asked for SMTPUTF8: what is said.
struct Utf8Talk {
    explicit Utf8Talk(bool offered, std::vector<std::string> recipients)
        : session({}, {"mx.test", "192.0.2.1", 25}) {
        session.on_connected();
        session.on_input("220 hello\r\n");
        session.on_input(offered ? "250-mx.test\r\n250 SMTPUTF8\r\n" : "250 mx.test\r\n");
        session.take_output();
        mail.sender = "s@x.test";
        mail.smtputf8 = true;
        for (auto& one : recipients) mail.recipients.push_back({std::move(one), "", ""});
    }
    std::string begin() {
        session.start(mail);
        return session.take_output();
    }
    ClientSession session;
    ClientTransaction mail;
};

// RFC 6531 3.5: to a server without SMTPUTF8 goes what does not need it, and nothing else.
TEST(ClientExtensions, WhatNeedsSmtputf8) {
    const auto said = [](bool offered, const char* recipient, const char* sender, bool header) {
        Utf8Talk talk(offered, {recipient});
        talk.mail.sender = sender;
        talk.mail.utf8_header = header;
        return talk.begin();
    };
    EXPECT_EQ(said(false, "a@y.test", "s@x.test", false), "MAIL FROM:<s@x.test>\r\n");
    EXPECT_EQ(said(false, "\xc3\xbc@y.test", "s@x.test", false), "");
    EXPECT_EQ(said(false, "a@\xc3\xbc.test", "s@x.test", false), "");
    EXPECT_EQ(said(false, "a@y.test", "\xc3\xbc@x.test", false), "");
    EXPECT_EQ(said(false, "a@y.test", "s@x.test", true), "");
    for (const bool header : {true, false})
        EXPECT_EQ(said(true, "a@y.test", "s@x.test", header), "MAIL FROM:<s@x.test> SMTPUTF8\r\n");

    // Whoever did not ask for it is not told about it.
    Utf8Talk old(false, {"\xc3\xbc@y.test"});
    old.mail.smtputf8 = false;
    EXPECT_EQ(old.begin(), "MAIL FROM:<s@x.test>\r\n");
}

TEST(ClientExtensions, RecipientsWithoutUtf8GoAlone) {
    Utf8Talk talk(false, {"\xc3\xbc@y.test", "a@y.test"});
    EXPECT_EQ(talk.begin(), "MAIL FROM:<s@x.test>\r\n");
    EXPECT_EQ(talk.session.outcomes()[0].verdict.status, "5.6.7");
    EXPECT_EQ(talk.session.outcomes()[0].verdict.text,
              "SMTPUTF8 is required, but was not offered by host mx.test[192.0.2.1]");
    talk.session.on_input("250 ok\r\n");
    EXPECT_EQ(talk.session.take_output(), "RCPT TO:<a@y.test>\r\n");
}

// A session with a transaction in it, one reply for each command.
class Probing {
  public:
    explicit Probing(std::string_view ehlo, bool lmtp = false)
        : session_(options(lmtp), {"mx.test", "192.0.2.1", 25}) {
        session_.on_connected();
        session_.on_input("220 hello\r\n");
        session_.on_input(ehlo);
        session_.take_output();
    }
    ClientSession::Step start(std::vector<std::string> recipients) {
        ClientTransaction transaction;
        transaction.sender = "v@here.test";
        transaction.probe = true;
        for (auto& one : recipients) transaction.recipients.push_back({std::move(one), "", ""});
        return session_.start(std::move(transaction));
    }
    std::string said() { return session_.take_output(); }
    ClientSession& operator*() { return session_; }
    ClientSession* operator->() { return &session_; }

  private:
    static ClientOptions options(bool lmtp) {
        ClientOptions options;
        options.lmtp = lmtp;
        return options;
    }
    ClientSession session_;
};

// RFC 6710 5: told to servers that know it.
TEST(ClientExtensions, Priority) {
    for (const bool known : {true, false}) {
        ClientSession session({}, {"mx.test", "192.0.2.1", 25});
        session.on_connected();
        session.on_input("220 hello\r\n");
        session.on_input(known ? "250-mx.test\r\n250 MT-PRIORITY STANAG4406\r\n"
                               : "250 mx.test\r\n");
        session.take_output();
        ClientTransaction transaction;
        transaction.sender = "a@b.test";
        transaction.priority = -2;
        transaction.recipients.push_back({"c@d.test", "", ""});
        session.start(std::move(transaction));
        EXPECT_EQ(session.take_output(),
                  known ? "MAIL FROM:<a@b.test> MT-PRIORITY=-2\r\n" : "MAIL FROM:<a@b.test>\r\n");
    }
}

TEST(ClientProbe, EndsAfterRcpt) {
    for (const bool lmtp : {false, true}) {
        Probing probe("250 mx.test\r\n", lmtp);
        probe.start({"a@x.test", "b@x.test"});
        EXPECT_EQ(probe.said(), "MAIL FROM:<v@here.test>\r\n");
        probe->on_input("250 2.1.0 Ok\r\n");
        EXPECT_EQ(probe.said(), "RCPT TO:<a@x.test>\r\n");
        probe->on_input("250 2.1.5 Ok\r\n");
        EXPECT_EQ(probe.said(), "RCPT TO:<b@x.test>\r\n");
        EXPECT_EQ(probe->on_input("550 5.1.1 nobody\r\n"), ClientSession::Step::finished);
        EXPECT_EQ(probe.said(), "") << "no DATA";
        ASSERT_EQ(probe->outcomes().size(), 2U);
        EXPECT_TRUE(probe->outcomes()[0].verdict.accepted());
        EXPECT_EQ(probe->outcomes()[0].verdict.text, "250 2.1.5 Ok");
        EXPECT_TRUE(probe->outcomes()[1].verdict.rejected());
        ASSERT_TRUE(probe->reusable());
        probe.start({"c@x.test"});
        EXPECT_EQ(probe.said(), "RSET\r\n") << "the server still has a transaction open";
    }
}

TEST(ClientProbe, WithPipelining) {
    Probing probe("250-mx.test\r\n250 PIPELINING\r\n");
    probe.start({"a@x.test", "b@x.test"});
    EXPECT_EQ(probe.said(),
              "MAIL FROM:<v@here.test>\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n");
    EXPECT_EQ(probe->on_input("250 ok\r\n250 ok\r\n450 4.2.0 later\r\n"),
              ClientSession::Step::finished);
    EXPECT_TRUE(probe->outcomes()[0].verdict.accepted());
    EXPECT_TRUE(probe->outcomes()[1].verdict.deferred());
}

TEST(ClientProbe, ARefusedSenderIsNoAnswerAboutTheRecipient) {
    Probing probe("250 mx.test\r\n");
    probe.start({"a@x.test"});
    EXPECT_EQ(probe->on_input("451 4.7.1 not now\r\n"), ClientSession::Step::finished);
    EXPECT_TRUE(probe->outcomes()[0].verdict.deferred());
}

// notify_classes = protocol: what says that we are not understood, or the server not.
TEST(ClientTrouble, OfProtocol) {
    const std::pair<std::string_view, bool> cases[] = {
        {"550 5.1.1 nobody\r\n", false},
        {"450 4.2.0 later\r\n", false},
        {"500 what?\r\n", true},
        {"503 5.5.1 bad sequence\r\n", true},
        {"555 no such parameter\r\n", true},
        {"250 ok\r\n", false},
        {"hello there\r\n", true},
    };
    for (const auto& [reply, trouble] : cases) {
        Probing probe("250 mx.test\r\n");
        probe.start({"a@x.test"});
        probe->on_input("250 ok\r\n");
        probe->on_input(reply);
        EXPECT_EQ(probe->protocol_trouble(), trouble) << reply;
    }
    Probing old("502 no EHLO here\r\n");
    EXPECT_FALSE(old->protocol_trouble()) << "HELO follows";
}

}  // namespace
}  // namespace postern::smtp
