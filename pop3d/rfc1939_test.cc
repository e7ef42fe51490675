// The examples of RFC 1939 5, 7 and 10: a maildrop of two messages of 120 and 200 octets. Those of
// the AUTHORIZATION state are in login/rfc_examples_test.cc; APOP is not ours.
#include <sys/socket.h>

#include <thread>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/store.h"
#include "lib/net/stream.h"
#include "lib/sys/unix_socket.h"
#include "pop3d/mail_session.h"
#include "tests/support/dialogue.h"
#include "tests/support/temp_folder.h"

namespace postern::pop3d {
namespace {

class Rfc1939 : public testing::Test {
  protected:
    Rfc1939() : store_(mailbox::Store::open(folder_ / "Maildir").value()) {
        log::open_capture();
        append("Subject: one\r\n\r\n" + std::string(102, 'a') + "\r\n");
        append("Subject: two\r\n\r\n" + repeated("line\r\n", 28) + "..............\r\n");
        begin();
    }
    ~Rfc1939() override { end(); }

    static std::string repeated(const std::string& text, int times) {
        std::string out;
        for (int i = 0; i < times; ++i) out += text;
        return out;
    }
    void append(const std::string& text) {
        const std::vector<mailbox::AppendMessage> one{
            {[text](mailbox::MessageWriter& writer) { return writer.write(text); }, 0, {}, 0}};
        ASSERT_TRUE(inbox().append(one));
    }
    mailbox::Mailbox inbox() { return store_.mailbox("INBOX").value(); }

    // A session, and its client.
    void begin() {
        auto ends = sys::stream_pair().value();
        client_.emplace(std::move(ends.first));
        server_ = std::thread([this, fd = std::move(ends.second)]() mutable {
            auto view = inbox().open(mailbox::Access::read_write).value();
            ClientStream stream(std::move(fd));
            (void)MailSession(stream, *view, {}, "").run();
        });
        play("S: +OK ...");
    }
    void end() {
        ::shutdown(client_->fd(), SHUT_RDWR);
        if (server_.joinable()) server_.join();
    }
    void play(std::string_view script) {
        (void)dialogue_.play(
            script,
            [this](std::string_view bytes) {
                EXPECT_TRUE(client_->write(bytes, Deadline::in(Seconds{10})));
            },
            [this] {
                const auto line = client_->read_line(10'000, Deadline::in(Seconds{10}));
                return line ? *line + "\r\n" : "";
            });
    }

    support::TempFolder folder_;
    mailbox::Store store_;
    std::optional<net::Stream> client_;
    std::thread server_;
    support::Dialogue dialogue_;
};

TEST_F(Rfc1939, StatListRetrDele) {  // 5
    play(R"(
        C: STAT
        S: +OK 2 320
        C: LIST
        S: +OK ...
        S: 1 120
        S: 2 200
        S: .
        C: LIST 2
        S: +OK 2 200
        C: LIST 3
        S: -ERR ...
        C: RETR 1
        S: +OK 120 octets
        S: Subject: one
        S:
        S: aaa...
        S: .
        C: DELE 1
        S: +OK ...
        C: DELE 1
        S: -ERR ...
        C: NOOP
        S: +OK
        C: RSET
        S: +OK...
        C: STAT
        S: +OK 2 320
    )");
}

TEST_F(Rfc1939, Quit) {  // 6
    play("C: DELE 1\nS: +OK ...\nC: DELE 2\nS: +OK ...\nC: QUIT\nS: +OK ...");
    end();
    begin();
    play("C: STAT\nS: +OK 0 0\nC: QUIT\nS: +OK ...");
}

TEST_F(Rfc1939, TopAndUidl) {  // 7
    play(R"(
        C: TOP 2 10
        S: +OK
        S: Subject: two
        S:
        S: line
        S: line
        S: line
        S: line
        S: line
        S: line
        S: line
        S: line
        S: line
        S: line
        S: .
        C: TOP 100 3
        S: -ERR ...
        C: UIDL
        S: +OK
        S: 1 <<first>>
        S: 2 <<second>>
        S: .
        C: UIDL 2
        S: +OK 2 <<second>>
        C: UIDL 3
        S: -ERR ...
    )");
    EXPECT_NE(dialogue_.values["first"], dialogue_.values["second"]);
}

TEST_F(Rfc1939, AWholeSession) {  // 10
    play(R"(
        C: STAT
        S: +OK 2 320
        C: LIST
        S: +OK ...
        S: 1 120
        S: 2 200
        S: .
        C: RETR 1
        S: +OK 120 octets
        S: ...
        S: .
        C: DELE 1
        S: +OK ...
        C: RETR 2
        S: +OK 200 octets
        S: ...
        S: .
        C: DELE 2
        S: +OK ...
        C: QUIT
        S: +OK ...
    )");
    end();
    EXPECT_EQ(inbox().status()->messages, 0U);
}

}  // namespace
}  // namespace postern::pop3d
