// What tests of whole deliveries share: a scripted SMTP server on a loopback port, a loop, a fake
// name space.
#pragma once

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

#include "forwarder/delivery.h"

namespace postern::forwarder {

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
    bool wrapper = false;  // TLS from the first byte

  private:
    struct Session final : loop::StreamHandler {
        Session(FakeServer& server, Fd fd)
            : server_(server),
              stream_(std::make_unique<loop::Stream>(server.loop_, std::move(fd), *this)) {
            if (server.wrapper) {
                EXPECT_TRUE(stream_->start_tls_server(*server.tls));
                return;
            }
            answer("");
            stream_->flush();
        }
        void on_secured() override {
            if (server_.wrapper) answer("");
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
            pool_ = std::make_unique<ConnectionPool>(loop_, options_);
            tls_ = std::make_unique<TlsPolicies>(options_.tls);
            passwords_ = std::make_unique<Passwords>(options_.sasl);
            outgoing_ = std::make_unique<Outgoing>(options_.outgoing);
        }
        const Tools tools{loop_, options_,    *finder_,   *pool_,
                          *tls_, *passwords_, *outgoing_, tls_reports_};
        std::optional<ipc::DeliverReport> report;
        Delivery delivery(tools, request, Fd(::dup(content_.get())),
                          [&](const ipc::DeliverReport& made) {
                              report = made;
                              loop_.stop();
                          });
        delivery.begin();
        if (!report) loop_.run_for(Seconds{20});
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
    std::unique_ptr<TlsPolicies> tls_;
    std::unique_ptr<Passwords> passwords_;
    std::unique_ptr<Outgoing> outgoing_;
    TlsReports* tls_reports_ = nullptr;
    Fd content_;
    std::size_t size_ = 0;
    std::unique_ptr<TargetFinder> finder_;
    std::unique_ptr<ConnectionPool> pool_;
    std::string log_;
};

}  // namespace postern::forwarder
