#include "commands/sink_session.h"

namespace postern::commands {
namespace {

struct Sink {
    std::string say(std::string_view bytes, std::size_t piece = 1000) {
        std::string said;
        while (!bytes.empty()) {
            std::string_view now = bytes.substr(0, piece);
            std::size_t used = session.on_input(now);
            bytes.remove_prefix(used);
            said += std::exchange(session.output, {});
            if (session.wait > Millis{0}) waited += std::exchange(session.wait, Millis{0});
            if (session.has_message) {
                session.has_message = false;
                kept = session.message.content;
            }
            if (session.closing || session.aborting) break;
        }
        return said;
    }

    SinkOptions options;
    SinkCounters counters;
    SinkSession session{options, counters, SystemRandom::instance()};
    Millis waited{0};
    std::string kept;
};

constexpr std::string_view kMessage =
    "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nSubject: x\r\n\r\n..a\r\n.\r\n";
constexpr std::string_view kAnswers =
    "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok\r\n";

TEST(SinkSessionTest, TakesMailInAnyPieces) {
    for (std::size_t piece = 1; piece < 20; ++piece) {
        Sink sink;
        sink.options.keep_content = true;
        sink.session.on_connect();
        EXPECT_EQ(std::exchange(sink.session.output, {}), "220 localhost ESMTP\r\n");
        EXPECT_EQ(sink.say(kMessage, piece), kAnswers) << piece;
        EXPECT_EQ(sink.kept, "Subject: x\r\n\r\n..a\r\n.\r\n");
        EXPECT_EQ(sink.say(std::string(kMessage) + std::string(kMessage), piece),
                  std::string(kAnswers) + std::string(kAnswers));
        EXPECT_EQ(sink.say("QUIT\r\n"), "221 2.0.0 Bye\r\n");
        EXPECT_TRUE(sink.session.closing);
        EXPECT_EQ(sink.counters.messages, 3u);
        EXPECT_EQ(sink.counters.quits, 1u);
    }
}

TEST(SinkSessionTest, EmptyContent) {
    for (std::size_t piece : {1u, 2u, 3u, 100u}) {
        Sink sink;
        EXPECT_EQ(sink.say("DATA\r\n.\r\nNOOP\r\n", piece),
                  "354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n");
    }
}

TEST(SinkSessionTest, Extensions) {
    Sink sink;
    EXPECT_EQ(sink.say("EHLO x\r\n"),
              "250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-AUTH PLAIN "
              "LOGIN\r\n250-XCLIENT NAME "
              "HELO\r\n250-XFORWARD NAME ADDR PROTO HELO\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n"
              "250-SMTPUTF8\r\n250 \r\n");
    sink.options.pipelining = sink.options.eight_bit_mime = sink.options.auth = false;
    sink.options.xclient = sink.options.xforward = sink.options.enhanced_status = false;
    sink.options.dsn = sink.options.smtputf8 = false;
    EXPECT_EQ(sink.say("EHLO x\r\nMAIL FROM:<>\r\nQUIT\r\n"),
              "250-localhost\r\n250 \r\n250 Ok\r\n221 Bye\r\n");
    sink.session.closing = false;
    sink.options.esmtp = false;
    EXPECT_EQ(sink.say("EHLO x\r\n").substr(0, 3), "500");
}

TEST(SinkSessionTest, FailsOnCommand) {
    Sink sink;
    sink.options.soft_reject = {"RCPT"};
    sink.options.hard_reject = {"mail"};
    EXPECT_EQ(sink.say("MAIL FROM:<>\r\nrcpt TO:<x>\r\n"),
              "500 5.3.0 Error: command failed\r\n450 4.3.0 Error: command failed\r\n");
    sink.options.soft_reject = {"."};
    EXPECT_EQ(sink.say("DATA\r\nx\r\n.\r\n").substr(37), "450 4.3.0 Error: command failed\r\n");
    EXPECT_EQ(sink.counters.messages, 0u);
    sink.options.disconnect = {"NOOP"};
    EXPECT_EQ(sink.say("NOOP\r\n"), "");
    EXPECT_TRUE(sink.session.closing);

    Sink other;
    other.options.refuse_and_close = {"CONNECT"};
    other.session.on_connect();
    EXPECT_EQ(other.session.output, "421 4.0.0 Server closing connection\r\n");
    EXPECT_TRUE(other.session.closing);
}

TEST(SinkSessionTest, Delays) {
    Sink sink;
    sink.options.delays["DATA"] = {Millis{500}, 1};
    sink.say(kMessage);
    EXPECT_EQ(sink.waited, Millis{500});
    sink.options.abort_after_data = true;
    sink.say("DATA\r\n");
    EXPECT_TRUE(sink.session.aborting);
}

TEST(SinkSessionTest, Lmtp) {
    Sink sink;
    sink.options.lmtp = true;
    EXPECT_EQ(sink.say("EHLO x\r\n").substr(0, 3), "500");
    EXPECT_EQ(sink.say("LHLO x\r\n").substr(0, 3), "250");
    std::string said = sink.say("MAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nDATA\r\n.\r\n");
    EXPECT_TRUE(said.ends_with("\r\n250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n"));
    EXPECT_EQ(sink.counters.messages, 1u);
}

TEST(SinkSessionTest, LongLinesAndJunk) {
    Sink sink;
    EXPECT_EQ(sink.say(std::string(100000, 'x') + "\r\nNOOP\r\n"),
              "500 5.5.1 Error: unknown command\r\n250 2.0.0 Ok\r\n");
    EXPECT_EQ(sink.say("\r\n").substr(0, 3), "500");
}

}  // namespace
}  // namespace postern::commands
