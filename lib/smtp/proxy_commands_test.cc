// XCLIENT, XFORWARD, limits of commands, and footers of refusals.
#include "lib/smtp/proxy_commands.h"

#include "lib/smtp/reply_footer.h"
#include "lib/smtp/server_session.h"

namespace postern::smtp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string problem_of(std::string_view argument) {
    const auto parsed = parse_xclient(argument);
    const auto* error = std::get_if<ArgumentError>(&parsed);
    return error ? std::to_string(error->code) + " " + error->status + " " + error->text : "fine";
}

TEST(Xclient, TakesAllAttributes) {
    const auto parsed = parse_xclient(
        "NAME=mx.test addr=IPv6:2001:db8::1 PORT=25 PROTO=esmtp HELO=he+20lo LOGIN=me+3Dyou "
        "REVERSE_NAME=ptr.test DESTADDR=192.0.2.9 DESTPORT=587");
    const auto& client = std::get<XclientArguments>(parsed);
    EXPECT_EQ(client.name, "mx.test");
    EXPECT_EQ(client.address, "2001:db8::1");
    EXPECT_EQ(client.port, "25");
    EXPECT_EQ(client.protocol, "ESMTP");
    EXPECT_EQ(client.helo, "he lo");
    EXPECT_EQ(client.login, "me=you");
    EXPECT_EQ(client.reverse_name, "ptr.test");
    EXPECT_EQ(client.server_address, "192.0.2.9");
    EXPECT_EQ(client.server_port, "587");
    const auto none = std::get<XclientArguments>(parse_xclient(
        "NAME=[UNAVAILABLE] REVERSE_NAME=[TEMPUNAVAIL] ADDR=[UNAVAILABLE] HELO=[unavailable]"));
    EXPECT_EQ(none.name, "unknown");
    EXPECT_EQ(none.reverse_name, "unknown");
    EXPECT_EQ(none.address, "unknown");
    EXPECT_EQ(none.helo, "");
    EXPECT_EQ(none.port, std::nullopt);
}

TEST(Xclient, ReadsWithCare) {
    const struct {
        std::string argument, expected;
    } cases[] = {
        {"NAME", "501 5.5.4 Error: attribute=value expected"},
        {"NAME=" + std::string(256, 'a'), "501 5.5.4 Error: attribute value too long"},
        {"NAME=a+b", "501 5.5.4 Bad attribute value syntax: a+b"},
        {"NAME=-a.test", "501 5.5.4 Bad hostname syntax: -a.test"},
        {"NAME=a..test", "501 5.5.4 Bad hostname syntax: a..test"},
        {"NAME=192.0.2.1", "501 5.5.4 Bad hostname syntax: 192.0.2.1"},
        {"NAME=a+0Ab", "501 5.5.4 Bad hostname syntax: a?b"},
        {"ADDR=300.1.1.1", "501 5.5.4 Bad address syntax: 300.1.1.1"},
        {"PORT=70000", "501 5.5.4 Bad TCP port number syntax: 70000"},
        {"PROTO=QMTP", "501 5.5.4 Bad protocol name: QMTP"},
        {"COLOUR=red", "501 5.5.4 Bad XCLIENT attribute name: COLOUR"},
        {"", "501 5.5.4 Syntax: XCLIENT attribute=value..."},
        {"NAME=a.test PORT=x", "501 5.5.4 Bad TCP port number syntax: x"},
    };
    for (const auto& c : cases) EXPECT_EQ(problem_of(c.argument), c.expected) << c.argument;
}

TEST(Xforward, AddsUpAndCountsWholeOrNotAtAll) {
    Forwarded known;
    EXPECT_FALSE(parse_xforward("NAME=a.test ADDR=192.0.2.1 PORT=9", known));
    EXPECT_FALSE(parse_xforward("PROTO=ESMTP HELO=me IDENT=4cQ1 SOURCE=LOCAL", known));
    EXPECT_EQ(known.name, "a.test");
    EXPECT_EQ(known.ident, "4cQ1");
    EXPECT_TRUE(known.local);
    EXPECT_TRUE(parse_xforward("NAME=b.test SOURCE=MOON", known));
    EXPECT_EQ(known.name, "a.test") << "nothing of a command that has a mistake";
    EXPECT_TRUE(parse_xforward("LOGIN=me", known)) << "of XCLIENT only";
    EXPECT_FALSE(parse_xforward("NAME=[UNAVAILABLE] HELO=[UNAVAILABLE]", known));
    EXPECT_EQ(known.name, "unknown");
    EXPECT_EQ(known.helo, "");
}

