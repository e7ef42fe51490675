// Submission: one message on its way to cleanup. A channel for envelope and result, a pipe for the
// content (lib/ipc/messages/cleanup.h). Destroying it before the result aborts the message. Nothing
// blocks: what the pipe does not take is told, and on_room() follows.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/loop/loop.h"

namespace postern::smtpd {

class Submission {
  public:
    // Called from the loop, never from inside a method. Any but on_room may destroy the submission.
    struct Handler {
        std::function<void(QueueId)> on_opened;            // ready for content
        std::function<void()> on_room;                     // the pipe takes more
        std::function<void(ipc::SubmitResult)> on_result;  // also a refusal, at any time
        std::function<void(Error)> on_failed;              // cleanup cannot be reached, or is gone
    };

    Submission(loop::Loop& loop, std::string path, Handler handler);
    ~Submission();
    Submission(const Submission&) = delete;
    Submission& operator=(const Submission&) = delete;

    // Connects and sends the envelope. Recipients beyond those that fit into one packet follow.
    void open(ipc::SubmitOpen envelope);
    // Takes content as far as the pipe has room; gives how many bytes it took.
    std::size_t write(std::string_view content);
    bool broken() const { return broken_; }  // cleanup closed the pipe: its result tells why
    // The content is complete.
    void commit();

  private:
    void attempt();
    Result<void> start();
    Result<void> send_recipients(std::vector<ipc::SubmitRecipient>& all);
    void on_packet(ipc::Packet packet);
    void fail(Error error);

    loop::Loop& loop_;
    std::string path_;
    Handler handler_;
    ipc::SubmitOpen envelope_;
    std::unique_ptr<ipc::LoopChannel> channel_;
    Fd pipe_;
    std::unique_ptr<loop::Watch> room_;
    loop::Timer retry_;
    std::uint64_t written_ = 0;
    int attempts_ = 0;
    bool opened_ = false;
    bool broken_ = false;
};

}  // namespace postern::smtpd
