// What policy wants to become of a message, and where XFORWARD says that it is from.
#include "cleanup/envelope.h"
#include "cleanup/milter_settings.h"
#include "cleanup/transaction_fixture.h"

namespace postern::cleanup {
namespace {

using Kind = ipc::MailActionKind;

class ActionsTest : public TransactionTest {
  protected:
    // The stored message with these actions; nothing when there is none.
    std::optional<queue::Message> sent(std::vector<ipc::MailAction> actions) {
        auto open = submission({"r@example.test", "s@example.test"});
        open.content_filter = "scan:usual";
        open.actions = std::move(actions);
        const auto before = nudged.size();
        const auto result = submit(open, "Subject: x\r\n\r\nx\r\n");
        EXPECT_TRUE(result);
        EXPECT_EQ(result->outcome, ipc::Outcome::accept);
        if (nudged.size() == before) return std::nullopt;
        return stored(result->queue_id, &text);
    }
    std::string text;
};

TEST_F(ActionsTest, EachDoesItsPart) {
    EXPECT_FALSE(sent({{Kind::discard, "", ""}}));
    EXPECT_TRUE(sent({{Kind::hold, "", ""}})->envelope.has(queue::kHold));
    EXPECT_EQ(sent({{Kind::filter, "scan:other", ""}})
                  ->envelope.attribute(queue::attribute::kContentFilter),
              "scan:other");
    const auto redirected = sent({{Kind::redirect, "spam@example.test", ""}});
    ASSERT_EQ(redirected->envelope.recipients.size(), 1U);
    EXPECT_EQ(redirected->envelope.recipients[0].address, "spam@example.test");
    const auto copied = sent({{Kind::bcc, "copy@example.test", ""}});
    ASSERT_EQ(copied->envelope.recipients.size(), 3U);
    EXPECT_EQ(copied->envelope.recipients[2].address, "copy@example.test");
    EXPECT_EQ(copied->envelope.recipients[2].notify, ipc::kNotifyNever);
}

TEST_F(ActionsTest, FieldsComeFirst) {
    sent({{Kind::prepend, "Received-SPF: pass", ""}, {Kind::prepend, "X-Two: 2", ""}});
    EXPECT_TRUE(text.starts_with("Received-SPF: pass\r\nX-Two: 2\r\nReceived: from vm")) << text;
    sent({{Kind::prepend, "no field", ""}, {Kind::prepend, "X: a\r\nEvil: b", ""}});
    EXPECT_TRUE(text.starts_with("Received: from vm")) << text;
}

TEST_F(ActionsTest, SomeComeLate) {
    connect();
    send_open(submission({"r@example.test"}));
    ASSERT_TRUE(hear<ipc::SubmitOpened>());
    write_all("Subject: x\r\n\r\nx\r\n");
    pipe_write.reset();
    ASSERT_TRUE(peer->send(ipc::SubmitEnd{17, {{Kind::hold, "", ""}}}, soon()));
    const auto result = hear<ipc::SubmitResult>();
    ASSERT_TRUE(result);
    EXPECT_TRUE(stored(result->queue_id).envelope.has(queue::kHold));
}

TEST_F(ActionsTest, TheOriginIsWhatXforwardSays) {
    auto open = submission({"r@example.test"});
    open.forwarded = true;
    open.origin_name = "far.test";
    open.origin_address = "192.0.2.77";
    open.origin_port = "99";
    open.origin_helo = "hello";
    open.origin_protocol = "ESMTPS";
    open.origin_ident = "4cQ1zXy3lKz1";
    const auto envelope = envelope_of(open);
    EXPECT_EQ(envelope.attribute(queue::attribute::kClientName), "far.test");
    EXPECT_EQ(envelope.attribute(queue::attribute::kClientAddress), "192.0.2.77");
    EXPECT_EQ(envelope.attribute(queue::attribute::kClientPort), "99");
    EXPECT_EQ(envelope.attribute(queue::attribute::kHelo), "hello");
    EXPECT_EQ(envelope.attribute(queue::attribute::kProtocol), "ESMTPS");
    EXPECT_EQ(envelope.attribute(queue::attribute::kLogIdent), "4cQ1zXy3lKz1");
    open.forwarded = false;
    EXPECT_EQ(envelope_of(open).attribute(queue::attribute::kClientName), "unknown");
    EXPECT_EQ(envelope_of(open).attribute(queue::attribute::kLogIdent), "");
}

// Conversion comes before the checks: they see what is kept.
TEST_F(ActionsTest, SevenBitsWhereTheyAreForced) {
    const struct {
        const char *message, *kept;
        bool announced, eight_bit;
    } cases[] = {
        {"Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n",
         "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n", true, false},
        {"A: b\r\n\r\n\xc3\xbc", "A: b\r\n\r\n\xc3\xbc\r\n", true, true},
        {"Content-Transfer-Encoding: 8bit\r\nA: b",
         "A: b\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\n\r\n",
         false, false},
    };
    options.to_seven_bit = true;
    for (const auto& c : cases) {
        auto open = submission({"r@example.test"});
        open.body_8bit = c.announced;
        connect();
        const auto result = submit(open, c.message);
        ASSERT_TRUE(result);
        const auto message = stored(result->queue_id, &text);
        EXPECT_TRUE(text.ends_with(c.kept)) << text;
        EXPECT_EQ(message.envelope.has(queue::kBody8bit), c.eight_bit) << text;
    }
}

// RFC 8689 5; it counts in the message's own header only.
TEST_F(ActionsTest, TlsRequiredNo) {
    const struct {
        const char* message;
        bool heeded, optional;
    } cases[] = {{"TLS-Required: no\r\n\r\n", true, true},
                 {"tls-required:\r\n NO \r\n\r\n", true, true},
                 {"TLS-Required: no\r\n\r\n", false, false},
                 {"TLS-Required: yes\r\n\r\n", true, false},
                 {"A: b\r\n\r\nTLS-Required: no\r\n", true, false}};
    for (const auto& c : cases) {
        options.tls_optional = c.heeded;
        connect();
        const auto result = submit(submission({"r@example.test"}), c.message);
        ASSERT_TRUE(result);
        EXPECT_EQ(stored(result->queue_id).envelope.has(queue::kTlsOptional), c.optional)
            << c.message;
    }
}

TEST(MilterCatalog, ByClient) {
    log::open_capture();
    const auto config = config::Config::parse(
        "smtpd_milters = inet:usual:1\n"
        "smtpd_milter_maps = inline:{127.0.0.1=DISABLE, 192.0.2.1=inet:other:1}\n");
    const auto master = config::MasterFile::parse(
        "smtp inet n - n - - smtpd\n"
        "submission inet n - n - - smtpd -o smtpd_milter_maps=fail:x\n");
    MilterCatalog catalog(*config, *master);
    const auto name = [&](const char* service, const char* address) {
        const auto settings = catalog.of_client(service, address);
        return settings ? settings->servers.at(0).name : "none";
    };
    EXPECT_EQ(name("smtp", "127.0.0.1"), "none");
    EXPECT_EQ(name("smtp", "192.0.2.1"), "inet:other:1");
    EXPECT_EQ(name("smtp", "192.0.2.1"), "inet:other:1");
    EXPECT_EQ(name("smtp", "192.0.2.2"), "inet:usual:1");
    EXPECT_EQ(name("submission", "192.0.2.2"), "(as smtpd_milter_maps fails)");
}

TEST_F(ActionsTest, VerpIsKept) {
    const auto kept = [this](const std::string& verp, const std::string& sender) {
        ipc::SubmitOpen open = submission({"b@c.d"});
        open.verp = verp.substr(0, 2);
        open.sender = sender;
        connect();
        const auto result = submit(open, "Subject: x\r\n\r\n");
        return result ? cat({result->status, " ", result->text}) : "";
    };
    EXPECT_EQ(kept("-=", "a@b.test"), "2.0.0 Ok");
    const std::string refusal = "5.5.4 Error: VERP needs a sender and two characters from -=+";
    EXPECT_EQ(kept("ab", "a@b.test"), refusal);
    EXPECT_EQ(kept("+", "a@b.test"), refusal);
    EXPECT_EQ(kept("+=", ""), refusal);
}

}  // namespace
}  // namespace postern::cleanup