TEST(Xforward, CommandsForAServer) {
    Forwarded origin{.name = "a.test", .address = "2001:db8::1", .port = "9"};
    origin.protocol = "ESMTP";
    origin.helo = "my host";
    origin.ident = "4cQ1";
    EXPECT_THAT(xforward_commands("NAME ADDR PROTO HELO SOURCE PORT IDENT", origin),
                ElementsAre("NAME=a.test ADDR=IPv6:2001:db8::1 PORT=9",
                            "PROTO=ESMTP HELO=my+20host IDENT=4cQ1 SOURCE=REMOTE"));
    EXPECT_THAT(xforward_commands("ADDR source", Forwarded{.local = true}),
                ElementsAre("ADDR=[UNAVAILABLE]", "SOURCE=LOCAL"));
    EXPECT_THAT(xforward_commands("", origin), ElementsAre());
    Forwarded back;
    for (const auto& command : xforward_commands(kXforwardAttributes, origin))
        EXPECT_FALSE(parse_xforward(command, back)) << "what one says the other understands";
    EXPECT_EQ(back.helo, "my host");
}

std::string said(const Action& action) {
    if (const auto* say = std::get_if<Say>(&action)) return say->text;
    if (const auto* close = std::get_if<Close>(&action)) return close->text;
    return std::holds_alternative<Impersonate>(action) ? "impersonate" : "other";
}

struct ProxyTest : testing::Test {
    ProxyTest() { options.banner = "mail.test ESMTP"; }
    std::string line(std::string_view text) { return said(session.on_line(text)); }
    ServerOptions options;
    ServerSession session{options};
};

TEST_F(ProxyTest, OnlyWhoIsAuthorized) {
    EXPECT_THAT(line("EHLO me"), Not(HasSubstr("XCLIENT")));
    EXPECT_EQ(line("XCLIENT NAME=a.test"), "550 5.7.0 Error: insufficient authorization\r\n");
    EXPECT_EQ(line("XFORWARD NAME=a.test"), "550 5.7.0 Error: insufficient authorization\r\n");
    session.set_rules({.xclient = true, .xforward = true});
    EXPECT_THAT(line("EHLO me"),
                HasSubstr("250-XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR "
                          "DESTPORT\r\n250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT\r\n"));
    EXPECT_EQ(line("XCLIENT"), "501 5.5.4 Syntax: XCLIENT attribute=value...\r\n");
    EXPECT_EQ(line("XFORWARD NAME"), "501 5.5.4 Error: attribute=value expected\r\n");
    line("MAIL FROM:<a@b.test>");
    EXPECT_EQ(line("XCLIENT NAME=a.test"), "503 5.5.1 Error: MAIL transaction in progress\r\n");
    EXPECT_EQ(line("XFORWARD NAME=a.test"), "503 5.5.1 Error: MAIL transaction in progress\r\n");
}

TEST_F(ProxyTest, XclientBeginsAnew) {
    session.set_rules({.xclient = true});
    line("EHLO me");
    EXPECT_EQ(line("XCLIENT NAME=a.test PROTO=ESMTP HELO=other LOGIN=ann"), "impersonate");
    EXPECT_EQ(session.helo(), "other");
    EXPECT_EQ(session.user(), "ann");
    EXPECT_EQ(session.auth_method(), "XCLIENT");
    EXPECT_EQ(session.protocol(), "ESMTPA");
    EXPECT_EQ(said(session.greet()), "220 mail.test ESMTP\r\n");
    EXPECT_EQ(line("XCLIENT LOGIN=[UNAVAILABLE]"), "impersonate");
    EXPECT_EQ(session.user(), "");
    EXPECT_EQ(session.helo(), "");
    EXPECT_THAT(session.summary(), HasSubstr(" xclient=2 "));
}

