// The bounce worker over a socketpair, with a fake cleanup on a thread of the test's own, and the
// agents that deliver nowhere.
#include "bounce/worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "lib/log/log.h"
#include "lib/queue/directories.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"
#include "tests/support/fake_cleanup.h"

#include "bounce/error_agent.h"

namespace postern::bounce {
namespace {

using namespace std::chrono_literals;
using support::FakeCleanup;

class BounceTest : public testing::Test {
  protected:
    BounceTest() {
        std::string pattern = testing::TempDir() + "bounceXXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        std::filesystem::current_path(directory_);
        EXPECT_TRUE(queue::create_all(fs_));
        log::open_capture();
        options_.cleanup = "cleanup";
        options_.myhostname = "mail.example.test";
        options_.myorigin = "example.test";
        put_message("From: a\r\nSubject: b\r\n\r\nText.\r\n");
    }
    ~BounceTest() override {
        std::filesystem::current_path("/");
        std::filesystem::remove_all(directory_);
    }

    void put_message(const std::string& text) {
        EXPECT_TRUE(sys::replace_file("message", "XX" + text + "YY"));
        file_ = *fs_.open("message", O_RDONLY, 0);
        size_ = text.size();
    }

    template <class T>
    ipc::BounceDone ask(const T& request, std::span<const int> descriptors = {}) {
        auto pair = *sys::packet_pair();
        ipc::Channel ours(std::move(pair.first));
        ipc::Channel theirs(std::move(pair.second));
        EXPECT_TRUE(ours.send(request, Deadline::in(30s), "", descriptors));
        BounceWorker worker(fs_, options_);
        EXPECT_EQ(worker.serve(theirs), service::Worker::Conversation::over);
        auto done = ours.receive<ipc::BounceDone>(Deadline::in(30s));
        EXPECT_TRUE(done);
        return done ? *done : ipc::BounceDone{};
    }

    ipc::BounceAppend record(ipc::BounceLog log, const std::string& address) {
        ipc::BounceAppend append;
        append.log = log;
        append.queue_id = id_;
        append.recipient.address = address;
        append.report.text = "host x said: 550 5.1.1 no (in reply to RCPT TO command)";
        append.report.diagnostic_type = "smtp";
        append.report.status = "5.1.1";
        append.report.action = ipc::DsnAction::failed;
        return append;
    }
    ipc::BounceDone send(ipc::Notification what, const std::string& sender) {
        ipc::BounceSend request;
        request.notification = what;
        request.queue_id = id_;
        request.sender = sender;
        request.envid = "QQ+2B1";
        request.ret = ret_;
        request.body_offset = 2;
        request.body_size = size_;
        request.arrival = WallTime{Seconds{1795290600}};
        std::array<int, 1> descriptors{file_.get()};
        return ask(request, descriptors);
    }
    bool has_log(queue::Directory directory) {
        return fs_.info(queue::path_of(directory, id_)).has_value();
    }

    sys::RealFs& fs_ = sys::RealFs::instance();
    std::string directory_;
    Options options_;
    ipc::DsnReturn ret_ = ipc::DsnReturn::unset;
    Fd file_;
    std::size_t size_ = 0;  // of the message in it
    QueueId id_ = *QueueId::parse("B123456k");
};

TEST_F(BounceTest, ReturnsAMessageToItsSender) {
    FakeCleanup cleanup("cleanup", ipc::Outcome::accept);
    EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "a@b.test")).ok);
    EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "c@b.test")).ok);
    EXPECT_TRUE(has_log(queue::Directory::bounce));
    EXPECT_TRUE(send(ipc::Notification::failure, "s@client.test").ok);
    EXPECT_FALSE(has_log(queue::Directory::bounce));
    auto all = cleanup.submitted();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].envelope.sender, "");
    EXPECT_EQ(all[0].envelope.origin, ipc::Origin::internal);
    ASSERT_EQ(all[0].envelope.recipients.size(), 1U);
    EXPECT_EQ(all[0].envelope.recipients[0].address, "s@client.test");
    for (std::string_view part :
         {"Subject: Undelivered Mail Returned to Sender\r\n",
          "Final-Recipient: rfc822; a@b.test\r\n", "Final-Recipient: rfc822; c@b.test\r\n",
          "Diagnostic-Code: smtp; 550 5.1.1 no\r\n",
          "\r\n\r\nFrom: a\r\nSubject: b\r\n\r\nText.\r\n\r\n--B123456k."}) {
        EXPECT_NE(all[0].text.find(part), std::string::npos) << part << "\n" << all[0].text;
    }
    EXPECT_EQ(log::take_captured(), "info B123456k: sender non-delivery notification: BCDF123\n");
}

