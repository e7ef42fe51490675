// Whole deliveries on a loop: a request over a socket pair, scripted SMTP servers on loopback
// ports, a fake name space.
#include "forwarder/delivery.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/strings.h"
#include "lib/ipc/channel.h"
#include "lib/log/log.h"
#include "lib/loop/listener.h"
#include "lib/sys/socket.h"
#include "lib/tls/certificate.h"
#include "tests/support/fake_dns.h"

namespace postern::forwarder {
namespace {

// An SMTP server that answers each command from a script: the first rule whose prefix fits.
class FakeServer {
  public:
    struct Rule {
        std::string prefix;  // of the command line; "" greeting; "." end of data
        std::string answer;  // with CRLF; "" none; "CLOSE" ends the connection
        int times = -1;
    };

    FakeServer(loop::Loop& loop, std::vector<Rule> rules) : loop_(loop), rules_(std::move(rules)) {
        auto at = sys::SocketAddress::inet(*IpAddress::parse("127.0.0.1"), 0);
        socket_ = *sys::listen_on(at);
        listener_ = std::make_unique<loop::Listener>(
            loop, socket_.get(), [this](Fd fd, const sys::SocketAddress&) {
                ++connections;
                sessions_.push_back(std::make_unique<Session>(*this, std::move(fd)));
            });
    }
    std::uint16_t port() const { return sys::local_address(socket_.get()).port(); }
    std::string hop() const { return "[127.0.0.1]:" + std::to_string(port()); }

    int connections = 0;
    std::vector<std::string> lines;  // commands of all sessions
    std::string content;             // of the last message, as on the wire
    int messages = 0;
    std::optional<tls::ServerContext> tls;

  private:
    struct Session final : loop::StreamHandler {
        Session(FakeServer& server, Fd fd)
            : server_(server),
              stream_(std::make_unique<loop::Stream>(server.loop_, std::move(fd), *this)) {
            answer("");
            stream_->flush();
        }
        void on_input() override {
            while (stream_) {
                auto line = stream_->take_line(100000);
                if (line.kind != loop::Stream::Line::Kind::line) break;
                on_line(std::string(line.text));
            }
            if (stream_ && stream_->at_eof()) stream_.reset();
        }
        void on_closed(const Error*) override { stream_.reset(); }
        void on_line(const std::string& line) {
            if (in_data_) {
                if (line == ".") {
                    in_data_ = false;
                    ++server_.messages;
                    answer(".");
                } else {
                    server_.content += line + "\r\n";
                }
                return;
            }
            server_.lines.push_back(line);
            answer(line);
        }
        void answer(const std::string& line) {
            std::string reply = server_.find(line);
            if (reply == "CLOSE") return stream_.reset();
            if (reply == "CLOSE AFTER 250") {
                stream_->write("250 2.0.0 ok\r\n");
                return stream_->close_after_flush();
            }
            stream_->write(reply);
            if (istarts_with(line, "DATA") && reply.starts_with("354")) {
                in_data_ = true;
                server_.content.clear();
            }
            if (istarts_with(line, "STARTTLS") && server_.tls) {
                stream_->flush();
                EXPECT_TRUE(stream_->start_tls_server(*server_.tls));
            }
        }

        FakeServer& server_;
        std::unique_ptr<loop::Stream> stream_;
        bool in_data_ = false;
    };

    std::string find(const std::string& line) {
        for (Rule& rule : rules_) {
            bool fits = rule.prefix.empty() ? line.empty() : istarts_with(line, rule.prefix);
            if (!fits || rule.times == 0) continue;
            if (rule.times > 0) --rule.times;
            return rule.answer;
        }
        if (line.empty()) return "220 fake ESMTP\r\n";
        if (line == ".") return "250 2.0.0 Ok: queued\r\n";
        if (istarts_with(line, "EHLO") || istarts_with(line, "LHLO"))
            return "250-fake\r\n250 PIPELINING\r\n";
        if (istarts_with(line, "DATA")) return "354 go\r\n";
        return "250 2.0.0 ok\r\n";
    }

