// The Manager in a queue directory of its own, with fake neighbours on its sockets: rewrite, bounce
// and the agents are played by the test, which also writes the queue files that cleanup would
// write.
#include "qmgr/manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "lib/ipc/loop_channel.h"
#include "lib/log/log.h"
#include "lib/queue/admin.h"
#include "lib/queue/directories.h"
#include "lib/queue/writer.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"

namespace postern::qmgr {
namespace {

namespace filesystem = std::filesystem;
using queue::Directory;

// A service on a Unix socket, answered by a function on the loop.
class FakeService {
  public:
    using Answer = std::function<void(ipc::Packet, ipc::LoopChannel&)>;

    FakeService(loop::Loop& loop, const std::string& path, Answer answer)
        : loop_(loop), answer_(std::move(answer)), listener_(*sys::listen_unix(path, 0600)) {
        watch_ = std::make_unique<loop::Watch>(loop, listener_.get(), [this] { accept_all(); });
        watch_->want_read(true);
    }

  private:
    void accept_all() {
        for (;;) {
            Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!fd) return;
            int id = next_++;
            ipc::LoopChannel::Handler handler;
            handler.on_packet = [this, id](ipc::Packet packet) {
                answer_(std::move(packet), *channels_.at(id));
            };
            handler.on_closed = [this, id](const Error&) { channels_.erase(id); };
            channels_[id] =
                std::make_unique<ipc::LoopChannel>(loop_, std::move(fd), std::move(handler));
        }
    }

    loop::Loop& loop_;
    Answer answer_;
    Fd listener_;
    std::unique_ptr<loop::Watch> watch_;
    std::map<int, std::unique_ptr<ipc::LoopChannel>> channels_;
    int next_ = 0;
};

// The time, until somebody sets the clock.
class SettableClock final : public Clock {
  public:
    WallTime now() const override { return SystemClock::instance().now() + shift; }
    SteadyTime steady() const override { return SystemClock::instance().steady(); }
    Micros shift{0};
};

class ManagerTest : public testing::Test {
  protected:
    ManagerTest() {
        std::string pattern = testing::TempDir() + "qmgrXXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        filesystem::current_path(directory_);
        filesystem::create_directory("private");
        EXPECT_TRUE(queue::create_all(fs_));
        log::open_capture();
        options_.retry.minimal_backoff = Seconds{300};
        options_.service_retry = Millis{1};
        options_.limits_for = [](std::string_view name) {
            TransportLimits limits;
            if (name == "local") limits.recipients = 1;
            return limits;
        };
        rewrite_ = std::make_unique<FakeService>(
            loop_, "private/rewrite", [this](ipc::Packet packet, auto& channel) {
                auto request = packet.as<ipc::ResolveRequest>();
                EXPECT_TRUE(request);
                ++resolved_;
                (void)channel.send(route(*request));
            });
        for (std::string name : {"bounce", "defer", "trace"}) {
            bounce_.push_back(std::make_unique<FakeService>(
                loop_, "private/" + name,
                [this](ipc::Packet packet, auto& channel) { on_bounce(packet, channel); }));
        }
        for (std::string name : {"smtp", "local"}) {
            agents_.push_back(std::make_unique<FakeService>(
                loop_, "private/" + name, [this](ipc::Packet packet, auto& channel) {
                    on_deliver(std::move(packet), channel);
                }));
        }
    }
    ~ManagerTest() override {
        filesystem::current_path("/");
        filesystem::remove_all(directory_);
    }

    static ipc::ResolveAnswer route(const ipc::ResolveRequest& request) {
        ipc::ResolveAnswer answer;
        answer.outcome = ipc::LookupOutcome::ok;
        answer.recipient = request.recipient;
        std::string domain = request.recipient.substr(request.recipient.find('@') + 1);
        answer.transport = domain == "here.test"   ? "local"
                           : domain == "none.test" ? "absent"
                                                   : "smtp";
        answer.next_hop = domain;
        if (domain == "bad.test") {
            answer.outcome = ipc::LookupOutcome::permanent;
            answer.status = "5.1.2";
            answer.text = "bad domain";
        }
        return answer;
    }