TEST_F(ProxyTest, XforwardHoldsForOneMessage) {
    session.set_rules({.xforward = true});
    line("EHLO me");
    EXPECT_EQ(line("XFORWARD NAME=a.test"), "250 2.0.0 Ok\r\n");
    EXPECT_EQ(line("XFORWARD IDENT=4cQ1"), "250 2.0.0 Ok\r\n");
    ASSERT_TRUE(session.forwarded());
    EXPECT_EQ(session.forwarded()->name, "a.test");
    EXPECT_EQ(session.forwarded()->ident, "4cQ1");
    line("RSET");
    EXPECT_FALSE(session.forwarded());
}

TEST_F(ProxyTest, WhichLinesCountForLimits) {
    options.auth_enabled = options.tls_available = true;
    EXPECT_EQ(session.limited("MAIL FROM:<>"), Limited::mail);
    EXPECT_EQ(session.limited("MAIL"), Limited::none) << "a syntax error";
    EXPECT_EQ(session.limited("RCPT TO:<a@b>"), Limited::none) << "out of order";
    EXPECT_EQ(session.limited("auth plain"), Limited::auth);
    EXPECT_EQ(session.limited("STARTTLS"), Limited::starttls);
    line("EHLO me");
    line("MAIL FROM:<>");
    EXPECT_EQ(session.limited("MAIL FROM:<>"), Limited::none);
    EXPECT_EQ(session.limited("RCPT TO:<a@b>"), Limited::rcpt);
    EXPECT_EQ(said(session.on_limit("RCPT TO:<a@b>",
                                    Answer::refuse(450, "4.7.1", "Error: too many recipients"))),
              "450 4.7.1 Error: too many recipients\r\n");
    EXPECT_THAT(session.summary(), HasSubstr(" rcpt=0/1 "));
    session.on_tls();
    EXPECT_EQ(session.limited("STARTTLS"), Limited::none);
    line("EHLO me");
    line("AUTH LOGIN");
    EXPECT_EQ(session.limited("MAIL FROM:<>"), Limited::none) << "a password, perhaps";
}

TEST_F(ProxyTest, KeywordsHiddenFromOneClient) {
    options.hidden_keywords = {"VRFY"};
    EXPECT_THAT(line("EHLO me"), Not(HasSubstr("VRFY")));
    session.set_rules({.hidden_keywords = std::vector<std::string>{"pipelining"}});
    const auto lines = line("EHLO me");
    EXPECT_THAT(lines, HasSubstr("VRFY"));
    EXPECT_THAT(lines, Not(HasSubstr("PIPELINING")));
}

TEST_F(ProxyTest, StrictAboutBrackets) {
    line("EHLO me");
    EXPECT_EQ(line("MAIL FROM:a@b.test"), "250 2.1.0 Ok\r\n");
    line("RSET");
    options.strict_envelopes = true;
    EXPECT_EQ(line("MAIL FROM:a@b.test"), "501 5.1.7 Bad sender address syntax\r\n");
    EXPECT_EQ(line("MAIL FROM:<a@b.test>"), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(line("RCPT TO:a@b.test"), "501 5.1.3 Bad recipient address syntax\r\n");
}

TEST(Footer, Lines) {
    const auto expand = [](std::string_view line) {
        return line == "$bad" ? std::string("x\r\n250 y") : std::string(line);
    };
    const struct {
        std::string reply, footer, expected;
    } cases[] = {
        {"550 5.1.1 No\r\n", "Call us", "550-5.1.1 No\r\n550 5.1.1 Call us\r\n"},
        {"550 5.1.1 No\r\n", "one\\ntwo", "550-5.1.1 No\r\n550-5.1.1 one\r\n550 5.1.1 two\r\n"},
        {"550 5.1.1 No\r\n", "\\c; see!\\nmore", "550-5.1.1 No; see!\r\n550 5.1.1 more\r\n"},
        {"421 bye\r\n", "later", "421-bye\r\n421 later\r\n"},
        {"550-5.7.1 a\r\n550 5.7.1 b\r\n", "c", "550-5.7.1 a\r\n550-5.7.1 b\r\n550 5.7.1 c\r\n"},
        {"550 x\r\n", "", "550 x\r\n"},
        {"550 x\r\n", "$bad", "550-x\r\n550 x??250 y\r\n"},
    };
    for (const auto& c : cases) EXPECT_EQ(add_footer(c.reply, c.footer, expand), c.expected);
}

}  // namespace
}  // namespace postern::smtp
