// Deliveries to servers that need to be treated differently: firewalls, slow ones, addresses to
// connect from.
#include "forwarder/delivery_fixture.h"
#include "forwarder/server_rules.h"

namespace postern::forwarder {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(PixWorkarounds, Words) {
    log::open_capture();
    const struct {
        std::string words, names;
        bool warned;
    } cases[] = {
        {"disable_esmtp,delay_dotcrlf", "disable_esmtp delay_dotcrlf", false},
        {" Delay_DotCrLf ", "delay_dotcrlf", false},
        {"", "", false},
        {"disable_esmtp nosuch", "disable_esmtp", true},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(pix_names(parse_pix_workarounds(c.words, "smtp_pix_workarounds")), c.names);
        EXPECT_EQ(log::take_captured().find("smtp_pix_workarounds: unknown PIX workaround") !=
                      std::string::npos,
                  c.warned);
    }
    ServerRules rules("", "", "inline:{192.0.2.1=delay_dotcrlf}");
    EXPECT_TRUE(rules.pix_workarounds("192.0.2.1")->delay_dotcrlf);
    EXPECT_FALSE(rules.pix_workarounds("192.0.2.3"));
}

class WorkaroundsTest : public DeliveryTest {
  protected:
    // A message of that age to a server with that greeting.
    ipc::DeliverReport send(FakeServer& server, Seconds age) {
        auto mail = request(server.hop(), {"a@y.test"});
        mail.arrival -= age;
        return deliver(mail);
    }
    static FakeServer::Rule pix() { return {"", "220 *******\r\n"}; }
};

TEST_F(WorkaroundsTest, TheEndOfTheContentComesLateThroughAFirewall) {
    options_.pix = {true, true};
    options_.pix_delay = Millis{300};
    FakeServer server(loop_, {pix()});
    set_content("Subject: x\r\n\r\nlast line\r\n");
    const struct {
        Seconds age;
        bool late;
    } cases[] = {{Seconds{1000}, true}, {Seconds{10}, false}};
    for (const auto& c : cases) {
        pool_.reset();
        const SteadyTime begin = loop_.clock().steady();
        const auto report = send(server, c.age);
        EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
        EXPECT_EQ(loop_.clock().steady() - begin >= Millis{300}, c.late);
        EXPECT_EQ(server.content, "Subject: x\r\n\r\nlast line\r\n");
        EXPECT_THAT(log_, HasSubstr("4Xabcdefgh: enabling PIX workarounds: disable_esmtp "
                                    "delay_dotcrlf for 127.0.0.1[127.0.0.1]:"));
    }
    EXPECT_EQ(server.lines.at(0), "HELO me.test");
}

// A body that fills all buffers of the way: the pause begins when it has gone out.
TEST_F(WorkaroundsTest, LargeContentWithALateEnd) {
    options_.pix.delay_dotcrlf = true;
    options_.pix_delay = Millis{20};
    FakeServer server(loop_, {pix()});
    std::string text;
    for (int i = 0; i < 200'000; ++i) text += "0123456789012345678901234567890123456789\r\n";
    set_content(text);
    EXPECT_EQ(send(server, Seconds{1000}).recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_TRUE(server.content == text);
}

TEST_F(WorkaroundsTest, TheMapNamesOtherWorkarounds) {
    options_.pix = {true, true};
    options_.pix_maps = "inline:{127.0.0.1=delay_dotcrlf}";
    FakeServer server(loop_, {pix()});
    set_content("x\r\n");
    send(server, Seconds{10});
    EXPECT_EQ(server.lines.at(0), "EHLO me.test");
    EXPECT_THAT(log_, HasSubstr("enabling PIX workarounds: delay_dotcrlf for"));
}

TEST_F(WorkaroundsTest, OtherServersHaveNone) {
    options_.pix = {true, true};
    FakeServer server(loop_, {});
    set_content("x\r\n");
    send(server, Seconds{1000});
    EXPECT_EQ(server.lines.at(0), "EHLO me.test");
    EXPECT_THAT(log_, Not(HasSubstr("PIX")));
}

TEST_F(WorkaroundsTest, QuotedAddresses) {
    const struct {
        bool quote;
        std::string address, sent;
    } cases[] = {
        {true, "\"two words\"@y.test", "\"two words\"@y.test"},
        {true, "two words@y.test", "\"two words\"@y.test"},  // a table's work
        {true, "a\"b@y.test", "\"a\\\"b\"@y.test"},
        {true, "plain@y.test", "plain@y.test"},
        {false, "\"two words\"@y.test", "two words@y.test"},
        {false, "\"a\\\"b\"@y.test", "a\"b@y.test"},
    };
    set_content("x\r\n");
    for (const auto& c : cases) {
        options_.quote_envelope = c.quote;
        FakeServer server(loop_, {});
        auto mail = request(server.hop(), {c.address});
        mail.sender = "";
        deliver(mail);
        EXPECT_THAT(server.lines, testing::IsSupersetOf(
                                      {std::string("MAIL FROM:<>"), "RCPT TO:<" + c.sent + ">"}))
            << c.address;
    }
}

// The server says a byte now and then: each keeps the connection alive, but not the request.
TEST_F(WorkaroundsTest, ADeadlineIsForTheWholeReply) {
    struct Dripping final : loop::StreamHandler {
        Dripping(loop::Loop& loop, Fd fd)
            : stream(loop, std::move(fd), *this), timer(loop, [this] {
                  stream.write("220-x\r\n");
                  stream.flush();
                  timer.start(Millis{50});
              }) {
            timer.start(Millis{0});
        }
        void on_input() override {}
        void on_closed(const Error*) override { timer.stop(); }
        loop::Stream stream;
        loop::Timer timer;
    };
    options_.per_request_deadline = true;
    options_.helo = Millis{400};
    const auto at = sys::SocketAddress::inet(*IpAddress::parse("127.0.0.1"), 0);
    Fd socket = *sys::listen_on(at);
    std::unique_ptr<Dripping> server;
    loop::Listener listener(loop_, socket.get(), [&](Fd fd, const sys::SocketAddress&) {
        server = std::make_unique<Dripping>(loop_, std::move(fd));
    });
    set_content("x\r\n");
    const auto port = std::to_string(sys::local_address(socket.get()).port());
    const auto report = deliver(request("[127.0.0.1]:" + port, {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_THAT(report.recipients.at(0).text,
                HasSubstr("timed out while receiving the initial server greeting"));
}

TEST_F(WorkaroundsTest, SlowContentEarnsTime) {
    options_.per_request_deadline = true;
    options_.min_data_rate = 1;
    options_.data_xfer = Millis{5000};
    FakeServer server(loop_, {});
    set_content(std::string(100'000, 'x') + "\r\n");
    EXPECT_EQ(deliver(request(server.hop(), {"a@y.test"})).recipients.at(0).outcome,
              ipc::Outcome::accept);
}

// An address that this host does not have (RFC 5737).
TEST_F(WorkaroundsTest, AddressesToConnectFrom) {
    options_.bind_address = "192.0.2.77";
    set_content("x\r\n");
    for (const bool enforce : {false, true}) {
        options_.bind_enforce = enforce;
        FakeServer server(loop_, {});
        const auto report = deliver(request(server.hop(), {"a@y.test"}));
        EXPECT_EQ(report.recipients.at(0).outcome,
                  enforce ? ipc::Outcome::defer : ipc::Outcome::accept);
        EXPECT_THAT(log_, HasSubstr("bind 192.0.2.77"));
        EXPECT_EQ(server.connections, enforce ? 0 : 1);
    }
}

}  // namespace
}  // namespace postern::forwarder
