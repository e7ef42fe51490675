#include "lib/smtp/command.h"

namespace postern::smtp {
namespace {

TEST(Command, Verbs) {
    struct Case {
        const char* line;
        Verb verb;
        const char* argument;
    };
    const Case cases[] = {
        {"EHLO mail.test", Verb::ehlo, "mail.test"},
        {"ehlo  mail.test ", Verb::ehlo, "mail.test"},
        {"MAIL FROM:<a@b.test> SIZE=1", Verb::mail, "FROM:<a@b.test> SIZE=1"},
        {"QUIT", Verb::quit, ""},
        {"  NOOP", Verb::noop, ""},
        {"", Verb::unknown, ""},
        {"UNKNOWN", Verb::unknown, ""},
        {"MAILFROM:<a@b>", Verb::unknown, ""},
        {"GET / HTTP/1.0", Verb::unknown, "/ HTTP/1.0"},
    };
    for (const auto& c : cases) {
        const auto command = parse_command(c.line);
        EXPECT_EQ(command.verb, c.verb) << c.line;
        EXPECT_EQ(command.argument, c.argument) << c.line;
    }
    EXPECT_EQ(verb_name(Verb::starttls), "STARTTLS");
}

Offered all() { return {true, true, true, true}; }

TEST(Command, MailArguments) {
    struct Case {
        const char* argument;
        int code;  // 0: parses
        const char* result;
    };
    const Case cases[] = {
        {"FROM:<a@b.test>", 0, "a@b.test"},
        {"from: <a@b.test>", 0, "a@b.test"},
        {"FROM:a@b.test", 0, "a@b.test"},
        {"FROM:<>", 0, ""},
        {"FROM:<root>", 0, "root"},
        {"FROM:<a@b.test> SIZE=1000 BODY=8BITMIME RET=FULL ENVID=QQ+3D1 AUTH=<>", 0, "a@b.test"},
        {"FROM:<a@b.test> body=7bit", 0, "a@b.test"},
        {"FROM:<j\xc3\xbcrg@b.test> SMTPUTF8", 0, "j\xc3\xbcrg@b.test"},
        {"FROM:<j\xc3\xbcrg@b.test>", 553, "Must declare SMTPUTF8 to send unicode address"},
        {"", 501, "Syntax: MAIL FROM:<address>"},
        {"FROM:", 501, "Syntax: MAIL FROM:<address>"},
        {"TO:<a@b.test>", 501, "Syntax: MAIL FROM:<address>"},
        {"FROM:<a@b@c.test>", 501, "Bad sender address syntax"},
        {"FROM:<a@b.test", 501, "Bad sender address syntax"},
        {"FROM:<a@b.test> SIZE=x", 501, "Bad message size syntax"},
        {"FROM:<a@b.test> SIZE=99999999999999999999999", 501, "Bad message size syntax"},
        {"FROM:<a@b.test> BODY=FANCY", 555, "Unsupported option: BODY=FANCY"},
        {"FROM:<a@b.test> WHAT=1", 555, "Unsupported option: WHAT=1"},
        {"FROM:<a@b.test> RET=SOME", 501, "Bad RET parameter syntax"},
        {"FROM:<a@b.test> ENVID=a=b", 501, "Bad ENVID parameter syntax"},
        {"FROM:<a@b.test> ENVID=a+4", 501, "Bad ENVID parameter syntax"},
        {"FROM:<a@b.test> ENVID=a+0Ab", 501, "Bad ENVID parameter syntax"},
        {"FROM:<a@b.test> ENVID=x ENVID=y", 501, "Bad ENVID parameter syntax"},
        {"FROM:<a@b.test> RET=FULL RET=FULL", 501, "Bad RET parameter syntax"},
        {"FROM:<a@b.test> RET=", 501, "Bad RET parameter syntax"},
        {"FROM:<a@b.test> ENVID=", 0, "a@b.test"},
    };
    for (const auto& c : cases) {
        auto parsed = parse_mail(c.argument, all());
        if (const auto* error = std::get_if<ArgumentError>(&parsed)) {
            EXPECT_EQ(error->code, c.code) << c.argument;
            EXPECT_EQ(error->text, c.result) << c.argument;
        } else {
            EXPECT_EQ(0, c.code) << c.argument;
            EXPECT_EQ(std::get<MailArguments>(parsed).sender.str(), c.result) << c.argument;
        }
    }
    auto mail = std::get<MailArguments>(
        parse_mail("FROM:<a@b.test> SIZE=12 BODY=8BITMIME RET=hdrs ENVID=x", all()));
    EXPECT_EQ(mail.size, 12u);
    EXPECT_EQ(mail.body, Body::eight_bit);
    EXPECT_EQ(mail.ret, "HDRS");
    EXPECT_EQ(mail.envid, "x");
    EXPECT_TRUE(std::holds_alternative<ArgumentError>(parse_mail("FROM:<a@b.test> SIZE=1", {})));
}

TEST(Command, RcptArguments) {
    struct Case {
        const char* argument;
        int code;
        const char* result;
    };
    const Case cases[] = {
        {"TO:<a@b.test>", 0, "a@b.test"},
        {"to:<postmaster>", 0, "postmaster"},
        {"TO:<@relay.test:a@b.test>", 0, "a@b.test"},
        {"TO:<a@b.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@b.test", 0, "a@b.test"},
        {"TO:<>", 501, "Bad recipient address syntax"},
        {"TO:<a b@c.test>", 501, "Bad recipient address syntax"},
        {"TO: ", 501, "Syntax: RCPT TO:<address>"},
        {"<a@b.test>", 501, "Syntax: RCPT TO:<address>"},
        {"TO:<a@b.test> NOTIFY=NEVER,DELAY", 501, "Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=DELAY,NEVER", 501, "Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=X", 501, "Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> ORCPT=x", 501, "Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=;x", 501, "Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc822;", 501, "Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc 822;x", 501, "Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc+822;x", 501, "Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc822;a=b", 501, "Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc822;a+0Db", 501, "Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc822;x ORCPT=rfc822;x", 501, "Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> NOTIFY=NEVER NOTIFY=NEVER", 501, "Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=", 501, "Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=SUCCESS,,DELAY", 501, "Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=SUCCESS,FAILURE,DELAY", 0, "a@b.test"},
        {"TO:<a@b.test> SIZE=1", 555, "Unsupported option: SIZE=1"},
    };
    for (const auto& c : cases) {
        auto parsed = parse_rcpt(c.argument, all());
        if (const auto* error = std::get_if<ArgumentError>(&parsed)) {
            EXPECT_EQ(error->code, c.code) << c.argument;
            EXPECT_EQ(error->text, c.result) << c.argument;
        } else {
            EXPECT_EQ(0, c.code) << c.argument;
            EXPECT_EQ(std::get<RcptArguments>(parsed).recipient.str(), c.result) << c.argument;
        }
    }
    auto rcpt = std::get<RcptArguments>(
        parse_rcpt("TO:<a@b.test> NOTIFY=success,delay ORCPT=rfc822;x", all()));
    EXPECT_EQ(rcpt.notify, kSuccess | kDelay);
    EXPECT_EQ(rcpt.orcpt, "rfc822;x");
}

// RFC 3461 4.2, 4.4: 500 and 100 characters.
TEST(Command, DsnLimits) {
    const auto orcpt = [](std::size_t size) {
        return "TO:<a@b.test> ORCPT=rfc822;" + std::string(size - 7, 'x');
    };
    const auto envid = [](std::size_t size) {
        return "FROM:<a@b.test> ENVID=" + std::string(size, 'x');
    };
    EXPECT_TRUE(std::holds_alternative<RcptArguments>(parse_rcpt(orcpt(500), all())));
    EXPECT_TRUE(std::holds_alternative<ArgumentError>(parse_rcpt(orcpt(501), all())));
    EXPECT_TRUE(std::holds_alternative<MailArguments>(parse_mail(envid(100), all())));
    EXPECT_TRUE(std::holds_alternative<ArgumentError>(parse_mail(envid(101), all())));
}

TEST(Command, DsnThatIsNotOffered) {
    const Offered without{true, false, true, true};
    for (const char* option : {"RET=FULL", "ENVID=x"}) {
        auto parsed = parse_mail("FROM:<a@b.test> " + std::string(option), without);
        const auto* error = std::get_if<ArgumentError>(&parsed);
        ASSERT_NE(error, nullptr) << option;
        EXPECT_EQ(std::to_string(error->code) + " " + error->status + " " + error->text,
                  "501 5.7.1 DSN support is disabled");
    }
    for (const char* option : {"NOTIFY=NEVER", "ORCPT=rfc822;x"}) {
        auto parsed = parse_rcpt("TO:<a@b.test> " + std::string(option), without);
        const auto* error = std::get_if<ArgumentError>(&parsed);
        ASSERT_NE(error, nullptr) << option;
        EXPECT_EQ(error->text, "DSN support is disabled");
    }
}

}  // namespace
}  // namespace postern::smtp
