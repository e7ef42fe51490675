// What the tests of the Manager stand on: a queue directory of its own, and fake neighbours on its
// sockets: rewrite, bounce and the agents are played by the test, which also writes the queue files
// that cleanup would write.
#pragma once

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

#include "qmgr/manager.h"

namespace postern::qmgr {

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
        if (domain.ends_with("served.test")) answer.flush_site = ipc::FlushSite::yes;
        if (domain == "unknown.test") answer.flush_site = ipc::FlushSite::unknown;
        if (domain == "bad.test") {
            answer.outcome = ipc::LookupOutcome::permanent;
            answer.status = "5.1.2";
            answer.text = "bad domain";
        }
        return answer;
    }

    // yes@: delivered; passed@: and the next host reports; later@: deferred; no@: bounced; down@:
    // the site is down; die@: no report; loop@: smtp says that it would come back to us.
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
            if (recipient.address.starts_with("loop") && request->service == "smtp") {
                auto& one = report.recipients.back();
                one.outcome = ipc::Outcome::reject;
                one.status = "5.4.6";
                one.loops_back = request->passes_loops || stubborn_;
            }
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
            one.passed_on = recipient.address.starts_with("passed");
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
            if (append.log != ipc::BounceLog::defer && bounce_works_) {
                const auto directory =
                    append.log == ipc::BounceLog::bounce ? Directory::bounce : Directory::trace;
                EXPECT_TRUE(queue::create_parent(fs_, directory, append.queue_id));
                std::ofstream(queue::path_of(directory, append.queue_id)) << "recipient=x\n\n";
            }
            records_.push_back(append.recipient.address + " " +
                               std::to_string(static_cast<int>(append.log)));
        } else {
            auto send = *packet.as<ipc::BounceSend>();
            verp_notices_.push_back(send.verp);
            done.ok = done.ok && sending_works_;
            if (done.ok && send.notification == ipc::Notification::failure)
                (void)fs_.unlink(queue::path_of(Directory::bounce, send.queue_id));
            if (done.ok && (send.notification == ipc::Notification::success ||
                            send.notification == ipc::Notification::trace))
                (void)fs_.unlink(queue::path_of(Directory::trace, send.queue_id));
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

    // All that is deferred is tried once more, now.
    bool try_again(Manager& manager) {
        ipc::QueueControl order;
        order.operation = ipc::QueueOperation::flush_all;
        const std::size_t tried = delivered_.size();
        (void)manager.control(order);
        return run_until([&] { return delivered_.size() > tried; }) && run_until_idle(manager);
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
    bool sending_works_ = true;  // notices, not records
    bool hold_answers_ = false;
    bool notes_wait_ = false;
    bool stubborn_ = false;  // smtp says "it loops" whatever it was asked
    std::vector<std::pair<QueueId, ipc::LoopChannel*>> waiting_notes_;
    int resolved_ = 0;
    std::vector<ipc::DeliverRequest> requests_;
    std::vector<std::string> delivered_;
    std::vector<std::string> records_;
    std::vector<std::string> notices_, verp_notices_;
};

}  // namespace postern::qmgr
