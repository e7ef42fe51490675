// CleanupLinks: smtpd's connections to cleanup, each with the pipe for content. A message has a
// link for itself; afterwards the link waits for the next message.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/loop/loop.h"

namespace postern::smtpd {

class CleanupLink {
  public:
    using Handler = ipc::LoopChannel::Handler;
    // Errc::temporary and would_block (lib/sys) when cleanup's backlog is full.
    static Result<std::unique_ptr<CleanupLink>> connect(loop::Loop& loop, const std::string& path);

    // Whom packets and the end are for, from now on.
    void set_handler(Handler handler) { handler_ = std::move(handler); }
    ipc::LoopChannel& channel() { return *channel_; }
    int pipe() const { return pipe_.get(); }
    // The other end of the pipe goes with the first message that needs it.
    Fd take_read_end() { return std::move(read_end_); }
    // It has carried a message: cleanup may have hung up meanwhile.
    bool used_before() const { return !read_end_ || answered_; }
    // The queue id that cleanup's last answer offered: once, and while it is new.
    void keep_offer(QueueId id, SteadyTime now);
    QueueId take_offer(SteadyTime now);

  private:
    Handler handler_;
    std::unique_ptr<ipc::LoopChannel> channel_;
    Fd pipe_, read_end_;
    QueueId offer_;
    SteadyTime offered_at_{};
    bool answered_ = false;
};

class CleanupLinks {
  public:
    CleanupLinks(loop::Loop& loop, std::string path) : loop_(loop), path_(std::move(path)) {}
    CleanupLinks(const CleanupLinks&) = delete;
    CleanupLinks& operator=(const CleanupLinks&) = delete;

    // One that waits, or else a new one.
    Result<std::unique_ptr<CleanupLink>> take();
    Result<std::unique_ptr<CleanupLink>> connect() { return CleanupLink::connect(loop_, path_); }
    // Of a link whose message cleanup has answered. `link` may be calling.
    void give_back(std::unique_ptr<CleanupLink> link);
    // Hangs up what waits, and keeps none from now on.
    void drain();

    loop::Loop& loop() { return loop_; }
    const std::string& path() const { return path_; }

  private:
    void forget(const CleanupLink* link);

    loop::Loop& loop_;
    const std::string path_;
    std::vector<std::unique_ptr<CleanupLink>> idle_;
    bool draining_ = false;
};

}  // namespace postern::smtpd