    loop::Loop& loop_;
    std::vector<Rule> rules_;
    Fd socket_;
    std::unique_ptr<loop::Listener> listener_;
    std::vector<std::unique_ptr<Session>> sessions_;
};

class DeliveryTest : public testing::Test {
  protected:
    DeliveryTest() {
        log::open_capture();
        options_.helo_name = "me.test";
        options_.own_name = "me.test";
        options_.randomize = false;
    }

    void set_content(const std::string& text) {
        char name[] = "/tmp/forwarder-test-XXXXXX";
        content_.reset(::mkstemp(name));
        ::unlink(name);
        ASSERT_EQ(::write(content_.get(), text.data(), text.size()),
                  static_cast<ssize_t>(text.size()));
        size_ = text.size();
    }

    ipc::DeliverRequest request(const std::string& next_hop, std::vector<std::string> recipients) {
        ipc::DeliverRequest request;
        request.queue_id = *QueueId::parse("4Xabcdefgh");
        request.service = "smtp";
        request.next_hop = next_hop;
        request.sender = "s@x.test";
        request.body_size = size_;
        request.arrival = request.queue_active = loop_.clock().now();
        for (const auto& address : recipients) {
            ipc::DeliverRecipient recipient;
            recipient.index = static_cast<std::uint32_t>(request.recipients.size() + 10);
            recipient.address = address;
            request.recipients.push_back(recipient);
        }
        return request;
    }