// The forwarder's session, where notify_classes has "protocol".
TEST_F(BounceTest, TellsThePostmasterOfASession) {
    FakeCleanup cleanup("cleanup", ipc::Outcome::accept);
    const ipc::PostmasterNotice notice{"SMTP client", "mx.test[192.0.2.1]:25",
                                       " In:  500 what?\r\n Out: \x01QUIT\r\n"};
    options_.notify_classes = {"resource", "policy"};
    EXPECT_TRUE(ask(notice).ok);
    EXPECT_TRUE(cleanup.submitted().empty()) << "nobody wants it";
    options_.notify_classes = {"Protocol"};
    options_.error_notice_recipient = "boss";
    EXPECT_TRUE(ask(notice).ok);
    const auto all = cleanup.submitted();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].envelope.sender, "double-bounce@example.test");
    EXPECT_EQ(all[0].envelope.recipients.at(0).address, "boss");
    for (std::string_view part :
         {"Subject: Postern SMTP client: errors from mx.test[192.0.2.1]:25\r\n",
          "Unexpected response from mx.test[192.0.2.1]:25.\r\n",
          "\r\n In:  500 what?\r\n Out: ?QUIT\r\n",
          "For other details, see the local mail logfile\r\n"})
        EXPECT_NE(all[0].text.find(part), std::string::npos) << part << "\n" << all[0].text;
}

TEST_F(BounceTest, LongMessagesComeBackAsHeaders) {
    FakeCleanup cleanup("cleanup", ipc::Outcome::accept);
    options_.size_limit = 10;
    EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "a@b.test")).ok);
    EXPECT_TRUE(send(ipc::Notification::failure, "s@client.test").ok);
    std::string text = cleanup.submitted().at(0).text;
    EXPECT_NE(text.find("Content-Type: text/rfc822-headers\r\n\r\nFrom: a\r\nSubject: b\r\n\r\n--"),
              std::string::npos)
        << text;
}

// enable_threaded_bounces
TEST_F(BounceTest, IsPartOfTheConversation) {
    FakeCleanup cleanup("cleanup", ipc::Outcome::accept);
    put_message("From: a\r\nMessage-ID: <1@a.test>\r\n\r\nMessage-ID: <2@a.test>\r\n");
    for (const bool threaded : {false, true}) {
        options_.threaded = threaded;
        EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "a@b.test")).ok);
        EXPECT_TRUE(send(ipc::Notification::failure, "s@client.test").ok);
        const std::string text = cleanup.submitted().back().text;
        const auto fields =
            text.find("References: <1@a.test>\r\nIn-Reply-To: <1@a.test>\r\nAuto-Submitted: ");
        EXPECT_EQ(fields != std::string::npos, threaded) << text;
    }
}

