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

Offered all() { return {true, true, true, true, false, true}; }

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
        {"TO:<a@b.test> NOTIFY=NEVER,DELAY", 501, "Error: Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=DELAY,NEVER", 501, "Error: Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=X", 501, "Error: Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> ORCPT=x", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=;x", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc822;", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc 822;x", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc+822;x", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc822;a=b", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc822;a+0Db", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=rfc822;x ORCPT=rfc822;x", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> NOTIFY=NEVER NOTIFY=NEVER", 501, "Error: Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=", 501, "Error: Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=SUCCESS,,DELAY", 501, "Error: Bad NOTIFY parameter syntax"},
        {"TO:<a@b.test> NOTIFY=SUCCESS,FAILURE,DELAY", 0, "a@b.test"},
        {"TO:<a@b.test> ORCPT=utf-8;\\x{FC}@c.test", 0, "a@b.test"},
        {"TO:<a@b.test> ORCPT=utf-8;\xc3\xbc@c.test", 0, "a@b.test"},
        {"TO:<a@b.test> ORCPT=UTF-8;a+b@c.test", 0, "a@b.test"},
        {"TO:<a@b.test> ORCPT=rfc822;+C3+BC@c.test", 0, "a@b.test"},
        {"TO:<a@b.test> ORCPT=rfc822;+C3@c.test", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=utf-8;", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=utf-8;\\x{110000}@c.test", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<a@b.test> ORCPT=utf-8;\\x{0A}@c.test", 501, "Error: Bad ORCPT parameter syntax"},
        {"TO:<j\xc3\xbcrg@m\xc3\xbcnchen.test>", 0, "j\xc3\xbcrg@m\xc3\xbcnchen.test"},
        {"TO:<a@-\xc3\xbc.test>", 501, "Bad recipient address syntax"},
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

// What Debian's Postfix 3.7 says with smtputf8_enable = no, with yes, with strict_smtputf8, and
// after SMTPUTF8 was asked for.
TEST(Command, AddressesInUtf8) {
    const Offered disabled{.esmtp = true};
    const Offered enabled{.esmtp = true, .smtputf8 = true, .utf8_addresses = true};
    const Offered hidden{.esmtp = true, .utf8_addresses = true};
    Offered strict = enabled;
    strict.strict_utf8 = true;
    struct Case {
        const char* argument;
        int disabled, enabled, hidden, strict;
    };
    const Case cases[] = {
        {"FROM:<j\xc3\xbcrg@a.test>", 0, 0, 0, 553},
        {"FROM:<j\xc3\xbcrg@a.test> SMTPUTF8", 555, 0, 555, 0},
        {"FROM:<j\xc3\xbcrg@a.test> smtputf8 SIZE=1", 555, 0, 555, 0},
        {"FROM:<a@j\xc3\xbcrg.test>", 501, 501, 501, 501},
        {"FROM:<a@j\xc3\xbcrg.test> SMTPUTF8", 501, 0, 555, 0},
        {"FROM:<j\xfcrg@a.test>", 0, 501, 501, 501},
        {"FROM:<a@-\xc3\xbc.test> SMTPUTF8", 501, 501, 501, 501},
        {"FROM:<a@\xc3\xbc..test> SMTPUTF8", 501, 501, 501, 501},
        {"FROM:<a@\xc3\xbc.a_b.test> SMTPUTF8", 501, 0, 555, 0},
        {"FROM:<a@fa\xc3\x9f.test> SMTPUTF8", 501, 0, 555, 0},
        {"FROM:<a@\xe2\x80\x8b.test> SMTPUTF8", 501, 501, 501, 501},  // a zero-width space alone
        {"FROM:<\xc3\xbc>", 0, 0, 0, 553},
        {"FROM:<\"j\xc3\xbc rg\"@a.test>", 0, 0, 0, 553},
        {"FROM:<a@a.test> SMTPUTF8=1", 555, 555, 555, 555},
        {"FROM:<a@a.test> SMTPUTF8 SMTPUTF8", 555, 0, 555, 0},
    };
    for (const auto& c : cases) {
        const auto code = [&](const Offered& offered) {
            const auto parsed = parse_mail(c.argument, offered);
            const auto* error = std::get_if<ArgumentError>(&parsed);
            return error != nullptr ? error->code : 0;
        };
        EXPECT_EQ(code(disabled), c.disabled) << c.argument;
        EXPECT_EQ(code(enabled), c.enabled) << c.argument;
        EXPECT_EQ(code(hidden), c.hidden) << c.argument;
        EXPECT_EQ(code(strict), c.strict) << c.argument;
    }
}

TEST(Command, RecipientsInUtf8) {
    Offered undeclared{.esmtp = true, .utf8_addresses = true};
    const auto code = [&](const char* argument) {
        const auto parsed = parse_rcpt(argument, undeclared);
        const auto* error = std::get_if<ArgumentError>(&parsed);
        return error != nullptr ? error->code : 0;
    };
    EXPECT_EQ(code("TO:<\xc3\xbc@a.test>"), 0);
    EXPECT_EQ(code("TO:<a@\xc3\xbc.test>"), 501);
    undeclared.strict_utf8 = true;
    EXPECT_EQ(code("TO:<\xc3\xbc@a.test>"), 553);
    EXPECT_EQ(code("TO:<a@a.test>"), 0);
}

TEST(Command, VrfyArguments) {
    const Offered offered{.esmtp = true, .smtputf8 = true, .utf8_addresses = true};
    struct Case {
        const char* argument;
        int code;
        const char* result;
    };
    const Case cases[] = {
        {"a@b.test", 0, "a@b.test"},
        {"<a@b.test>", 0, "a@b.test"},
        {"a@b.test SMTPUTF8", 0, "a@b.test"},
        {"\xc3\xbc@b.test", 0, "\xc3\xbc@b.test"},
        {"a@\xc3\xbc.test", 501, ""},
        {"a@\xc3\xbc.test SMTPUTF8", 0, "a@\xc3\xbc.test"},
        {"<a@\xc3\xbc.test> smtputf8", 0, "a@\xc3\xbc.test"},
        {"a@b.test FOO", 501, ""},
        {"<>", 501, ""},
    };
    for (const auto& c : cases) {
        const auto parsed = parse_vrfy(c.argument, offered);
        const auto* error = std::get_if<ArgumentError>(&parsed);
        EXPECT_EQ(error != nullptr ? error->code : 0, c.code) << c.argument;
        if (error == nullptr) {
            EXPECT_EQ(std::get<mail::Address>(parsed).str(), c.result);
        }
    }
    EXPECT_TRUE(std::holds_alternative<ArgumentError>(parse_vrfy("a@b.test SMTPUTF8", {})));
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
    const Offered without{true, false, true, true, false, true};
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
