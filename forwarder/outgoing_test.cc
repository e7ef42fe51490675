// What the SMTP client's tables make of a message on its way out.
#include "forwarder/outgoing.h"

#include "lib/log/log.h"

#include "forwarder/delivery_fixture.h"

namespace postern::forwarder {
namespace {

// The message as it goes out, taken in portions of every kind.
std::string sent(const OutgoingSettings& settings, std::string_view message,
                 OutgoingFilter::Bits bits = OutgoingFilter::Bits::as_they_are) {
    std::string first;
    for (const std::size_t portion : {message.size() + 1, std::size_t{7}, std::size_t{1}}) {
        log::open_capture();
        Outgoing tables(settings);
        OutgoingFilter filter(tables, "QID", bits);
        std::string out;
        Result<void> done;
        for (std::size_t at = 0; at < message.size() && done; at += portion)
            done = filter.feed(message.substr(at, portion), out);
        if (done) done = filter.finish(out);
        if (!done) out = "failed: " + done.error().what;
        if (portion > message.size()) first = out;
        EXPECT_EQ(out, first) << portion;
    }
    return first;
}

OutgoingSettings generic(std::string maps) {
    OutgoingSettings s;
    s.generic_maps = std::move(maps);
    s.addresses.delimiters = "+";
    s.addresses.completion.myorigin = "our.test";
    s.addresses.completion.mydomain = "test";
    s.classes.mydestination = "local.test";
    return s;
}

constexpr std::string_view kMessage =
    "From: Ann <ann@our.test>\r\n"
    "To: bob@far.test,\r\n"
    "\t\"Cy D\" <cy@local.test> (here)\r\n"
    "Subject: ann@our.test\r\n"
    "\r\n"
    "ann@our.test\r\n"
    ".dot\r\n";

TEST(Outgoing, NothingChangesWithoutTables) {
    EXPECT_EQ(sent({}, kMessage), kMessage);
    EXPECT_FALSE(Outgoing(OutgoingSettings{}).changes_text());
    for (const char* odd : {"\r\n", "\r\nbody\r\n", "no header\r\nat all\r\n", "A: b", "A: b\r\n",
                            "A: b\r\n c\r\n\td\r\n\r\n\r\n", "A: b\r\nnot a field\r\n\r\nx"})
        EXPECT_EQ(sent({}, odd), odd);
}

// After the tables: what a rule puts into a part's text is converted with it.
TEST(Outgoing, SevenBitsAfterTheTables) {
    OutgoingSettings settings = generic("inline:{ann@our.test=ann@world.example}");
    settings.checks.body = "inline:{{old = REPLACE n\xc3\xa9w}}";
    EXPECT_EQ(sent(settings, "From: ann@our.test\r\nContent-Transfer-Encoding: 8bit\r\n\r\nold\r\n",
                   OutgoingFilter::Bits::seven),
              "From: ann@world.example\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
              "n=C3=A9w\r\n");
    EXPECT_EQ(sent({}, kMessage, OutgoingFilter::Bits::seven), kMessage);
}

class EightBitTest : public DeliveryTest {};

TEST_F(EightBitTest, OnlyForServersThatDoNotOfferIt) {
    constexpr std::string_view kText = "Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc = \r\n";
    const struct {
        const char* greeting;
        bool announced, converts;
        const char* wire;
    } cases[] = {
        {"250-x\r\n250 8BITMIME\r\n", true, true, ""},
        {"250 x\r\n", true, true,
         "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC =3D=20\r\n"},
        {"250 x\r\n", false, true, ""},
        {"250 x\r\n", true, false, ""},
    };
    for (const auto& c : cases) {
        pool_.reset();
        options_.convert_8bit = c.converts;
        FakeServer server(loop_, {{"EHLO", c.greeting}});
        set_content(std::string(kText));
        auto mail = request(server.hop(), {"a@y.test"});
        mail.body_8bit = c.announced;
        EXPECT_EQ(deliver(mail).recipients.at(0).outcome, ipc::Outcome::accept);
        EXPECT_EQ(server.content, *c.wire == '\0' ? kText : c.wire);
    }
}

TEST(Outgoing, AddressesOfTheHeader) {
    const std::string out =
        sent(generic("inline:{ann@our.test=ann@world.example, cy=c.d@world.example}"), kMessage);
    EXPECT_EQ(out,
              "From: Ann <ann@world.example>\r\n"
              "To: bob@far.test,\r\n"
              "\t\"Cy D\" <c.d@world.example> (here)\r\n"
              "Subject: ann@our.test\r\n"
              "\r\n"
              "ann@our.test\r\n"
              ".dot\r\n");
}

TEST(Outgoing, GenericForms) {
    const auto settings = generic(
        "inline:{ann=one@world.example, @local.test=@world.example, {odd name@our.test=x@y.test}}");
    Outgoing tables(settings);
    EXPECT_EQ(*tables.generic("ann@our.test"), "one@world.example");  // $myorigin
    EXPECT_EQ(*tables.generic("ann@local.test"), "one@world.example");
    EXPECT_EQ(*tables.generic("ann@far.test"), "ann@far.test");
    EXPECT_EQ(*tables.generic("dave+x@local.test"), "dave+x@world.example");
    EXPECT_EQ(*tables.generic("odd name@our.test"), "x@y.test");
    EXPECT_EQ(*tables.generic(""), "");
}

TEST(Outgoing, HeaderChecksEdit) {
    OutgoingSettings s;
    s.checks.header =
        "regexp:{{/^Received: .*/ IGNORE} {/^Subject: (.*)/ REPLACE Subject: [out] $1} "
        "{/^X-One/ PREPEND X-Zero: 0} {/^X-Note/ WARN look}}";
    EXPECT_EQ(sent(s,
                   "Received: from inside\r\n\tby us\r\nSubject: hi\r\nX-One: 1\r\nX-Note: long\r\n"
                   "\r\nSubject: text\r\n"),
              "Subject: [out] hi\r\nX-Zero: 0\r\nX-One: 1\r\nX-Note: long\r\n"
              "\r\nSubject: text\r\n");
    EXPECT_THAT(log::take_captured(),
                testing::HasSubstr("QID: warning: header X-Note: long: look"));
}

// The time and the destination of mail that is on its way cannot change.
TEST(Outgoing, DecisionsAreNotForTheClient) {
    for (const char* action :
         {"REJECT no", "DISCARD", "HOLD", "FILTER smtp:x", "REDIRECT a@b.test", "BCC a@b.test"}) {
        OutgoingSettings s;
        s.lmtp = true;
        s.checks.header = cat({"static:{", action, "}"});
        EXPECT_EQ(sent(s, "Subject: x\r\n\r\n"), "Subject: x\r\n\r\n") << action;
        EXPECT_THAT(log::take_captured(),
                    testing::HasSubstr("unsupported command: " + std::string(action) +
                                       " in lmtp_header_checks map"));
    }
}

TEST(Outgoing, PartsMessagesAndText) {
    OutgoingSettings s;
    s.checks.mime_header = "regexp:{{/^(Content-Disposition: [a-z]*).*/ REPLACE $1}}";
    s.checks.nested_header = "regexp:{{/^Received:/ IGNORE}}";
    s.checks.body = "regexp:{{/secret/ REPLACE xxxxxx}}";
    EXPECT_EQ(sent(s,
                   "Content-Type: multipart/mixed; boundary=b\r\nReceived: outer\r\n\r\n"
                   "--b\r\nContent-Disposition: attachment; filename=x\r\n\r\nmy secret\r\n"
                   "--b\r\nContent-Type: message/rfc822\r\n\r\nReceived: inner\r\nSubject: s\r\n"
                   "\r\nopen\r\n--b--\r\n"),
              "Content-Type: multipart/mixed; boundary=b\r\nReceived: outer\r\n\r\n"
              "--b\r\nContent-Disposition: attachment\r\n\r\nxxxxxx\r\n"
              "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: s\r\n"
              "\r\nopen\r\n--b--\r\n");
}

// Checks first, then addresses: what a rule has written counts.
TEST(Outgoing, RulesComeBeforeAddresses) {
    auto s = generic("inline:{new@our.test=out@world.example}");
    s.checks.header = "regexp:{{/^From:/ REPLACE From: new@our.test}}";
    EXPECT_EQ(sent(s, "From: old@our.test\r\n\r\n"), "From: out@world.example\r\n\r\n");
}

TEST(Outgoing, TablesThatFailMakeMailWait) {
    OutgoingSettings s;
    s.checks.header = "fail:it";
    EXPECT_THAT(sent(s, kMessage), testing::StartsWith("failed: "));
    EXPECT_THAT(log::take_captured(), testing::HasSubstr("smtp_header_checks map lookup problem -- "
                                                         "deferring delivery"));
    s = {};
    s.checks.body = "fail:it";
    EXPECT_THAT(sent(s, kMessage), testing::StartsWith("failed: "));
    EXPECT_THAT(sent(generic("fail:it"), kMessage), testing::StartsWith("failed: "));
}

TEST(Outgoing, OverlongFieldsAreCutNotKept) {
    OutgoingSettings s;
    s.checks.header = "static:DUNNO";
    s.limits.header_size = 50;
    const std::string out =
        sent(s, "A: " + std::string(30, 'x') + "\r\n " + std::string(30, 'y') + "\r\nB: c\r\n\r\n");
    EXPECT_EQ(out, "A: " + std::string(30, 'x') + "\r\nB: c\r\n\r\n");
}

TEST(Outgoing, FromMainCf) {
    const auto config = config::Config::parse(
        "myorigin = our.test\nrecipient_delimiter = +\npropagate_unmatched_extensions = generic\n"
        "smtp_generic_maps = inline:{a@our.test=b@x.test}\nlmtp_header_checks = static:WARN\n"
        "smtp_body_checks = static:DUNNO\ninet_interfaces = 127.0.0.1\nproxy_interfaces =\n");
    ASSERT_TRUE(config) << config.error().what;
    const auto smtp = OutgoingSettings::from(*config, false);
    Outgoing tables(smtp);
    EXPECT_EQ(*tables.generic("a+e@our.test"), "b+e@x.test");
    EXPECT_TRUE(tables.rules().wants(content::Kind::body));
    EXPECT_FALSE(tables.rules().wants(content::Kind::header));
    const auto lmtp = OutgoingSettings::from(*config, true);
    EXPECT_TRUE(Outgoing(lmtp).rules().wants(content::Kind::header));
    EXPECT_FALSE(Outgoing(lmtp).has_generic_maps());
}

// ---- whole deliveries ---------------------------------------------------------------------------

class OutgoingDelivery : public DeliveryTest {};

TEST_F(OutgoingDelivery, TheServerSeesOtherAddressesAndTheLogOurs) {
    FakeServer server(loop_, {});
    options_.outgoing = generic("inline:{s@x.test=out@world.example, r@far.test=q@far.test}");
    set_content("From: s@x.test\r\n\r\n.dot\r\n");
    const auto report = deliver(request(server.hop(), {"r@far.test"}));
    ASSERT_EQ(report.recipients.size(), 1u);
    EXPECT_EQ(report.recipients[0].outcome, ipc::Outcome::accept);
    EXPECT_THAT(server.lines,
                testing::Contains(testing::StartsWith("MAIL FROM:<out@world.example>")));
    EXPECT_THAT(server.lines, testing::Contains(testing::StartsWith("RCPT TO:<q@far.test>")));
    EXPECT_EQ(server.content, "From: out@world.example\r\n\r\n..dot\r\n");
    EXPECT_THAT(log_, testing::HasSubstr("to=<r@far.test>"));
}

TEST_F(OutgoingDelivery, AFailedTableSendsNothing) {
    FakeServer server(loop_, {});
    options_.outgoing = generic("fail:it");
    set_content("From: s@x.test\r\n\r\n");
    auto report = deliver(request(server.hop(), {"r@far.test"}));
    ASSERT_EQ(report.recipients.size(), 1u);
    EXPECT_EQ(report.recipients[0].outcome, ipc::Outcome::defer);
    EXPECT_EQ(server.connections, 0);
    EXPECT_THAT(log_, testing::HasSubstr("smtp_generic_maps lookup problem"));
}

TEST_F(OutgoingDelivery, AFailedCheckEndsTheConnectionWithoutAMessage) {
    FakeServer server(loop_, {});
    options_.outgoing.checks.body = "fail:it";
    set_content("From: s@x.test\r\n\r\ntext\r\n");
    const auto report = deliver(request(server.hop(), {"r@far.test"}));
    ASSERT_EQ(report.recipients.size(), 1u);
    EXPECT_EQ(report.recipients[0].outcome, ipc::Outcome::defer);
    EXPECT_EQ(server.messages, 0);
}

}  // namespace
}  // namespace postern::forwarder