// RFC 3461 6.2: how much comes back, by RET and kind; the envelope id, decoded.
TEST_F(BounceTest, EveryRetWithEveryKind) {
    using ipc::DsnReturn;
    using ipc::Notification;
    FakeCleanup cleanup("cleanup", ipc::Outcome::accept);
    const struct {
        Notification what;
        ipc::BounceLog log;
        DsnReturn ret;
        bool whole;
        std::string subject;
    } cases[] = {
        {Notification::failure, ipc::BounceLog::bounce, DsnReturn::unset, true, "Undelivered"},
        {Notification::failure, ipc::BounceLog::bounce, DsnReturn::full, true, "Undelivered"},
        {Notification::failure, ipc::BounceLog::bounce, DsnReturn::headers, false, "Undelivered"},
        {Notification::delay, ipc::BounceLog::defer, DsnReturn::unset, false, "Delayed"},
        {Notification::delay, ipc::BounceLog::defer, DsnReturn::full, false, "Delayed"},
        {Notification::delay, ipc::BounceLog::defer, DsnReturn::headers, false, "Delayed"},
        {Notification::success, ipc::BounceLog::trace, DsnReturn::unset, false, "Successful"},
        {Notification::success, ipc::BounceLog::trace, DsnReturn::full, false, "Successful"},
        {Notification::success, ipc::BounceLog::trace, DsnReturn::headers, false, "Successful"},
        {Notification::trace, ipc::BounceLog::trace, DsnReturn::full, false,
         "Mail Delivery Status"},
    };
    std::size_t sent = 0;
    for (const auto& c : cases) {
        EXPECT_TRUE(ask(record(c.log, "a@b.test")).ok);
        ret_ = c.ret;
        EXPECT_TRUE(send(c.what, "s@client.test").ok);
        ASSERT_EQ(cleanup.submitted().size(), ++sent);
        const std::string text = cleanup.submitted().back().text;
        EXPECT_NE(text.find("\r\nSubject: " + c.subject), std::string::npos) << text;
        EXPECT_EQ(text.find("\r\nText.\r\n") != text.npos, c.whole) << text;
        EXPECT_NE(text.find("Original-Envelope-Id: QQ+1\r\n"), std::string::npos) << text;
    }
}

// RFC 3461 4.1: who asked for no DELAY hears of none; who said nothing does.
TEST_F(BounceTest, EveryNotifyOfADelay) {
    FakeCleanup cleanup("cleanup", ipc::Outcome::accept);
    for (int notify = 0; notify < 16; ++notify) {
        if ((notify & 1) != 0 && notify != 1) continue;
        auto append = record(ipc::BounceLog::defer, "n" + std::to_string(notify) + "@b.test");
        append.recipient.notify = static_cast<std::uint8_t>(notify);
        EXPECT_TRUE(ask(append).ok);
    }
    EXPECT_TRUE(send(ipc::Notification::delay, "s@client.test").ok);
    const std::string text = cleanup.submitted().at(0).text;
    for (int notify = 0; notify < 16; notify += notify < 2 ? 1 : 2) {
        const std::string field = "Final-Recipient: rfc822; n" + std::to_string(notify) + "@b.test";
        const bool wants = notify == 0 || (notify & ipc::kNotifyDelay) != 0;
        EXPECT_EQ(text.find(field) != text.npos, wants) << notify;
    }
    options_.notify_classes = {"delay"};
    EXPECT_TRUE(send(ipc::Notification::delay, "s@client.test").ok);
    ASSERT_EQ(cleanup.submitted().size(), 3U);
    EXPECT_NE(cleanup.submitted()[2].text.find("Subject: Postmaster Warning: Delayed Mail\r\n"),
              std::string::npos);
    EXPECT_TRUE(send(ipc::Notification::delay, "").ok);
    EXPECT_TRUE(send(ipc::Notification::delay, "double-bounce@example.test").ok);
    EXPECT_EQ(cleanup.submitted().size(), 3U) << "nobody to tell";
}

TEST_F(BounceTest, KeepsTheRecordsUntilTheReportIsSafe) {
    EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "a@b.test")).ok);
    EXPECT_FALSE(send(ipc::Notification::failure, "s@client.test").ok) << "no cleanup";
    EXPECT_TRUE(has_log(queue::Directory::bounce));
    {
        FakeCleanup cleanup("cleanup", ipc::Outcome::defer);
        EXPECT_FALSE(send(ipc::Notification::failure, "s@client.test").ok);
        EXPECT_TRUE(has_log(queue::Directory::bounce));
    }
    FakeCleanup cleanup("cleanup", ipc::Outcome::reject);
    EXPECT_TRUE(send(ipc::Notification::failure, "s@client.test").ok);
    EXPECT_FALSE(has_log(queue::Directory::bounce));
}