    // yes@: delivered; later@: deferred; no@: bounced; down@: the site is down; die@: no report.
    void on_deliver(ipc::Packet packet, ipc::LoopChannel& channel) {
        auto request = packet.as<ipc::DeliverRequest>();
        ASSERT_TRUE(request) << request.error().what;
        ASSERT_EQ(packet.descriptor_count(), 1U);
        Fd file = packet.take_descriptor();
        EXPECT_EQ(::fcntl(file.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
        EXPECT_EQ(*fs_.read_at(file.get(), request->body_offset, request->body_size), body_);
        requests_.push_back(*request);
        if (hold_answers_) return;
        ipc::DeliverReport report;
        for (const auto& recipient : request->recipients) {
            delivered_.push_back(recipient.address);
            if (recipient.address.starts_with("die")) return channel_died(channel);
            report.recipients.push_back(report_for(recipient));
        }
        (void)channel.send(report);
    }
    void channel_died(ipc::LoopChannel& channel) { ::shutdown(channel.fd(), SHUT_RDWR); }

    static ipc::RecipientReport report_for(const ipc::DeliverRecipient& recipient) {
        ipc::RecipientReport one;
        one.index = recipient.index;
        one.text = "text";
        if (recipient.address.starts_with("later")) return one;
        if (recipient.address.starts_with("down")) {
            one.site_down = true;
            one.status = "4.4.1";
        } else if (recipient.address.starts_with("no")) {
            one.outcome = ipc::Outcome::reject;
            one.status = "5.1.1";
        } else {
            one.outcome = ipc::Outcome::accept;
            one.status = "2.0.0";
        }
        return one;
    }

    // The notes that bounce has been given, as if it had been slow.
    void answer_notes() {
        for (const auto& [name, channel] : waiting_notes_) {
            EXPECT_TRUE(queue::create_parent(fs_, Directory::defer, name));
            std::ofstream(queue::path_of(Directory::defer, name)) << "recipient=x\n\n";
            ipc::BounceDone done;
            done.ok = true;
            (void)channel->send(done);
        }
        waiting_notes_.clear();
    }

    void on_bounce(const ipc::Packet& packet, ipc::LoopChannel& channel) {
        ipc::BounceDone done;
        done.ok = bounce_works_;
        if (packet.type() == ipc::Type::bounce_append) {
            auto append = *packet.as<ipc::BounceAppend>();
            if (append.log == ipc::BounceLog::defer && notes_wait_)
                return waiting_notes_.push_back({append.queue_id, &channel});
            if (append.log == ipc::BounceLog::bounce && bounce_works_) {
                EXPECT_TRUE(queue::create_parent(fs_, Directory::bounce, append.queue_id));
                std::ofstream(queue::path_of(Directory::bounce, append.queue_id))
                    << "recipient=x\n\n";
            }
            records_.push_back(append.recipient.address + " " +
                               std::to_string(static_cast<int>(append.log)));
        } else {
            auto send = *packet.as<ipc::BounceSend>();
            if (done.ok && send.notification == ipc::Notification::failure)
                (void)fs_.unlink(queue::path_of(Directory::bounce, send.queue_id));
            notices_.push_back(send.queue_id.str() + " " +
                               std::to_string(static_cast<int>(send.notification)));
        }
        (void)channel.send(done);
    }

    QueueId id(int number) {
        std::string text = std::to_string(number);
        return *QueueId::parse("B" + std::string(6 - text.size(), '0') + text + "k");
    }

    queue::Envelope envelope(int number, const std::vector<std::string>& recipients) {
        queue::Envelope result;
        result.id = id(number);
        result.arrival = loop_.clock().now() - age_;
        result.sender = sender_;
        for (const std::string& address : recipients) {
            queue::Recipient recipient;
            recipient.address = address;
            recipient.notify = notify_;
            result.recipients.push_back(recipient);
        }
        return result;
    }

    QueueId write_file(const std::vector<queue::Envelope>& messages,
                       Directory where = Directory::incoming) {
        queue::BatchBuilder builder;
        for (const auto& message : messages) builder.add(message, body_);
        QueueId name = messages.front().id;
        EXPECT_TRUE(queue::create_parent(fs_, where, name));
        std::ofstream(queue::path_of(where, name)) << std::move(builder).finish();
        return name;
    }

    std::unique_ptr<Manager> make_manager() {
        return std::make_unique<Manager>(loop_, fs_, options_);
    }

    // Runs the loop until the condition holds; false after the deadline.
    bool run_until(const std::function<bool()>& condition) {
        Deadline deadline = Deadline::in(Millis{60'000});
        while (!condition() && !deadline.passed()) loop_.run_for(Millis{2});
        return condition();
    }
    bool run_until_idle(Manager& manager) {
        return run_until([&] { return manager.active() == 0; });
    }

    std::size_t files(Directory directory) { return queue::list_files(fs_, directory)->size(); }
    WallTime due(const QueueId& name) {
        auto info = fs_.info(queue::path_of(Directory::deferred, name));
        return info ? WallTime{Micros{info->mtime_ns / 1000}} : WallTime{};
    }

    sys::RealFs& fs_ = sys::RealFs::instance();
    std::string directory_;
    SettableClock clock_;
    loop::Loop loop_{clock_};
    Options options_;
    std::unique_ptr<FakeService> rewrite_;
    std::vector<std::unique_ptr<FakeService>> bounce_;
    std::vector<std::unique_ptr<FakeService>> agents_;
    std::string body_ = "Subject: x\r\n\r\nText\r\n";
    std::string sender_ = "s@client.test";
    std::uint8_t notify_ = 0;
    Micros age_{0};
    bool bounce_works_ = true;
    bool hold_answers_ = false;
    bool notes_wait_ = false;
    std::vector<std::pair<QueueId, ipc::LoopChannel*>> waiting_notes_;
    int resolved_ = 0;
    std::vector<ipc::DeliverRequest> requests_;
    std::vector<std::string> delivered_;
    std::vector<std::string> records_;
    std::vector<std::string> notices_;
};

TEST_F(ManagerTest, DeliversAnAnnouncedMessage) {
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"yes@a.test", "yes2@a.test", "yes@b.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(requests_.size(), 2U) << "two destinations";
    EXPECT_EQ(files(Directory::incoming), 0U);
    EXPECT_EQ(log::take_captured(),
              "info " + name.str() + ": from=<s@client.test>, size=20, nrcpt=3 (queue active)\n" +
                  "info " + name.str() + ": removed\n");
}

TEST_F(ManagerTest, FindsMailAtStart) {
    for (int i = 1; i <= 50; ++i) write_file({envelope(i, {"yes@a.test"})});
    write_file({envelope(100, {"yes@b.test"})}, Directory::deferred);
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 51; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::incoming) + files(Directory::deferred), 0U);
    EXPECT_LE(resolved_, 2) << "equal questions are asked once";
}

TEST_F(ManagerTest, LeavesTheFutureAlone) {
    QueueId name = write_file({envelope(1, {"yes@a.test"})}, Directory::deferred);
    auto later = loop_.clock().now() + Seconds{1000};
    ASSERT_TRUE(
        fs_.set_times(queue::path_of(Directory::deferred, name),
                      std::chrono::duration_cast<Seconds>(later.time_since_epoch()).count()));
    auto manager = make_manager();
    manager->start();
    write_file({envelope(2, {"yes@b.test"})});
    manager->on_nudge(id(2));
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@b.test"});
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    EXPECT_TRUE(manager->control(order).ok);
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 2; }));
    ASSERT_TRUE(run_until_idle(*manager));
}

