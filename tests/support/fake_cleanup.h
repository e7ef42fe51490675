// FakeCleanup: plays cleanup on a thread of the test's own, for code that submits mail and blocks.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/ipc/channel.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"

namespace postern::support {

// Plays cleanup for a number of submissions.
class FakeCleanup {
  public:
    FakeCleanup(const std::string& path, ipc::Outcome outcome)
        : listener_(*sys::listen_unix(path, 0600)) {
        thread_ = std::thread([this, outcome] { run(outcome); });
    }
    ~FakeCleanup() {
        stop_ = true;
        thread_.join();
    }
    struct Submitted {
        ipc::SubmitOpen envelope;
        std::string text;
    };
    std::vector<Submitted> submitted() {
        std::lock_guard lock(mutex_);
        return submitted_;
    }

  private:
    void run(ipc::Outcome outcome) {
        while (!stop_) {
            if (!sys::wait_ready(listener_.get(), sys::Ready::read, Deadline::in(Millis{20})))
                continue;
            Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (socket) converse(ipc::Channel(std::move(socket)), outcome);
        }
    }
    void converse(ipc::Channel channel, ipc::Outcome outcome) {
        auto packet = channel.receive_packet(Deadline::in(Millis{30'000}));
        auto open = packet->as<ipc::SubmitOpen>();
        Fd content = packet->take_descriptor();
        (void)sys::set_nonblocking(content.get(), false);
        (void)channel.send(ipc::SubmitOpened{*QueueId::parse("BCDF123")},
                           Deadline::in(Millis{30'000}));
        std::string text;
        char buffer[4096];
        for (ssize_t n = 0; (n = ::read(content.get(), buffer, sizeof buffer)) > 0;)
            text.append(buffer, n);
        auto end = channel.receive<ipc::SubmitEnd>(Deadline::in(Millis{30'000}));
        EXPECT_EQ(end->size, text.size());
        {
            std::lock_guard lock(mutex_);
            submitted_.push_back({*open, text});
        }
        ipc::SubmitResult result;
        result.outcome = outcome;
        result.text = "said cleanup";
        result.queue_id = *QueueId::parse("BCDF123");
        (void)channel.send(result, Deadline::in(Millis{30'000}));
    }

    Fd listener_;
    std::mutex mutex_;
    std::vector<Submitted> submitted_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

}  // namespace postern::support