TEST_F(BounceTest, DoubleBounces) {
    FakeCleanup cleanup("cleanup", ipc::Outcome::accept);
    EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "a@b.test")).ok);
    EXPECT_TRUE(send(ipc::Notification::failure, "").ok);
    EXPECT_TRUE(cleanup.submitted().empty());
    EXPECT_FALSE(has_log(queue::Directory::bounce));
    options_.notify_classes = {"2bounce", "bounce"};
    EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "a@b.test")).ok);
    EXPECT_TRUE(send(ipc::Notification::failure, "").ok);
    ASSERT_EQ(cleanup.submitted().size(), 1U);
    EXPECT_EQ(cleanup.submitted()[0].envelope.sender, "double-bounce@example.test");
    EXPECT_EQ(cleanup.submitted()[0].envelope.recipients[0].address, "postmaster");
    EXPECT_NE(cleanup.submitted()[0].text.find("Subject: Postmaster Copy: Undelivered Mail\r\n"),
              std::string::npos);
    EXPECT_NE(cleanup.submitted()[0].text.find("\r\nText.\r\n"), std::string::npos) << "whole";
    EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "a@b.test")).ok);
    EXPECT_TRUE(send(ipc::Notification::failure, "double-bounce@example.test").ok);
    EXPECT_EQ(cleanup.submitted().size(), 1U) << "the chain ends";
    EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "a@b.test")).ok);
    EXPECT_TRUE(send(ipc::Notification::failure, "s@client.test").ok);
    EXPECT_EQ(cleanup.submitted().size(), 3U) << "sender and postmaster";
}

TEST_F(BounceTest, DelayWarningsKeepTheLogAndRespectNotify) {
    FakeCleanup cleanup("cleanup", ipc::Outcome::accept);
    EXPECT_TRUE(ask(record(ipc::BounceLog::defer, "a@b.test")).ok);
    auto never = record(ipc::BounceLog::defer, "never@b.test");
    never.recipient.notify = ipc::kNotifyNever;
    EXPECT_TRUE(ask(never).ok);
    EXPECT_TRUE(ask(record(ipc::BounceLog::defer, "a@b.test")).ok) << "a second attempt";
    EXPECT_TRUE(send(ipc::Notification::delay, "s@client.test").ok);
    std::string text = cleanup.submitted().at(0).text;
    const auto first = text.find("Final-Recipient: rfc822; a@b.test");
    ASSERT_NE(first, std::string::npos);
    EXPECT_EQ(text.find("Final-Recipient: rfc822; a@b.test", first + 1), std::string::npos);
    EXPECT_EQ(text.find("never@b.test"), std::string::npos);
    EXPECT_TRUE(has_log(queue::Directory::defer));
    ipc::BounceForget forget;
    forget.queue_id = id_;
    EXPECT_TRUE(ask(forget).ok);
    EXPECT_TRUE(ask(forget).ok);
    EXPECT_FALSE(has_log(queue::Directory::defer));
}

TEST_F(BounceTest, BadRequestsAreAnsweredAndHarmless) {
    EXPECT_FALSE(ask(ipc::BounceAppend{}).ok) << "no queue id";
    EXPECT_FALSE(ask(ipc::BounceSend{}).ok) << "no descriptor";
    EXPECT_FALSE(ask(ipc::BounceDone{}).ok);
}