TEST_F(ManagerTest, DefersASingleMessage) {
    auto manager = make_manager();
    age_ = Seconds{1000};
    QueueId name = write_file({envelope(1, {"yes@a.test", "later@a.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::incoming), 0U);
    auto wait = due(name) - loop_.clock().now();
    EXPECT_GT(wait, Seconds{990});
    EXPECT_LT(wait, Seconds{1001});
    ASSERT_TRUE(run_until([&] { return !records_.empty(); }));
    EXPECT_EQ(records_, std::vector<std::string>{"later@a.test 1"});
    // The next attempt is for the one that is left.
    delivered_.clear();
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_message;
    order.queue_id = name;
    EXPECT_TRUE(manager->control(order).ok);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(delivered_, std::vector<std::string>{"later@a.test"});
}

TEST_F(ManagerTest, MovesDeferredMessagesOutOfBatches) {
    auto manager = make_manager();
    std::vector<queue::Envelope> batch;
    for (int i = 1; i <= 100; ++i)
        batch.push_back(
            envelope(i, {i % 10 == 0 ? "later@a.test" : "yes@a.test", "yes@here.test"}));
    manager->on_nudge(write_file(batch));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::incoming), 0U);
    EXPECT_EQ(files(Directory::deferred), 10U);
    EXPECT_GT(due(id(10)), loop_.clock().now());
    auto fd = fs_.open(queue::path_of(Directory::deferred, id(10)), O_RDONLY, 0);
    ASSERT_TRUE(fd);
    auto reader = queue::Reader::open(fs_, fd->get());
    ASSERT_TRUE(reader);
    auto message = reader->message(0);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->envelope.remaining(), 1U);
    EXPECT_TRUE(queue::verify_body(fs_, fd->get(), *message));
}

TEST_F(ManagerTest, ACrashBetweenTheStepsOfAMoveDoublesNothing) {
    write_file({envelope(1, {"yes@a.test"}), envelope(2, {"later@a.test"})});
    QueueId own = write_file({envelope(2, {"later@a.test"})}, Directory::deferred);
    ASSERT_TRUE(fs_.set_times(queue::path_of(Directory::deferred, own), 4'000'000'000));
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return files(Directory::incoming) == 0; }));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@a.test"});
    EXPECT_EQ(files(Directory::deferred), 1U);
}