    // Runs one delivery to its report.
    ipc::DeliverReport deliver(const ipc::DeliverRequest& request) {
        if (!pool_) {
            finder_ =
                std::make_unique<TargetFinder>(loop_, dns_, options_, SystemRandom::instance());
            pool_ = std::make_unique<ConnectionPool>(loop_, options_, tls_ ? &*tls_ : nullptr);
        }
        int pair[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        std::optional<ipc::DeliverReport> report;
        std::unique_ptr<Delivery> delivery;
        Tools tools{loop_, options_, *finder_, *pool_};
        delivery = std::make_unique<Delivery>(tools, Fd(pair[0]), [&](Delivery*) {
            delivery.reset();
            if (report) loop_.stop();
        });
        ipc::LoopChannel::Handler handler;
        handler.on_packet = [&](ipc::Packet packet) {
            auto got = packet.as<ipc::DeliverReport>();
            EXPECT_TRUE(got) << got.error().what;
            report = got ? *got : ipc::DeliverReport{};
            if (!delivery) loop_.stop();
        };
        handler.on_closed = [&](Error) { loop_.stop(); };
        ipc::LoopChannel qmgr(loop_, Fd(pair[1]), std::move(handler));
        int fd = content_.get();
        EXPECT_TRUE(qmgr.send(request, "", std::span<const int>(&fd, 1)));
        loop_.run_for(Seconds{20});
        EXPECT_TRUE(report) << "no report";
        log_ = log::take_captured();
        return report ? *report : ipc::DeliverReport{};
    }

    // Lets pending work of the loop happen until the condition holds.
    template <class Condition>
    bool eventually(Condition condition) {
        for (int i = 0; i < 500 && !condition(); ++i) loop_.run_for(Millis{10});
        return condition();
    }

    loop::Loop loop_;
    Options options_;
    tests::FakeAsyncDns dns_{loop_, ""};
    std::optional<tls::ClientContext> tls_;
    Fd content_;
    std::size_t size_ = 0;
    std::unique_ptr<TargetFinder> finder_;
    std::unique_ptr<ConnectionPool> pool_;
    std::string log_;
};

TEST_F(DeliveryTest, Delivers) {
    FakeServer server(loop_, {});
    set_content("Subject: x\r\n\r\n.dot\r\nend\r\n");
    auto report = deliver(request(server.hop(), {"a@y.test", "b@y.test"}));
    ASSERT_EQ(report.recipients.size(), 2u);
    EXPECT_EQ(report.recipients[0].outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients[1].index, 11u);
    EXPECT_EQ(report.recipients[0].text, "250 2.0.0 Ok: queued");
    EXPECT_EQ(server.content, "Subject: x\r\n\r\n..dot\r\nend\r\n");
    EXPECT_THAT(server.lines,
                testing::ElementsAre("EHLO me.test", "MAIL FROM:<s@x.test>", "RCPT TO:<a@y.test>",
                                     "RCPT TO:<b@y.test>", "DATA"));
    std::string port = std::to_string(server.port());
    EXPECT_THAT(log_, testing::HasSubstr("4Xabcdefgh: to=<a@y.test>, relay=127.0.0.1[127.0.0.1]:" +
                                         port + ", delay="));
    EXPECT_THAT(log_, testing::HasSubstr("dsn=2.0.0, status=sent (250 2.0.0 Ok: queued)"));
}

TEST_F(DeliveryTest, ReusesConnections) {
    FakeServer server(loop_, {});
    set_content("x\r\n");
    for (int i = 0; i < 5; ++i) {
        auto report = deliver(request(server.hop(), {"a@y.test"}));
        EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    }
    EXPECT_EQ(server.connections, 1);
    EXPECT_EQ(server.messages, 5);
    EXPECT_EQ(pool_->idle_count(), 1u);
    pool_->drain();
    EXPECT_TRUE(eventually([&] { return pool_->size() == 0; }));
    EXPECT_TRUE(eventually([&] { return server.lines.back() == "QUIT"; }));
}

TEST_F(DeliveryTest, IdleConnectionsAreEnded) {
    options_.cache_time = Millis{20};
    FakeServer server(loop_, {});
    set_content("x\r\n");
    deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_TRUE(eventually([&] { return pool_->size() == 0; }));
    deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(server.connections, 2);
}

TEST_F(DeliveryTest, ReuseIsLimited) {
    options_.reuse_count = 2;
    FakeServer server(loop_, {});
    set_content("x\r\n");
    for (int i = 0; i < 4; ++i) deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(server.connections, 2);
}

TEST_F(DeliveryTest, ServerClosedTheKeptConnection) {
    // It closes when the second MAIL comes: the message goes over a new connection, nothing is
    // logged.
    FakeServer server(loop_, {{"MAIL", "250 ok\r\n", 1}, {"MAIL", "CLOSE", 1}});
    set_content("x\r\n");
    deliver(request(server.hop(), {"a@y.test"}));
    auto report = deliver(request(server.hop(), {"b@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(server.connections, 2);
    EXPECT_EQ(log_.find("lost connection"), std::string::npos);
}

TEST_F(DeliveryTest, ServerClosesAfterTheMessage) {
    FakeServer server(loop_, {{".", "CLOSE AFTER 250"}});
    set_content("x\r\n");
    for (int i = 0; i < 2; ++i) {
        auto report = deliver(request(server.hop(), {"a@y.test"}));
        EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    }
    EXPECT_EQ(server.messages, 2);
}

TEST_F(DeliveryTest, RecipientsApart) {
    FakeServer server(loop_,
                      {{"RCPT TO:<b", "450 4.2.1 later\r\n"}, {"RCPT TO:<c", "550 5.1.1 no\r\n"}});
    set_content("x\r\n");
    auto report = deliver(request(server.hop(), {"a@y.test", "b@y.test", "c@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients.at(1).outcome, ipc::Outcome::defer);
    EXPECT_EQ(report.recipients.at(1).status, "4.2.1");
    EXPECT_FALSE(report.recipients.at(1).site_down);
    EXPECT_EQ(report.recipients.at(2).outcome, ipc::Outcome::reject);
    EXPECT_THAT(log_,
                testing::HasSubstr("dsn=5.1.1, status=bounced (host 127.0.0.1[127.0.0.1] said: 550 "
                                   "5.1.1 no (in reply to RCPT TO command))"));
    EXPECT_THAT(
        log_, testing::HasSubstr("dsn=4.2.1, status=deferred (host 127.0.0.1[127.0.0.1] said: 450 "
                                 "4.2.1 later (in reply to RCPT TO command))"));
}

TEST_F(DeliveryTest, FallsBackToTheNextHost) {
    FakeServer second(loop_, {});
    FakeServer first(loop_, {{"RCPT TO:<a", "450 4.2.1 greylisted\r\n"}});
    set_content("x\r\n");
    auto report = deliver(request(first.hop() + "," + second.hop(), {"a@y.test", "b@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients.at(1).outcome, ipc::Outcome::accept);
    EXPECT_EQ(first.messages, 1);
    EXPECT_EQ(second.messages, 1);
    EXPECT_THAT(second.lines, testing::Not(testing::Contains("RCPT TO:<b@y.test>")));
    EXPECT_THAT(log_, testing::HasSubstr(
                          "4Xabcdefgh: host 127.0.0.1[127.0.0.1] said: 450 4.2.1 greylisted"));
}

TEST_F(DeliveryTest, GreetingRefusedAndHostsExhausted) {
    FakeServer first(loop_, {{"", "554 5.7.1 no\r\n"}});
    FakeServer second(loop_, {{"", "421 4.3.2 busy\r\n"}});
    set_content("x\r\n");
    auto report = deliver(request(first.hop() + "," + second.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_EQ(report.recipients.at(0).text,
              "host 127.0.0.1[127.0.0.1] refused to talk to me: 421 4.3.2 busy");
    EXPECT_TRUE(report.recipients.at(0).site_down);
}

TEST_F(DeliveryTest, ConnectionRefused) {
    std::uint16_t port = 0;
    {
        FakeServer gone(loop_, {});
        port = gone.port();
    }
    set_content("x\r\n");
    std::string at = "127.0.0.1[127.0.0.1]:" + std::to_string(port);
    auto report = deliver(request("[127.0.0.1]:" + std::to_string(port), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).text, "connect to " + at + ": Connection refused");
    EXPECT_EQ(report.recipients.at(0).status, "4.4.1");
    EXPECT_TRUE(report.recipients.at(0).site_down);
    EXPECT_THAT(log_, testing::HasSubstr("connect to " + at + ": Connection refused\n"));
    EXPECT_THAT(log_, testing::HasSubstr("relay=none, delay="));
}

TEST_F(DeliveryTest, ByMxRecords) {
    FakeServer server(loop_, {});
    dns_.zone = tests::FakeDns("y.test MX 10 mx.y.test\nmx.y.test A 127.0.0.1\n");
    set_content("x\r\n");
    auto report = deliver(request("y.test:" + std::to_string(server.port()), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients.at(0).remote_mta, "mx.y.test");
    dns_.zone.asked.clear();
    deliver(request("Y.test:" + std::to_string(server.port()), {"a@y.test"}));
    EXPECT_TRUE(dns_.zone.asked.empty());  // found by destination among the kept connections
    report = deliver(request("nosuch.test", {"a@nosuch.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::reject);
    EXPECT_THAT(log_, testing::HasSubstr("relay=none"));
}

TEST_F(DeliveryTest, BadDestinationWaits) {
    set_content("x\r\n");
    auto report = deliver(request("[oops", {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
}

TEST_F(DeliveryTest, Timeouts) {
    options_.helo = options_.mail = options_.data_done = Millis{30};
    set_content("x\r\n");
    FakeServer greeting(loop_, {{"", ""}});
    auto report = deliver(request(greeting.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).text,
              "conversation with 127.0.0.1[127.0.0.1] timed out while receiving the initial server "
              "greeting");
    EXPECT_EQ(report.recipients.at(0).status, "4.4.2");
    FakeServer mail(loop_, {{"MAIL", ""}, {"RCPT", ""}, {"DATA", ""}});
    report = deliver(request(mail.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).text,
              "conversation with 127.0.0.1[127.0.0.1] timed out while sending MAIL FROM");
    FakeServer end(loop_, {{".", ""}});
    report = deliver(request(end.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).text,
              "conversation with 127.0.0.1[127.0.0.1] timed out while sending end of data -- "
              "message may be "
              "sent more than once");
    EXPECT_TRUE(eventually([&] { return pool_->size() == 0; }));
}

TEST_F(DeliveryTest, ServerEndsTheConversation) {
    set_content("x\r\n");
    FakeServer server(loop_, {{"RCPT", "CLOSE"}});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_THAT(report.recipients.at(0).text,
                testing::StartsWith("lost connection with 127.0.0.1[127.0.0.1] while sending "));
}

TEST_F(DeliveryTest, LargeContent) {
    std::string text;
    while (text.size() < 5'000'000)
        text += ".A line that begins with a dot, " + std::to_string(text.size()) + "\r\n";
    set_content(text);
    FakeServer server(loop_, {});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    std::string expected;
    for (auto line : split(text, '\n')) {
        if (!line.empty()) expected += "." + std::string(line) + "\n";
    }
    EXPECT_TRUE(server.content == expected) << server.content.size() << " " << expected.size();
}

TEST_F(DeliveryTest, TruncatedQueueFileIsNotSent) {
    set_content("x\r\n");
    size_ += 100;
    FakeServer server(loop_, {});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);
    EXPECT_THAT(report.recipients.at(0).text, testing::HasSubstr("local data error"));
    EXPECT_EQ(server.messages, 0);
}

TEST_F(DeliveryTest, StartTls) {
    auto pair = tls::make_self_signed("fake");
    ASSERT_TRUE(pair);
    tls::ServerOptions server_options;
    server_options.certificate_pem = pair->certificate_pem;
    server_options.key_pem = pair->key_pem;
    options_.tls = smtp::TlsLevel::may;
    tls_.emplace(*tls::ClientContext::make({}));
    set_content("x\r\n");

    FakeServer server(loop_,
                      {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"}, {"STARTTLS", "220 go\r\n"}});
    server.tls.emplace(*tls::ServerContext::make(server_options));
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept)
        << report.recipients.at(0).text;
    EXPECT_THAT(server.lines,
                testing::ElementsAre("EHLO me.test", "STARTTLS", "EHLO me.test",
                                     "MAIL FROM:<s@x.test>", "RCPT TO:<a@y.test>", "DATA"));
    deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(server.connections, 1);
}

TEST_F(DeliveryTest, BrokenTlsFallsBackToPlaintext) {
    options_.tls = smtp::TlsLevel::may;
    tls_.emplace(*tls::ClientContext::make({}));
    set_content("x\r\n");
    FakeServer server(loop_, {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"}, {"STARTTLS", "CLOSE"}});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::defer);

    FakeServer garbage(loop_, {{"EHLO", "250-fake\r\n250 STARTTLS\r\n"},
                               {"STARTTLS", "220 go\r\nthis is no handshake\r\n"}});
    report = deliver(request(garbage.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(garbage.connections, 2);
}

TEST_F(DeliveryTest, TlsRequired) {
    options_.tls = smtp::TlsLevel::encrypt;
    tls_.emplace(*tls::ClientContext::make({}));
    set_content("x\r\n");
    FakeServer server(loop_, {});
    auto report = deliver(request(server.hop(), {"a@y.test"}));
    EXPECT_EQ(report.recipients.at(0).status, "4.7.4");
    EXPECT_EQ(server.messages, 0);
}

TEST_F(DeliveryTest, Lmtp) {
    options_.lmtp = true;
    options_.default_port = 24;
    FakeServer server(loop_, {{".", "250 2.1.5 a\r\n452 4.2.2 b\r\n"}});
    set_content("x\r\n");
    auto report = deliver(request("inet:" + server.hop(), {"a@y.test", "b@y.test"}));
    EXPECT_EQ(report.recipients.at(0).outcome, ipc::Outcome::accept);
    EXPECT_EQ(report.recipients.at(0).status, "2.1.5");
    EXPECT_EQ(report.recipients.at(1).status, "4.2.2");
}

}  // namespace
}  // namespace postern::forwarder