TEST(ErrorAgent, Verdicts) {
    struct {
        std::string service, next_hop;
        Verdict::Kind kind;
        std::string status, text;
    } cases[] = {
        {"error", "no mail here", Verdict::Kind::reject, "5.0.0", "no mail here"},
        {"error", "5.7.1 no mail here", Verdict::Kind::reject, "5.7.1", "no mail here"},
        {"error", "4.7.1 come later", Verdict::Kind::defer, "4.7.1", "come later"},
        {"error", "5.7 odd", Verdict::Kind::reject, "5.0.0", "5.7 odd"},
        {"error", "", Verdict::Kind::reject, "5.0.0", "mail not deliverable"},
        {"retry", "4.3.0 busy", Verdict::Kind::defer, "4.3.0", "busy"},
        {"retry", "5.3.0 busy", Verdict::Kind::defer, "4.0.0", "busy"},
        {"discard", "silently", Verdict::Kind::accept, "2.0.0", "silently"},
    };
    for (const auto& c : cases) {
        Verdict verdict = verdict_of(c.service, c.next_hop);
        EXPECT_EQ(verdict.kind, c.kind) << c.next_hop;
        EXPECT_EQ(verdict.status, c.status) << c.next_hop;
        EXPECT_EQ(verdict.text, c.text) << c.next_hop;
    }
}

TEST(ErrorAgent, ReportsEveryRecipientAndLogs) {
    log::open_capture();
    auto pair = *sys::packet_pair();
    ipc::Channel ours(std::move(pair.first));
    ipc::Channel theirs(std::move(pair.second));
    ipc::DeliverRequest request;
    request.queue_id = *QueueId::parse("B123456k");
    request.next_hop = "5.7.1 no";
    request.arrival = SystemClock::instance().now();
    request.recipients = {{3, "a@b", "", 0, ""}, {7, "c@d", "x@d", 0, ""}};
    ASSERT_TRUE(ours.send(request, Deadline::in(30s)));
    EXPECT_EQ(ErrorAgent("error").serve(theirs), service::Worker::Conversation::over);
    auto report = ours.receive<ipc::DeliverReport>(Deadline::in(30s));
    ASSERT_TRUE(report);
    ASSERT_EQ(report->recipients.size(), 2U);
    EXPECT_EQ(report->recipients[1].index, 7U);
    EXPECT_EQ(report->recipients[1].outcome, ipc::Outcome::reject);
    std::string text = log::take_captured();
    EXPECT_NE(text.find("B123456k: to=<c@d>, orig_to=<x@d>, relay=none, "), std::string::npos)
        << text;
    EXPECT_NE(text.find("dsn=5.7.1, status=bounced (no)"), std::string::npos) << text;
}

// VERP: each recipient has a notification, to a sender that names it; the postmaster one.
TEST_F(BounceTest, ANotificationForEachRecipient) {
    FakeCleanup cleanup("cleanup", ipc::Outcome::accept);
    options_.notify_classes = {"bounce"};
    auto expanded = record(ipc::BounceLog::bounce, "c@b.test");
    expanded.recipient.original = "alias@here.test";
    EXPECT_TRUE(ask(record(ipc::BounceLog::bounce, "a@b.test")).ok);
    EXPECT_TRUE(ask(expanded).ok);
    ipc::BounceSend request;
    request.notification = ipc::Notification::failure;
    request.queue_id = id_;
    request.sender = "list@client.test";
    request.verp = "+=";
    request.body_offset = 2;
    request.body_size = size_;
    request.arrival = WallTime{Seconds{1795290600}};
    std::array<int, 1> descriptors{file_.get()};
    EXPECT_TRUE(ask(request, descriptors).ok);
    EXPECT_FALSE(has_log(queue::Directory::bounce));
    const auto all = cleanup.submitted();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].envelope.recipients.at(0).address, "list+a=b.test@client.test");
    EXPECT_EQ(all[1].envelope.recipients.at(0).address, "list+alias=here.test@client.test");
    EXPECT_THAT(all[0].text, testing::HasSubstr("Final-Recipient: rfc822; a@b.test"));
    EXPECT_THAT(all[0].text, testing::Not(testing::HasSubstr("c@b.test")));
    EXPECT_THAT(all[2].text,
                testing::AllOf(testing::HasSubstr("a@b.test"), testing::HasSubstr("c@b.test")));
}

}  // namespace
}  // namespace postern::bounce