// The power failed while the second message was being copied out of its batch: what a disk may have
// of the copy then.
TEST_F(ManagerTest, ACopyThatACrashCutShortIsNoReasonToGiveTheBatchUp) {
    for (const char* kind : {"empty", "half", "zeros", "wrong text", "another message"}) {
        delivered_.clear();
        write_file({envelope(1, {"yes@a.test"}), envelope(2, {"two@a.test"})});
        const QueueId own = write_file({envelope(2, {"two@a.test"})}, Directory::deferred);
        const std::string path = queue::path_of(Directory::deferred, own);
        std::string bytes = *fs_.read_at(fs_.open(path, O_RDONLY, 0)->get(), 0, 100'000);
        const std::string_view what = kind;
        if (what == "empty") bytes.clear();
        if (what == "half") bytes.resize(bytes.size() / 2);
        if (what == "zeros") bytes.assign(bytes.size(), '\0');
        if (what == "wrong text") bytes[20] = static_cast<char>(bytes[20] ^ 1);
        if (what == "another message") {
            (void)write_file({envelope(3, {"three@a.test"})}, Directory::hold);
            filesystem::rename("hold/" + id(3).str(), path);
        } else {
            std::ofstream(path, std::ios::trunc) << bytes;
        }
        ASSERT_TRUE(fs_.set_times(path, 4'000'000'000));
        auto manager = make_manager();
        manager->start();
        ASSERT_TRUE(run_until([&] { return files(Directory::incoming) == 0; })) << kind;
        EXPECT_EQ(std::set<std::string>(delivered_.begin(), delivered_.end()),
                  (std::set<std::string>{"yes@a.test", "two@a.test"}))
            << kind;
        EXPECT_EQ(files(Directory::deferred), 0U) << kind;
        EXPECT_NE(log::take_captured().find("the message is still in its batch"), std::string::npos)
            << kind;
    }
}

// bounce writes the reason for mailq when it gets to it; the message may be gone by then.
TEST_F(ManagerTest, NoDeferLogOutlivesItsMessage) {
    notes_wait_ = true;
    const QueueId name = write_file({envelope(1, {"later@a.test"})});
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(
        run_until([&] { return files(Directory::deferred) == 1 && !waiting_notes_.empty(); }));
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::remove;
    order.queue_id = name;
    EXPECT_EQ(manager->control(order).count, 1U);
    EXPECT_EQ(files(Directory::deferred), 0U);
    answer_notes();
    ASSERT_TRUE(run_until([&] { return files(Directory::defer) == 0; }));
}

TEST_F(ManagerTest, AnOldDeferLogGoesWhenItsMessageIsFoundAgain) {
    const QueueId name = write_file({envelope(1, {"yes@a.test"})});
    ASSERT_TRUE(queue::create_parent(fs_, Directory::defer, name));
    std::ofstream(queue::path_of(Directory::defer, name)) << "recipient=later@a.test\n\n";
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return files(Directory::incoming) == 0; }));
    EXPECT_EQ(files(Directory::defer), 0U);
}

