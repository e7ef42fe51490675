#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/store.h"
#include "lib/net/stream.h"
#include "lib/sys/unix_socket.h"
#include "pop3d/mail_session.h"
#include "tests/support/temp_folder.h"

namespace postern::pop3d {
namespace {

// A session in a thread of its own, the client in the test.
class SessionTest : public testing::Test {
  protected:
    SessionTest() : store_(mailbox::Store::open(folder_ / "Maildir").value()) {
        log::open_capture();
    }

    void append(const std::string& text, mailbox::SystemFlags flags = 0) {
        const std::vector<mailbox::AppendMessage> one{
            {[text](mailbox::MessageWriter& writer) { return writer.write(text); }, flags, {}, 0}};
        ASSERT_TRUE(inbox().append(one));
    }
    mailbox::Mailbox inbox() { return store_.mailbox("INBOX").value(); }

    // Plays the whole dialogue: sends `input` and half-closes; what the session says until its end.
    std::string play(const std::string& input, const std::string& pending = "",
                     Options options = {}) {
        auto ends = sys::stream_pair().value();
        std::string end;
        std::thread server([&, fd = std::move(ends.second)]() mutable {
            auto view = inbox().open(mailbox::Access::read_write).value();
            ClientStream stream(std::move(fd));
            summary_ = MailSession(stream, *view, options, pending).run();
        });
        net::Stream client(std::move(ends.first));
        EXPECT_TRUE(client.write(input, Deadline::in(Seconds{10})));
        ::shutdown(client.fd(), SHUT_WR);
        std::string output;
        for (;;) {
            const auto more = client.read_some(Deadline::in(Seconds{10}));
            if (!more || more->empty()) break;
            output += *more;
        }
        server.join();
        return output;
    }

