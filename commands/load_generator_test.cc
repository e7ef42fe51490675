// The generator against a small server made of our own engine, on the same loop.
#include "commands/load_generator.h"

#include "lib/loop/listener.h"
#include "lib/smtp/data_decoder.h"
#include "lib/smtp/server_session.h"

namespace postern::commands {
namespace {

class Server {
  public:
    explicit Server(loop::Loop& loop)
        : loop_(loop),
          socket_(sys::listen_on(*sys::SocketAddress::parse("127.0.0.1:0")).value()),
          listener_(loop, socket_.get(), [this](Fd fd, const sys::SocketAddress&) {
              ++connections;
              clients_.push_back(std::make_unique<Client>(*this, std::move(fd)));
          }) {}
    sys::SocketAddress address() const { return sys::local_address(socket_.get()); }

    std::vector<std::string> messages, recipients;
    std::size_t connections = 0;
    smtp::ServerOptions options;
    smtp::Answer policy = smtp::Answer::accept();

  private:
    struct Client : loop::StreamHandler {
        Client(Server& s, Fd fd)
            : server(s),
              session(s.options),
              stream(std::make_unique<loop::Stream>(s.loop_, std::move(fd), *this)) {
            perform(session.greet());
            stream->flush();
        }
        void on_input() override {
            while (!closing) {
                if (reading) {
                    const auto step = decoder.next(stream->input());
                    content += step.content;
                    stream->consume(step.consumed);
                    if (step.kind == smtp::DataDecoder::Kind::content) continue;
                    if (step.kind == smtp::DataDecoder::Kind::need_more) return;
                    EXPECT_EQ(step.kind, smtp::DataDecoder::Kind::end);
                    reading = false;
                    for (const auto& r : session.envelope().recipients)
                        server.recipients.push_back(r.address);
                    perform(session.on_content(smtp::ContentEnd::complete, content.size()));
                    continue;
                }
                const auto line = stream->take_line(1000);
                if (line.kind != loop::Stream::Line::Kind::line) return;
                perform(session.on_line(line.text, line.crlf));
            }
        }
        void on_closed(const Error*) override {}
        void perform(smtp::Action action) {
            if (auto* say = std::get_if<smtp::Say>(&action)) return stream->write(say->text);
            if (std::holds_alternative<smtp::Ask>(action))
                return perform(session.on_answer(server.policy));
            if (std::holds_alternative<smtp::Open>(action))
                return perform(session.on_opened(smtp::Answer::accept()));
            if (auto* read = std::get_if<smtp::ReadData>(&action)) {
                reading = true;
                decoder = {};
                content.clear();
                return stream->write(read->text);
            }
            if (std::holds_alternative<smtp::Commit>(action)) {
                server.messages.push_back(content);
                return perform(session.on_committed(smtp::Answer::accept(), "ID"));
            }
            stream->write(std::get<smtp::Close>(action).text);
            closing = true;
            stream->close_after_flush();
        }
        Server& server;
        smtp::ServerSession session;
        std::unique_ptr<loop::Stream> stream;
        smtp::DataDecoder decoder;
        std::string content;
        bool reading = false, closing = false;
    };
    loop::Loop& loop_;
    Fd socket_;
    loop::Listener listener_;
    std::vector<std::unique_ptr<Client>> clients_;
};

struct Load : testing::Test {
    loop::Loop loop;
    Server server{loop};
    LoadOptions options;
    Load() {
        options.to = server.address();
        options.sender = "a@client.test";
        options.recipient = "b@example.test";
        options.hostname = "client.test";
    }
};

TEST_F(Load, OneConnectionPerMessage) {
    options.messages = 10;
    options.sessions = 3;
    options.length = 500;
    options.subject = "test";
    std::size_t shown = 0;
    LoadGenerator generator(loop, options, [&](std::size_t count) { shown = count; });
    ASSERT_TRUE(generator.run());
    EXPECT_EQ(generator.sent(), 10u);
    EXPECT_EQ(shown, 10u);
    EXPECT_EQ(server.connections, 10u);
    ASSERT_EQ(server.messages.size(), 10u);
    const auto& message = server.messages[0];
    EXPECT_EQ(message.size() - message.find("\r\n\r\n") - 4, 500u);
    EXPECT_THAT(message, testing::HasSubstr("Subject: test\r\n"));
    EXPECT_THAT(message,
                testing::StartsWith("From: <a@client.test>\r\nTo: <b@example.test>\r\nDate: "));
    EXPECT_EQ(server.recipients, std::vector<std::string>(10, "b@example.test"));
}

TEST_F(Load, KeepsConnections) {
    options.messages = 20;
    options.sessions = 4;
    options.keep_connection = true;
    options.pipelining = true;
    LoadGenerator generator(loop, options);
    ASSERT_TRUE(generator.run());
    EXPECT_EQ(server.messages.size(), 20u);
    EXPECT_EQ(server.connections, 4u);
    EXPECT_THAT(server.messages[0], testing::EndsWith("La de da de da 4.\r\n"));
}

TEST_F(Load, NumbersRecipients) {
    options.recipients = 3;
    LoadGenerator(loop, options).run().value();
    EXPECT_EQ(server.recipients,
              (std::vector<std::string>{"1b@example.test", "2b@example.test", "3b@example.test"}));
    server.recipients.clear();
    options.recipients = 1;
    options.messages = 2;
    options.number_recipients = true;
    LoadGenerator(loop, options).run().value();
    EXPECT_EQ(server.recipients, (std::vector<std::string>{"0b@example.test", "1b@example.test"}));
}

TEST_F(Load, SendsAFile) {
    options.content = "Subject: x\r\n\r\n.dot\r\n";
    LoadGenerator(loop, options).run().value();
    EXPECT_EQ(server.messages.at(0), options.content);
}

TEST_F(Load, StopsAtARefusalUnlessToldToGoOn) {
    server.policy = smtp::Answer::refuse(550, "5.1.1", "no such user");
    options.messages = 5;
    {
        LoadGenerator generator(loop, options);
        auto run = generator.run();
        ASSERT_FALSE(run);
        EXPECT_THAT(run.error().what, testing::HasSubstr("no such user"));
    }
    options.go_on = true;
    LoadGenerator generator(loop, options);
    EXPECT_TRUE(generator.run());
    EXPECT_EQ(generator.refused(), 5u);
}

TEST_F(Load, NobodyListens) {
    options.to = *sys::SocketAddress::parse("127.0.0.1:1");
    options.connect_attempts = 2;
    LoadGenerator generator(loop, options);
    auto run = generator.run();
    ASSERT_FALSE(run);
    EXPECT_THAT(run.error().what, testing::HasSubstr("Connection refused"));
}

}  // namespace
}  // namespace postern::commands