TEST_F(ManagerTest, Bounces) {
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"yes@a.test", "no@a.test", "x@bad.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    std::sort(records_.begin(), records_.end());
    EXPECT_EQ(records_, (std::vector<std::string>{"no@a.test 0", "x@bad.test 0"}));
    EXPECT_EQ(notices_, std::vector<std::string>{name.str() + " 0"});
    EXPECT_EQ(files(Directory::incoming), 0U);
    std::string log = log::take_captured();
    EXPECT_NE(log.find("to=<x@bad.test>, relay=none, "), std::string::npos) << log;
    EXPECT_NE(log.find("dsn=5.1.2, status=bounced (bad domain)"), std::string::npos) << log;
}

TEST_F(ManagerTest, NobodyIsGivenUpWithoutARecord) {
    bounce_works_ = false;
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"no@a.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 1U);
    bounce_works_ = true;
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    manager->control(order);
    ASSERT_TRUE(run_until([&] { return notices_.size() == 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 0U);
}

TEST_F(ManagerTest, SendsANoticeThatACrashPrevented) {
    QueueId name = id(1);
    queue::Envelope done = envelope(1, {});
    write_file({done}, Directory::deferred);
    ASSERT_TRUE(queue::create_parent(fs_, Directory::bounce, name));
    std::ofstream(queue::path_of(Directory::bounce, name)) << "recipient=x@y\n\n";
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return notices_.size() == 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 0U);
}

TEST_F(ManagerTest, NotifyOptions) {
    notify_ = ipc::kNotifyNever;
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"no@a.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_TRUE(notices_.empty());
    notify_ = ipc::kNotifySuccess | ipc::kNotifyFailure;
    manager->on_nudge(write_file({envelope(2, {"yes@a.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(records_, std::vector<std::string>{"yes@a.test 2"});
    EXPECT_EQ(notices_, std::vector<std::string>{id(2).str() + " 2"});
}

TEST_F(ManagerTest, ExpiredMailGoesBack) {
    age_ = Seconds{6 * 86400};
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"later@a.test"})});
    manager->on_nudge(name);
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(notices_.size(), 1U);
    std::string log = log::take_captured();
    EXPECT_NE(log.find(name.str() + ": from=<s@client.test>, status=expired, returned to sender\n"),
              std::string::npos)
        << log;
    EXPECT_EQ(files(Directory::incoming) + files(Directory::deferred), 0U);
}

TEST_F(ManagerTest, DelayWarningOnce) {
    options_.delay_warning = Seconds{3600};
    age_ = Seconds{7200};
    auto manager = make_manager();
    write_file({envelope(1, {"later@a.test"})}, Directory::deferred);
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    for (int i = 0; i < 3; ++i) {
        manager->control(order);
        ASSERT_TRUE(run_until([&] { return static_cast<int>(delivered_.size()) == i + 1; }));
        ASSERT_TRUE(run_until_idle(*manager));
    }
    EXPECT_EQ(notices_, std::vector<std::string>{id(1).str() + " 1"});
}

TEST_F(ManagerTest, SiteDownDefersTheRestAtOnce) {
    auto manager = make_manager();
    std::vector<queue::Envelope> batch;
    for (int i = 1; i <= 60; ++i) batch.push_back(envelope(i, {"down@a.test"}));
    manager->on_nudge(write_file(batch));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_LT(requests_.size(), 10U);
    EXPECT_EQ(files(Directory::deferred), 60U);
    std::string log = log::take_captured();
    EXPECT_NE(log.find("dsn=4.4.1, status=deferred (delivery temporarily suspended: text)"),
              std::string::npos)
        << log;
}

TEST_F(ManagerTest, AgentsThatDieOrAreMissing) {
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"die@a.test", "x@none.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 1U);
    std::string log = log::take_captured();
    EXPECT_NE(log.find("status=deferred (unknown mail transport error)"), std::string::npos) << log;
    EXPECT_NE(log.find("status=deferred (mail transport unavailable)"), std::string::npos) << log;
}

TEST_F(ManagerTest, ResolverMissing) {
    rewrite_.reset();
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"yes@a.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 1U);
    EXPECT_NE(log::take_captured().find("(address resolver unavailable)"), std::string::npos);
}

TEST_F(ManagerTest, DamagedFilesArePutAside) {
    QueueId name = write_file({envelope(1, {"yes@a.test"})});
    std::string path = queue::path_of(Directory::incoming, name);
    std::string bytes = *fs_.read_at(fs_.open(path, O_RDONLY, 0)->get(), 0, 100'000);
    bytes[20] = static_cast<char>(bytes[20] ^ 1);  // in the text
    std::ofstream(path) << bytes;
    std::ofstream("incoming/B999999k") << "being written";
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return files(Directory::corrupt) == 1; }));
    EXPECT_EQ(files(Directory::incoming), 1U);
    EXPECT_TRUE(delivered_.empty());
    EXPECT_NE(log::take_captured().find("saving corrupt file"), std::string::npos);
}

