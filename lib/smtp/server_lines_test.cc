// What the server's side makes of lines that end in LF alone (smtpd_forbid_bare_newline).
#include "lib/smtp/server_session.h"

namespace postern::smtp {
namespace {

constexpr const char* kRefusal = "550 5.5.2 mail.test Error: bare <LF> received\r\n";

struct LineTalk {
    ServerOptions options;
    ServerSession session{options};

    explicit LineTalk(const ClientRules& rules = {}) {
        options.hostname = "mail.test";
        options.note_bare_newlines = true;
        session.set_rules(rules);
    }
    // What is said to a line; every question is answered with yes.
    Action line(std::string_view text, bool proper = true) {
        Action action = session.on_line(text, proper);
        while (std::holds_alternative<Ask>(action)) action = session.on_answer(Answer::accept());
        if (std::holds_alternative<Open>(action)) action = session.on_opened(Answer::accept());
        return action;
    }
};

TEST(ServerLines, EndInLf) {
    LineTalk talk;
    EXPECT_EQ(std::get<Say>(talk.line("HELO x", false)).text, "250 mail.test\r\n");
    EXPECT_FALSE(talk.session.omits_cr()) << "not everybody may";
    EXPECT_EQ(talk.session.summary(), " helo=1 commands=1 notes=bare_lf");
    LineTalk none;
    none.line("HELO x");
    EXPECT_EQ(none.session.summary(), " helo=1 commands=1");
    none.session.note_bare_newline();
    EXPECT_EQ(none.session.summary(), " helo=1 commands=1 notes=bare_lf") << "in a text";
}

TEST(ServerLines, AreRefused) {
    LineTalk talk({.refuses_bare_newlines = true});
    const auto action = talk.line("EHLO x", false);
    EXPECT_EQ(std::get<Close>(action).text, kRefusal);
    EXPECT_TRUE(std::get<Close>(action).log);
}

TEST(ServerLines, OfDevicesThatKnowNoCr) {
    LineTalk talk({.may_omit_cr = true});
    EXPECT_TRUE(talk.session.omits_cr());
    talk.line("HELO x", false);
    EXPECT_TRUE(talk.session.omits_cr());
    talk.line("NOOP");
    talk.line("NOOP", false);
    EXPECT_FALSE(talk.session.omits_cr()) << "one CR LF, and it knows better";
}

TEST(ServerLines, WithinATextRefuseIt) {
    for (const int code : {550, 521}) {
        LineTalk talk;
        talk.options.bare_newline_code = code;
        for (const char* text : {"HELO x", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"})
            talk.line(text);
        EXPECT_TRUE(std::holds_alternative<ReadData>(talk.line("DATA")));
        const auto action = talk.session.on_content(ContentEnd::bare_lf, 10);
        EXPECT_EQ(std::holds_alternative<Close>(action), code == 521);
        if (code == 550) {
            EXPECT_EQ(std::get<Say>(action).text, kRefusal);
        }
        EXPECT_FALSE(talk.session.envelope().open);
        EXPECT_EQ(talk.session.summary(), " helo=1 mail=1 rcpt=1 data=0/1 commands=3/4");
    }
}

// The replies are those of a running Postfix.
TEST(ServerVerp, IsForSomeClients) {
    LineTalk talk({.may_verp = true});
    const auto said = [&talk](std::string_view line) {
        const auto action = talk.line(line);
        return std::get<Say>(action).text;
    };
    EXPECT_THAT(said("EHLO x"), testing::HasSubstr("\r\n250-ETRN\r\n250-XVERP\r\n"));
    EXPECT_EQ(said("MAIL FROM:<> XVERP"), "503 5.5.4 Error: XVERP requires non-null sender\r\n");
    for (const char* bad : {"ab", "+", "+=-", "", "+a"})
        EXPECT_EQ(said(std::string("MAIL FROM:<a@b.test> XVERP=") + bad),
                  "501 5.5.4 Error: XVERP needs two characters from -=+\r\n");
    EXPECT_EQ(said("MAIL FROM:<a@b.test> XVERPS"), "555 5.5.4 Unsupported option: XVERPS\r\n");
    EXPECT_EQ(said("MAIL FROM:<a@b.test> XVERP"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(talk.session.envelope().mail.verp, "+=");
    said("RSET");
    EXPECT_EQ(said("MAIL FROM:<a@b.test> xverp=-="), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(talk.session.envelope().mail.verp, "-=");

    LineTalk other;
    EXPECT_THAT(std::get<Say>(other.line("EHLO x")).text,
                testing::Not(testing::HasSubstr("XVERP")));
    EXPECT_EQ(std::get<Say>(other.line("MAIL FROM:<a@b.test> XVERP=+=")).text,
              "555 5.5.4 Unsupported option: XVERP=+=\r\n");
}

// --- AUTH

// What is not gathered is carried, as it is; the other side's challenges too.
TEST(ServerAuth, IsCarried) {
    ServerOptions options;
    options.auth_enabled = true;
    ServerSession session(options);
    session.set_mechanisms("PLAIN SCRAM-SHA-256", "");
    (void)session.greet();
    const auto said = [](const Action& action) { return std::get<Say>(action).text; };
    const auto asked = [](const Action& action) { return std::get<Authenticate>(action); };
    EXPECT_THAT(said(session.on_line("EHLO x")),
                testing::HasSubstr("250-AUTH PLAIN SCRAM-SHA-256\r\n"));
    EXPECT_THAT(said(session.on_line("AUTH LOGIN")), testing::StartsWith("535 5.7.8 "));
    const auto first = asked(session.on_line("AUTH scram-sha-256 b25l"));
    EXPECT_EQ(first.method, "SCRAM-SHA-256");
    EXPECT_EQ(first.response, "b25l");
    EXPECT_TRUE(first.carried && first.has_response && !first.goes_on);
    const AuthResult challenge{AuthResult::Kind::challenge, {}, "dHdv"};
    EXPECT_EQ(said(session.on_auth(challenge)), "334 dHdv\r\n");
    EXPECT_TRUE(session.in_auth());
    EXPECT_THAT(said(session.on_line("!")), testing::StartsWith("501 5.5.2 "));
    EXPECT_FALSE(asked(session.on_line("AUTH SCRAM-SHA-256")).has_response);
    (void)session.on_auth(challenge);
    const auto second = asked(session.on_line("dGhyZWU="));
    EXPECT_EQ(second.response, "dGhyZWU=");
    EXPECT_TRUE(second.carried && second.goes_on);
    EXPECT_THAT(said(session.on_auth({AuthResult::Kind::success, "me"})),
                testing::StartsWith("235 "));
    EXPECT_EQ(session.auth_method(), "SCRAM-SHA-256");
}

}  // namespace
}  // namespace postern::smtp