    support::TempFolder folder_;
    mailbox::Store store_;
    Summary summary_;
};

TEST_F(SessionTest, AnswersTheLoginThenTheDialogue) {
    append("Subject: one\n\nbody\n");
    append("Subject: two\n\n.dot\n");
    EXPECT_EQ(play("STAT\r\nLIST\r\nRETR 2\r\nTOP 1 0\r\nNOOP\r\nQUIT\r\n"),
              "+OK Logged in.\r\n"
              "+OK 2 44\r\n"
              "+OK scan listing follows\r\n1 22\r\n2 22\r\n.\r\n"
              "+OK 22 octets\r\nSubject: two\r\n\r\n..dot\r\n.\r\n"
              "+OK\r\nSubject: one\r\n\r\n.\r\n"
              "+OK\r\n"
              "+OK Logging out.\r\n");
    EXPECT_EQ(summary_.end, "Logged out");
    EXPECT_EQ(summary_.retrieved, 1U);
    EXPECT_EQ(summary_.topped, 1U);
}

TEST_F(SessionTest, DeletesAtQuitOnly) {
    for (const char* text : {"1\n", "2\n", "3\n"}) append(text);
    EXPECT_THAT(play("DELE 1\r\n"), testing::EndsWith("+OK Marked to be deleted.\r\n"));
    EXPECT_EQ(summary_.end, "Disconnected");
    EXPECT_EQ(inbox().status()->messages, 3U) << "no QUIT, no deletion";
    EXPECT_THAT(play("DELE 1\r\nDELE 3\r\nQUIT\r\n"),
                testing::EndsWith("+OK Logging out, messages deleted.\r\n"));
    EXPECT_EQ(summary_.deleted, 2U);
    const auto view = inbox().open(mailbox::Access::read_only).value();
    ASSERT_EQ(view->count(), 1U);
    EXPECT_EQ(*view->read(1), "2\n");
}

TEST_F(SessionTest, FetchedMessagesAreSeen) {
    append("1\n");
    append("2\n");
    (void)play("RETR 1\r\nQUIT\r\n");
    const auto view = inbox().open(mailbox::Access::read_only).value();
    EXPECT_EQ(view->message(1).flags.system, mailbox::kSeen);
    EXPECT_EQ(view->message(2).flags.system, 0);
}

TEST_F(SessionTest, WhatCouldNotBeSentIsNotSeen) {
    std::ofstream(folder_ / "Maildir/cur/1.damaged:2,") << "\x1f\x8b\x08 compressed, they say\n";
    EXPECT_THAT(play("RETR 1\r\nQUIT\r\n"), testing::HasSubstr("-ERR [SYS/TEMP] Message is not"));
    EXPECT_EQ(inbox().open(mailbox::Access::read_only).value()->message(1).flags.system, 0);
}

TEST_F(SessionTest, UniqueIdsAreStable) {
    append("1\n");
    append("2\n");
    const auto first = play("UIDL\r\nQUIT\r\n");
    const auto lines = split(first, '\n');
    ASSERT_GE(lines.size(), 4U);
    EXPECT_TRUE(lines[2].starts_with("1 00000001")) << lines[2];
    EXPECT_EQ(lines[2].size(), 2U + 16U + 1U);
    EXPECT_EQ(play("UIDL\r\nQUIT\r\n"), first);
    (void)play("DELE 1\r\nQUIT\r\n");
    EXPECT_THAT(play("UIDL 1\r\nQUIT\r\n"), testing::HasSubstr("+OK 1 00000002"));
}

TEST_F(SessionTest, UniqueIdsOfAServerBefore) {
    append("1\n");
    append("2\n");
    append("3\n");
    const auto view = inbox().open(mailbox::Access::read_only).value();
    Options options;
    options.known_uidls = {{view->base_name(1), "UID7-1700000000"},
                           {view->base_name(2), "no id, as it has blanks"}};
    const auto told = play("UIDL\r\nQUIT\r\n", "", options);
    EXPECT_THAT(told, testing::HasSubstr("1 UID7-1700000000\r\n2 00000002"));
    EXPECT_THAT(told, testing::HasSubstr("\r\n3 00000003"));
}

TEST_F(SessionTest, UsesWhatLoginHadRead) {
    append("1\n");
    EXPECT_EQ(play("T\r\nQUIT\r\n", "NOOP\r\nSTA"),
              "+OK Logged in.\r\n+OK\r\n+OK 1 3\r\n+OK Logging out.\r\n");
}

TEST_F(SessionTest, AMessageThatAnotherSessionRemoved) {
    append("1\n");
    auto ends = sys::stream_pair().value();
    auto view = inbox().open(mailbox::Access::read_write).value();
    {
        auto other = inbox().open(mailbox::Access::read_write).value();
        const std::vector<std::uint32_t> first{1};
        ASSERT_TRUE(other->expunge(first));
    }
    net::Stream client(std::move(ends.first));
    ASSERT_TRUE(client.write("RETR 1\r\nDELE 1\r\nQUIT\r\n", Deadline::in(Seconds{30})));
    ClientStream stream(std::move(ends.second));
    (void)MailSession(stream, *view, {}, "").run();
    EXPECT_EQ(*client.read_line(1000, Deadline::in(Seconds{30})), "+OK Logged in.");
    EXPECT_EQ(*client.read_line(1000, Deadline::in(Seconds{30})),
              "-ERR [SYS/TEMP] Message is not available.");
    EXPECT_EQ(*client.read_line(1000, Deadline::in(Seconds{30})), "+OK Marked to be deleted.");
    EXPECT_EQ(*client.read_line(1000, Deadline::in(Seconds{30})),
              "+OK Logging out, messages deleted.");
}

TEST_F(SessionTest, LongLinesAndTooManyErrors) {
    EXPECT_EQ(play(std::string(5000, 'x') + "\r\nNOOP\r\nQUIT\r\n"),
              "+OK Logged in.\r\n-ERR Input line too long.\r\n+OK\r\n+OK Logging out.\r\n");
    std::string nonsense;
    for (int i = 0; i < 100; ++i) nonsense += "XYZZY\r\n";
    EXPECT_THAT(play(nonsense), testing::EndsWith("-ERR Too many bad commands.\r\n"));
    EXPECT_EQ(summary_.end, "Too many bad commands");
}

// Replies to commands that came together go out before there are many of them: the first of these
// ends the session, as the client has gone.
TEST_F(SessionTest, PipelinedRepliesDoNotPileUp) {
    append("1\n");
    auto ends = sys::stream_pair().value();
    auto view = inbox().open(mailbox::Access::read_write).value();
    ends.first.reset();
    ClientStream stream(std::move(ends.second));
    std::string commands;
    for (int i = 0; i < 3000; ++i) commands += "LIST\r\n";
    const auto summary = MailSession(stream, *view, {}, commands + "TOP 1 0\r\n").run();
    EXPECT_EQ(summary.topped, 0U);
    EXPECT_THAT(summary.end, testing::StartsWith("Disconnected"));
}

TEST_F(SessionTest, IdleClientsAreDisconnected) {
    auto ends = sys::stream_pair().value();
    auto view = inbox().open(mailbox::Access::read_write).value();
    ClientStream stream(std::move(ends.second));
    EXPECT_EQ(MailSession(stream, *view, {Millis{20}, "+OK\r\n"}, "").run().end,
              "Disconnected for inactivity");
}

TEST_F(SessionTest, ABigMessageIsStreamed) {
    std::string big = "Subject: big\n\n";
    for (int i = 0; i < 50'000; ++i) big += "." + std::to_string(i) + "\n";
    append(big);
    const auto output = play("RETR 1\r\nQUIT\r\n");
    EXPECT_THAT(output, testing::HasSubstr("\r\n..49999\r\n.\r\n+OK Logging out.\r\n"));
    EXPECT_EQ(summary_.retrieved_bytes, big.size());
}

}  // namespace
}  // namespace postern::pop3d