// A clock that jumps: nothing is lost or returned before its time, new mail does not notice.
TEST_F(ManagerTest, AClockThatJumpsAnHour) {
    options_.retry.minimal_backoff = Seconds{300};
    options_.retry.maximal_backoff = Seconds{400};
    options_.queue_run_delay = Millis{50};
    auto manager = make_manager();
    manager->start();
    manager->on_nudge(write_file({envelope(1, {"later@a.test"})}));
    ASSERT_TRUE(run_until([&] { return files(Directory::deferred) == 1; }));
    const auto attempts = [&](const std::string& address) {
        return std::count(delivered_.begin(), delivered_.end(), address);
    };
    EXPECT_EQ(attempts("later@a.test"), 1);
    // Forward: it is due at once, and waits again from the new time on.
    clock_.shift = Seconds{3600};
    ASSERT_TRUE(run_until(
        [&] { return attempts("later@a.test") == 2 && files(Directory::deferred) == 1; }));
    EXPECT_GE(due(id(1)), loop_.clock().now() + Seconds{290});
    // Back: what is new goes out as ever, also what seems to come from the future.
    clock_.shift = Seconds{0};
    manager->on_nudge(write_file({envelope(2, {"yes@a.test"})}));
    age_ = Seconds{-3600};
    manager->on_nudge(write_file({envelope(3, {"yes@b.test", "later@b.test"})}));
    ASSERT_TRUE(
        run_until([&] { return attempts("yes@a.test") == 1 && attempts("yes@b.test") == 1; }));
    ASSERT_TRUE(run_until([&] { return files(Directory::deferred) == 2; }));
    EXPECT_LE(due(id(3)), loop_.clock().now() + Seconds{301}) << "the shortest time, not an hour";
    EXPECT_EQ(attempts("later@a.test"), 2) << "an hour later than it could be, and a flush away";
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    EXPECT_TRUE(manager->control(order).ok);
    ASSERT_TRUE(
        run_until([&] { return attempts("later@a.test") == 3 && attempts("later@b.test") == 2; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::deferred), 2U);
    EXPECT_TRUE(notices_.empty()) << "nobody was told that his mail had failed";
    EXPECT_EQ(log::take_captured().find("delay=-"), std::string::npos);
}

// What has no business in the queue: told of, put aside, and everything else goes on.
TEST_F(ManagerTest, ForeignThingsInTheQueueArePutAside) {
    const QueueId good = write_file({envelope(1, {"yes@a.test"})});
    const std::string bytes =
        *fs_.read_at(fs_.open("incoming/" + good.str(), O_RDONLY, 0)->get(), 0, 100'000);
    filesystem::create_symlink("/etc/passwd", "incoming/B000002k");
    ASSERT_EQ(::mkfifo("incoming/B000003k", 0600), 0);
    std::string version = bytes;
    version[8] = 9;
    std::ofstream("incoming/B000004k") << version;
    std::string index = bytes;
    index[index.size() - 40] = static_cast<char>(index[index.size() - 40] ^ 1);
    std::ofstream("incoming/B000005k") << index;
    ASSERT_TRUE(queue::create_parent(fs_, Directory::deferred, id(6)));
    ASSERT_EQ(::mkfifo(queue::path_of(Directory::deferred, id(6)).c_str(), 0600), 0);
    std::ofstream("incoming/not an id") << "?";
    filesystem::create_directory("incoming/B000007k");
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(run_until([&] { return !delivered_.empty() && fs_.list("corrupt")->size() >= 5; }));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@a.test"});
    const std::string log = log::take_captured();
    for (const char* line :
         {"warning B000002k: open incoming/B000002k: Too many levels of symbolic links; saving",
          "warning B000003k: incoming/B000003k: not a plain file; saving",
          "warning B000004k: queue file: written by another version of this format; saving",
          "warning B000005k: queue file: index does not match its checksum; saving",
          "warning B000006k: deferred/k/B000006k: not a plain file; saving"})
        EXPECT_NE(log.find(line), std::string::npos) << line << "\n" << log;
    EXPECT_TRUE(fs_.info("incoming/not an id")) << "not ours to judge";
    // An order for a FIFO does not hold the queue manager either.
    ASSERT_EQ(::mkfifo(queue::path_of(Directory::deferred, id(8)).c_str(), 0600), 0);
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_message;
    order.queue_id = id(8);
    EXPECT_FALSE(manager->control(order).ok);
}

TEST_F(ManagerTest, LeftoversOfACrashAreClearedAwayInTime) {
    const auto leave = [&](const std::string& name, const std::string& bytes, Seconds age) {
        std::ofstream("incoming/" + name) << bytes;
        const auto when = loop_.clock().now() - age;
        ASSERT_TRUE(fs_.set_times("incoming/" + name, std::chrono::system_clock::to_time_t(when)));
    };
    leave("B000001k", "", Seconds{1000});
    leave("B000002k", "PosternQ and no end", Seconds{1000});
    leave("B000003k", "", Seconds{60});     // perhaps its writer is just about to lock it
    leave("B000004k", "", Seconds{-3600});  // the clock has been set back
    leave("B000005k", "PosternQ being written", Seconds{1000});
    const Fd writer = *fs_.open("incoming/B000005k", O_RDWR, 0);
    ASSERT_TRUE(*sys::try_lock(writer.get(), sys::LockKind::exclusive));
    auto manager = make_manager();
    manager->start();
    manager->on_nudge(write_file({envelope(6, {"yes@a.test"})}));
    ASSERT_TRUE(run_until(
        [&] { return files(Directory::corrupt) == 1 && files(Directory::incoming) == 3; }));
    EXPECT_TRUE(fs_.info("corrupt/B000002k"));
    EXPECT_FALSE(fs_.info("incoming/B000001k"));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@a.test"});
}

TEST_F(ManagerTest, ActiveLimitIsKeptAndRefilled) {
    options_.message_active_limit = 10;
    auto manager = make_manager();
    hold_answers_ = false;
    std::size_t most = 0;
    for (int i = 1; i <= 300; ++i) {
        write_file({envelope(i, {"yes@a" + std::to_string(i) + ".test"})});
        manager->on_nudge(id(i));
        most = std::max(most, manager->active());
    }
    ASSERT_TRUE(run_until([&] {
        most = std::max(most, manager->active());
        return delivered_.size() == 300;
    }));
    ASSERT_TRUE(run_until([&] { return files(Directory::incoming) == 0; }));
    EXPECT_LE(most, 10U);
}

TEST_F(ManagerTest, HoldFlagGoesToHold) {
    auto manager = make_manager();
    queue::Envelope held = envelope(2, {"yes@a.test"});
    held.flags = queue::kHold;
    manager->on_nudge(write_file({envelope(1, {"yes@a.test"}), held}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::hold), 1U);
    EXPECT_EQ(files(Directory::incoming), 0U);
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::release;
    order.queue_id = id(2);
    EXPECT_EQ(manager->control(order).count, 1U);
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 2; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(files(Directory::hold) + files(Directory::deferred), 0U);
}

TEST_F(ManagerTest, OrdersAboutMessagesInBatches) {
    hold_answers_ = true;
    auto manager = make_manager();
    // The first fills the site's window; the others wait.
    std::vector<queue::Envelope> batch;
    for (int i = 1; i <= 20; ++i) batch.push_back(envelope(i, {"yes@a.test"}));
    manager->on_nudge(write_file(batch));
    ASSERT_TRUE(run_until([&] { return requests_.size() == 5; }));
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::remove;
    order.queue_id = id(20);
    EXPECT_EQ(manager->control(order).count, 1U);
    order.operation = ipc::QueueOperation::hold;
    order.queue_id = id(19);
    EXPECT_EQ(manager->control(order).count, 1U);
    ASSERT_TRUE(run_until([&] { return manager->active() == 18; }));
    EXPECT_EQ(files(Directory::hold), 1U);
    order.queue_id = id(777);
    EXPECT_EQ(manager->control(order).count, 0U);
    auto left = queue::list_messages(fs_, Directory::incoming);
    EXPECT_EQ(left->size(), 18U) << "marked done in the batch";
}

TEST_F(ManagerTest, DrainLeavesTheRestToTheNext) {
    hold_answers_ = true;
    auto manager = make_manager();
    for (int i = 1; i <= 8; ++i) {
        write_file({envelope(i, {"yes@a.test"})});
        manager->on_nudge(id(i));
    }
    ASSERT_TRUE(run_until([&] { return requests_.size() == 5; }));
    manager->drain();
    EXPECT_FALSE(manager->drained());
    EXPECT_EQ(manager->active(), 5U);
    // The next qmgr takes up the three that nobody has, not the five under way.
    hold_answers_ = false;
    auto next = make_manager();
    next->start();
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 3; }));
    ASSERT_TRUE(run_until_idle(*next));
    EXPECT_EQ(files(Directory::incoming), 5U);
}

