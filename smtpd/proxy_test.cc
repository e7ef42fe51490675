// smtpd_proxy_filter: messages through a filter before the queue.
#include "lib/loop/listener.h"
#include "lib/loop/stream.h"

#include "smtpd/smtpd_fixture.h"

namespace postern::smtpd {
namespace {

using testing::HasSubstr;

// A filter that answers each command from a list, by its beginning; "" is the greeting, "." the end
// of the text.
class FakeFilter {
  public:
    explicit FakeFilter(loop::Loop& loop) : loop_(loop) {
        socket_ = sys::listen_on(*sys::SocketAddress::parse("127.0.0.1:0")).value();
        listener_ = std::make_unique<loop::Listener>(
            loop, socket_.get(), [this](Fd fd, const sys::SocketAddress&) {
                sessions_.push_back(std::make_unique<Session>(*this, std::move(fd)));
            });
    }
    sys::SocketAddress address() const { return sys::local_address(socket_.get()); }

    std::map<std::string, std::string> answers;
    std::vector<std::string> lines;
    std::string text;
    int finished = 0;

  private:
    struct Session final : loop::StreamHandler {
        Session(FakeFilter& filter, Fd fd)
            : filter_(filter),
              stream_(std::make_unique<loop::Stream>(filter.loop_, std::move(fd), *this)) {
            say("", "220 filter ESMTP\r\n");
        }
        void on_input() override {
            while (stream_) {
                const auto line = stream_->take_line(100000);
                if (line.kind != loop::Stream::Line::Kind::line) break;
                on_line(std::string(line.text));
            }
            if (stream_ && stream_->at_eof()) stream_.reset();
        }
        void on_closed(const Error*) override { stream_.reset(); }
        void on_line(const std::string& line) {
            if (in_text_ && line == ".") {
                in_text_ = false;
                ++filter_.finished;
                return say(".", "250 2.0.0 Ok: queued as FILTERED\r\n");
            }
            if (in_text_) {
                filter_.text += line + "\r\n";
                return;
            }
            filter_.lines.push_back(line);
            if (line.starts_with("EHLO"))
                return say("EHLO",
                           "250-filter\r\n250-XFORWARD NAME ADDR PROTO HELO\r\n250 DSN\r\n");
            in_text_ = line == "DATA" && !filter_.answers.contains("DATA");
            say(line.substr(0, 4), in_text_ ? "354 go\r\n" : "250 2.0.0 ok\r\n");
        }
        void say(const std::string& key, const std::string& usual) {
            const auto at = filter_.answers.find(key);
            if (at != filter_.answers.end() && at->second == "CLOSE") return stream_.reset();
            if (at != filter_.answers.end() && at->second == "SILENT") return;
            stream_->write(at == filter_.answers.end() ? usual : at->second);
            stream_->flush();
        }
        FakeFilter& filter_;
        std::unique_ptr<loop::Stream> stream_;
        bool in_text_ = false;
    };
    loop::Loop& loop_;
    Fd socket_;
    std::unique_ptr<loop::Listener> listener_;
    std::vector<std::unique_ptr<Session>> sessions_;
};

class SmtpdProxy : public SmtpdTest {
  protected:
    SmtpdProxy() {
        ProxyOptions proxy;
        proxy.name = "filter:1";
        proxy.address = filter.address();
        proxy.helo_name = "mail.test";
        proxy.hostname = "mail.test";
        proxy.mail_name = "Postfix";
        options.proxy = proxy;
    }
    // The last reply of a session with one message.
    std::string send(const std::string& text = "Subject: x\r\n\r\n..dot\r\n",
                     const std::string& recipients = "RCPT TO:<1@d.test>\r\n") {
        begin();
        talk("EHLO client.test\r\n", "8BITMIME\r\n");
        const std::string got = talk("MAIL FROM:<a@b.test>\r\n" + recipients + "DATA\r\n", "\r\n");
        std::string all = got;
        const auto deadline = Deadline::in(Millis(5000));
        while (all.find("354 ") == std::string::npos && all.find("\n4") == std::string::npos &&
               all.find("\n5") == std::string::npos && !deadline.passed())
            all += talk("", "\r\n");
        if (all.find("354 ") == std::string::npos)
            return all.substr(all.rfind('\n', all.size() - 3) + 1);
        return talk(text + ".\r\n", "\r\n");
    }
    FakeFilter filter{loop};
};

TEST_F(SmtpdProxy, TheFiltersAnswerIsOurs) {
    EXPECT_EQ(send(), "250 2.0.0 Ok: queued as FILTERED\r\n");
    EXPECT_EQ(filter.finished, 1);
    EXPECT_THAT(filter.lines.at(0), "EHLO mail.test");
    EXPECT_THAT(filter.lines.at(1), HasSubstr("XFORWARD "));
    EXPECT_THAT(filter.lines, testing::IsSupersetOf({std::string("DATA")}));
    EXPECT_THAT(filter.lines, testing::Contains(testing::StartsWith("MAIL FROM:<a@b.test>")));
    EXPECT_THAT(filter.lines, testing::Contains(testing::StartsWith("RCPT TO:<1@d.test>")));
    EXPECT_THAT(filter.text, testing::StartsWith("Received: from client.test ("));
    EXPECT_THAT(filter.text, HasSubstr("by mail.test (Postfix) with ESMTP\r\n\tfor <1@d.test>; "));
    EXPECT_THAT(filter.text, testing::EndsWith("Subject: x\r\n\r\n..dot\r\n"));
    EXPECT_TRUE(cleanup->envelopes.empty());
    EXPECT_THAT(logged(), HasSubstr("NOQUEUE: client="));
    EXPECT_THAT(logged(), HasSubstr("NOQUEUE: proxy-accept: END-OF-MESSAGE from "));
    EXPECT_THAT(logged(), HasSubstr(": 250 2.0.0 Ok: queued as FILTERED; from=<a@b.test> "
                                    "to=<1@d.test> proto=ESMTP helo=<client.test>"));
}

TEST_F(SmtpdProxy, ARefusalOfTheText) {
    filter.answers["."] = "554 5.7.1 id=1-2 - SPAM\r\n";
    EXPECT_EQ(send(), "554 5.7.1 id=1-2 - SPAM\r\n");
    EXPECT_THAT(logged(), HasSubstr("NOQUEUE: proxy-reject: END-OF-MESSAGE from "));
}

TEST_F(SmtpdProxy, ARefusedRecipientRefusesTheMessage) {
    filter.answers["RCPT"] = "450 4.2.0 greylisted\r\n";
    EXPECT_EQ(send(), "450 4.2.0 greylisted\r\n");
    EXPECT_EQ(filter.finished, 0);
}

class SmtpdProxyLost : public SmtpdProxy, public testing::WithParamInterface<const char*> {};

TEST_P(SmtpdProxyLost, MailWaits) {
    filter.answers[GetParam()] = "CLOSE";
    EXPECT_EQ(send(), "451 4.3.0 Error: queue file write error\r\n");
    EXPECT_THAT(logged(), HasSubstr("warning proxy filter:1: "));
}

INSTANTIATE_TEST_SUITE_P(Steps, SmtpdProxyLost, testing::Values("", "EHLO", "MAIL", "DATA", "."));

TEST_F(SmtpdProxy, OneThatIsNotThere) {
    auto socket = sys::listen_on(*sys::SocketAddress::parse("127.0.0.1:0")).value();
    options.proxy->address = sys::local_address(socket.get());
    socket.reset();
    EXPECT_EQ(send(), "451 4.3.0 Error: queue file write error\r\n");
}

TEST_F(SmtpdProxy, OneThatIsSilent) {
    options.proxy->timeout = Millis{50};
    filter.answers["MAIL"] = "SILENT";
    EXPECT_EQ(send(), "451 4.3.0 Error: queue file write error\r\n");
    EXPECT_THAT(logged(), HasSubstr("proxy filter:1: timeout"));
}

TEST_F(SmtpdProxy, MuchText) {
    std::string text = "Subject: big\r\n\r\n";
    for (int i = 0; i < 40000; ++i) text += "0123456789012345678901234567890123456789\r\n";
    EXPECT_EQ(send(text), "250 2.0.0 Ok: queued as FILTERED\r\n");
    EXPECT_THAT(filter.text, testing::EndsWith(text));
}

TEST_F(SmtpdProxy, SeveralMessagesOfASession) {
    send();
    talk("MAIL FROM:<a@b.test>\r\n", "\r\n");
    talk("RCPT TO:<2@d.test>\r\n", "\r\n");
    EXPECT_THAT(talk("DATA\r\n", "<CR><LF>\r\n"), testing::StartsWith("354 "));
    EXPECT_EQ(talk("second\r\n.\r\n", "\r\n"), "250 2.0.0 Ok: queued as FILTERED\r\n");
    EXPECT_EQ(filter.finished, 2);
}

TEST(ProxyOptionsOfMainCf, Destinations) {
    const auto read = [](const std::string& filter) {
        log::open_capture();
        return read_options(*config::Config::parse("smtpd_proxy_filter = " + filter +
                                                   "\nsmtpd_proxy_timeout = 7s\n"),
                            "smtp");
    };
    EXPECT_FALSE(read("")->proxy);
    const auto plain = read("127.0.0.1:10025");
    ASSERT_TRUE(plain) << plain.error().what;
    EXPECT_EQ(plain->proxy->address.port(), 10025);
    EXPECT_EQ(plain->proxy->timeout, Seconds{7});
    EXPECT_EQ(read("inet:127.0.0.1:25")->proxy->address.port(), 25);
    EXPECT_EQ(read("10025")->proxy->address.port(), 10025);
    EXPECT_TRUE(read("unix:private/filter")->proxy);
    for (const char* bad : {"127.0.0.1:x", "host:", "unix:"}) EXPECT_FALSE(read(bad)) << bad;
}

}  // namespace
}  // namespace postern::smtpd
