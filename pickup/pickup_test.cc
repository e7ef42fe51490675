// pickup against a cleanup played by a thread, over real sockets.
#include "pickup/pickup.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "lib/log/log.h"
#include "lib/queue/directories.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"
#include "pickup/notice.h"
#include "tests/support/fake_clock.h"
#include "tests/support/rooted_fs.h"
#include "tests/support/temp_folder.h"

namespace postern::pickup {
namespace {

struct Received {
    ipc::SubmitOpen open;
    std::vector<ipc::SubmitRecipient> recipients;
    std::string content;
    std::uint64_t promised = 0;
};

// Answers each submission as told; a thread, because pickup blocks.
class FakeCleanup {
  public:
    explicit FakeCleanup(const std::string& path)
        : listener_(sys::listen_unix(path, 0600).value()), thread_([this] { run(); }) {}
    ~FakeCleanup() {
        stop_ = true;
        thread_.join();
    }

    std::atomic<ipc::Outcome> outcome = ipc::Outcome::accept;
    std::atomic<bool> hang_up = false;
    std::vector<Received> received;  // read it when pickup has returned

  private:
    void run() {
        while (!stop_) {
            if (!sys::wait_ready(listener_.get(), sys::Ready::read, Deadline::in(Millis(20))))
                continue;
            Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (socket)
                threads_.emplace_back(
                    [this, s = std::make_shared<ipc::Channel>(std::move(socket))] { serve(*s); });
        }
        for (auto& t : threads_) t.join();
    }
    void serve(ipc::Channel& channel) {
        const Deadline deadline = Deadline::in(Millis(10'000));
        auto packet = channel.receive_packet(deadline);
        if (!packet) return;
        Received message;
        message.open = packet->as<ipc::SubmitOpen>().value();
        Fd content = packet->take_descriptor();
        (void)sys::set_nonblocking(content.get(), false);
        const QueueId id = QueueId::make(SystemClock::instance(), SystemRandom::instance());
        if (!channel.send(ipc::SubmitOpened{id}, deadline)) return;
        if (hang_up) return;
        std::thread reader([&] {
            char buffer[4096];
            for (ssize_t n = 0; (n = ::read(content.get(), buffer, sizeof buffer)) > 0;)
                message.content.append(buffer, static_cast<std::size_t>(n));
        });
        const bool whole = take_recipients(channel, message, deadline);
        reader.join();
        if (!whole) return;
        // Notices are always taken.
        const bool internal = message.open.origin == ipc::Origin::internal;
        const ipc::Outcome say = internal ? ipc::Outcome::accept : outcome.load();
        {
            const std::lock_guard lock(mutex_);
            received.push_back(std::move(message));
        }
        const char* status = say == ipc::Outcome::accept  ? "2.0.0"
                             : say == ipc::Outcome::defer ? "4.3.0"
                                                          : "5.4.6";
        ipc::SubmitResult result{say, status, "because"};
        result.queue_id = id;
        (void)channel.send(result, deadline);
    }

    static bool take_recipients(ipc::Channel& channel, Received& message,
                                const Deadline& deadline) {
        for (;;) {
            const auto packet = channel.receive_packet(deadline);
            if (!packet) return false;
            if (const auto end = packet->as<ipc::SubmitEnd>()) {
                message.promised = end->size;
                return true;
            }
            auto more = packet->as<ipc::SubmitRecipients>().value();
            for (auto& r : more.recipients) message.recipients.push_back(std::move(r));
        }
    }

    Fd listener_;
    std::mutex mutex_;
    std::atomic<bool> stop_ = false;
    std::vector<std::thread> threads_;
    std::thread thread_;
};

class PickupTest : public ::testing::Test {
  protected:
    void SetUp() override {
        log::open_capture();
        ASSERT_TRUE(queue::create_all(fs));
        options.cleanup_socket = folder / "cleanup";
        options.timeout = Millis(10'000);
        cleanup = std::make_unique<FakeCleanup>(folder / "cleanup");
    }
    std::string drop(const queue::MaildropEnvelope& envelope, const std::string& content,
                     bool complete = true) {
        queue::MaildropWriter writer;
        std::string bytes = writer.begin(envelope).value();
        bytes += writer.content(content);
        if (complete) bytes += writer.end();
        return drop_bytes(bytes);
    }
    std::string drop_bytes(const std::string& bytes) {
        const QueueId id = QueueId::make(SystemClock::instance(), SystemRandom::instance());
        const std::string path = "maildrop/" + id.str();
        const Fd fd = fs.open(path, O_RDWR | O_CREAT | O_EXCL, 0644).value();
        EXPECT_TRUE(fs.write(fd.get(), bytes));
        return path;
    }
    void run() {
        Pickup pickup(fs, options, clock);
        pickup.run();
    }
    std::size_t left() { return fs.list("maildrop").value().size(); }

    const support::TempFolder folder;
    support::RootedFs fs{folder.path()};
    support::FakeClock clock{SystemClock::instance().now()};
    Options options;
    std::unique_ptr<FakeCleanup> cleanup;
};

TEST_F(PickupTest, SubmitsAndRemoves) {
    drop({.sender = "u1", .full_name = "User One", .recipients = {"a@b.test", "root"}, .notify = 1},
         "Subject: x\r\n\r\ny\r\n");
    run();
    EXPECT_EQ(left(), 0U);
    ASSERT_EQ(cleanup->received.size(), 1U);
    const Received& got = cleanup->received[0];
    EXPECT_EQ(got.open.origin, ipc::Origin::local);
    EXPECT_EQ(got.open.sender, "u1");
    EXPECT_EQ(got.open.full_name, "User One");
    EXPECT_EQ(got.open.local_uid, ::getuid());
    EXPECT_TRUE(got.open.rewrite_headers);
    ASSERT_EQ(got.recipients.size(), 2U);
    EXPECT_EQ(got.recipients[1].address, "root");
    EXPECT_EQ(got.recipients[1].notify, 1);
    EXPECT_EQ(got.content, "Subject: x\r\n\r\ny\r\n");
    EXPECT_EQ(got.promised, got.content.size());
    EXPECT_THAT(log::take_captured(),
                ::testing::HasSubstr(": uid=" + std::to_string(::getuid()) + " from=<u1>"));
}

TEST_F(PickupTest, RequeuedMailBringsItsPast) {
    queue::MaildropEnvelope envelope{.sender = "a@b.test", .recipients = {"c@d.test", "e@f.test"}};
    envelope.requeued = *QueueId::parse("4BCDF10k");
    envelope.known = {{"first@x.test", "rfc822;first", 3}, {}};
    drop(envelope, "x\r\n");
    run();
    EXPECT_EQ(left(), 0U);
    ASSERT_EQ(cleanup->received.size(), 1U);
    const auto& recipients = cleanup->received[0].recipients;
    ASSERT_EQ(recipients.size(), 2U);
    EXPECT_EQ(recipients[0].address, "c@d.test");
    EXPECT_EQ(recipients[0].original, "first@x.test");
    EXPECT_EQ(recipients[0].orcpt, "rfc822;first");
    EXPECT_EQ(recipients[0].notify, 3);
    EXPECT_EQ(recipients[1].original, "");
    EXPECT_THAT(log::take_captured(), ::testing::HasSubstr(" from=<a@b.test> orig_id=4BCDF10k"));
}

TEST_F(PickupTest, ManyRecipientsAndALargeText) {
    queue::MaildropEnvelope e{
        .sender = "u", .full_name = "", .recipients = {}, .envid = "", .ret = ""};
    for (int i = 0; i < 1234; ++i)
        e.recipients.push_back("r" + std::to_string(i) + "@" + std::string(100, 'x') + ".test");
    std::string text;
    while (text.size() < 700'000) text += "a line of text\r\n";
    drop(e, text);
    run();
    EXPECT_EQ(left(), 0U);
    ASSERT_EQ(cleanup->received.size(), 1U);
    EXPECT_EQ(cleanup->received[0].recipients.size(), 1234U);
    EXPECT_EQ(cleanup->received[0].content, text);
}

TEST_F(PickupTest, TakesAWholeFolder) {
    for (int i = 0; i < 120; ++i)
        drop({.sender = "u", .recipients = {"r" + std::to_string(i)}}, "x\r\n");
    run();
    EXPECT_EQ(left(), 0U);
    EXPECT_EQ(cleanup->received.size(), 120U) << log::take_captured();
}

TEST_F(PickupTest, LeavesWhatCleanupCannotTakeNow) {
    cleanup->outcome = ipc::Outcome::defer;
    drop({.sender = "u", .recipients = {"r"}}, "x\r\n");
    run();
    EXPECT_EQ(left(), 1U);
    cleanup->hang_up = true;
    run();
    EXPECT_EQ(left(), 1U);
    cleanup->hang_up = false;
    cleanup->outcome = ipc::Outcome::accept;
    run();
    EXPECT_EQ(left(), 0U);
    cleanup.reset();
    drop({.sender = "u", .recipients = {"r"}}, "x\r\n");
    options.timeout = Millis(50);
    run();
    EXPECT_EQ(left(), 1U) << "nobody there: the mail waits";
}

TEST_F(PickupTest, WhatIsRefusedGoesBackToItsSender) {
    cleanup->outcome = ipc::Outcome::reject;
    drop({.sender = "u1", .recipients = {"r"}}, "Subject: lost\r\n\r\nbody\r\n");
    drop({.sender = "", .recipients = {"r"}}, "x\r\n");
    run();
    EXPECT_EQ(left(), 0U);
    std::set<std::string> notices;
    for (const Received& got : cleanup->received)
        if (got.open.origin == ipc::Origin::internal) {
            EXPECT_EQ(got.open.sender, "");
            notices.insert(got.open.recipients.at(0).address);
            EXPECT_THAT(got.content, ::testing::HasSubstr("5.4.6 because"));
        }
    EXPECT_EQ(notices, (std::set<std::string>{"u1", "postmaster"}));
}

TEST_F(PickupTest, IgnoresWhatIsNoMail) {
    ASSERT_EQ(::mkfifo((folder / "maildrop/4ABCDEFGHJKL").c_str(), 0600), 0);
    ASSERT_EQ(::symlink("/etc/passwd", (folder / "maildrop/4ABCDEFGHJKM").c_str()), 0);
    drop_bytes("nonsense");
    const std::string linked = drop({.sender = "u", .recipients = {"r"}}, "x\r\n");
    ASSERT_TRUE(fs.link(linked, "second-name"));
    run();
    EXPECT_TRUE(cleanup->received.empty());
    EXPECT_EQ(left(), 4U);
}

// Its submitter has written all of it and waits for the disk.
TEST_F(PickupTest, LeavesAFileToItsSubmitterUntilItIsOnDisk) {
    const std::string path = drop({.sender = "u", .recipients = {"r"}}, "x\r\n");
    Fd submitter = fs.open(path, O_WRONLY, 0).value();
    ASSERT_TRUE(sys::try_lock(submitter.get(), sys::LockKind::exclusive).value());
    run();
    EXPECT_EQ(left(), 1U);
    EXPECT_TRUE(cleanup->received.empty());
    submitter.reset();
    run();
    EXPECT_EQ(left(), 0U);
    EXPECT_EQ(cleanup->received.size(), 1U);
}

TEST_F(PickupTest, UnfinishedFilesAreRemovedWhenNobodyWritesToThem) {
    drop({.sender = "u", .recipients = {"r"}}, "x\r\n", false);
    run();
    EXPECT_EQ(left(), 1U);
    clock.advance(Seconds(25 * 3600));
    run();
    EXPECT_EQ(left(), 0U);
    EXPECT_TRUE(cleanup->received.empty());
}

TEST(Notice, NamesReasonAndRecipients) {
    Dropped dropped;
    dropped.envelope.recipients = {"a@b.test"};
    dropped.content = "Subject: mine\r\n\r\nsecret\r\n";
    const std::string text = refusal_notice({.myhostname = "mail.test"}, dropped,
                                            Verdict::reject("5.3.4", "too big"), "me");
    EXPECT_THAT(text, ::testing::HasSubstr("To: me\r\n"));
    EXPECT_THAT(text, ::testing::HasSubstr("    5.3.4 too big\r\n"));
    EXPECT_THAT(text, ::testing::HasSubstr("    <a@b.test>\r\n"));
    EXPECT_TRUE(text.ends_with("Subject: mine\r\n"));
}

}  // namespace
}  // namespace postern::pickup