TEST_F(ManagerTest, FewDescriptorsSuffice) {
    options_.max_open_files = 3;
    hold_answers_ = false;
    auto manager = make_manager();
    for (int i = 1; i <= 200; ++i) {
        write_file({envelope(i, {"yes@a.test"})});
        manager->on_nudge(id(i));
    }
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(delivered_.size(), 200U);
    EXPECT_EQ(files(Directory::incoming), 0U);
}

// A restart with a full queue: what arrives now does not wait for what was there.
TEST_F(ManagerTest, NewMailOvertakesTheScanOfAFullQueue) {
    constexpr int kOld = 1000;
    for (int i = 1; i <= kOld; ++i)
        write_file({envelope(i, {"yes@old.test"})}, Directory::deferred);
    auto manager = make_manager();
    manager->start();
    loop_.run_for(Millis{1});
    write_file({envelope(kOld + 1, {"yes@new.test"})});
    manager->on_nudge(id(kOld + 1));
    auto delivered_new = [&] {
        return std::count(delivered_.begin(), delivered_.end(), "yes@new.test") == 1;
    };
    ASSERT_TRUE(run_until(delivered_new));
    EXPECT_LT(delivered_.size(), static_cast<std::size_t>(kOld) / 2);
    ASSERT_TRUE(run_until([&] { return delivered_.size() == kOld + 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
}

// Status bytes, moves and notices as seen by a second life: qmgr ends at any moment without a word.
TEST_F(ManagerTest, SuddenDeathLosesNothing) {
    for (int i = 1; i <= 40; ++i) {
        std::string kind = i % 4 == 0 ? "later" : i % 5 == 0 ? "no" : "yes";
        write_file({envelope(2 * i, {kind + "@a.test", "yes@b.test"}),
                    envelope(2 * i + 1, {"yes@c.test"})});
    }
    for (int turns = 1; turns <= 12; ++turns) {
        auto manager = make_manager();
        manager->start();
        for (int i = 0; i < turns; ++i) loop_.run_for(Millis{1});
    }
    auto manager = make_manager();
    manager->start();
    ASSERT_TRUE(
        run_until([&] { return files(Directory::incoming) == 0 && manager->active() == 0; }));
    std::set<std::string> seen;
    for (const auto& request : requests_) seen.insert(request.queue_id.str() + request.next_hop);
    EXPECT_EQ(seen.size(), 120U) << "everybody was tried";
    EXPECT_EQ(files(Directory::deferred), 10U);
    EXPECT_EQ(std::set<std::string>(notices_.begin(), notices_.end()).size(), 6U);
}

TEST_F(ManagerTest, DeferTransportsWaitForAFlush) {
    options_.defer_transports = {"smtp"};
    auto manager = make_manager();
    manager->on_nudge(write_file({envelope(1, {"yes@a.test", "yes@here.test"})}));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_EQ(delivered_, std::vector<std::string>{"yes@here.test"});
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_all;
    manager->control(order);
    ASSERT_TRUE(run_until([&] { return delivered_.size() == 2; }));
}

TEST_F(ManagerTest, ForcedExpiry) {
    auto manager = make_manager();
    QueueId name = write_file({envelope(1, {"yes@a.test"})}, Directory::deferred);
    ASSERT_TRUE(*queue::change_message(fs_, name, queue::Change::expire));
    manager->start();
    ASSERT_TRUE(run_until([&] { return notices_.size() == 1; }));
    ASSERT_TRUE(run_until_idle(*manager));
    EXPECT_TRUE(delivered_.empty());
    EXPECT_NE(log::take_captured().find("status=force-expired, returned to sender"),
              std::string::npos);
}

}  // namespace
}  // namespace postern::qmgr
