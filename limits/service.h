// The conversations of anvil: one for each smtpd process, as long as that lives. A process that
// ends, however it does, takes its sessions with it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lib/ipc/loop_channel.h"
#include "lib/loop/loop.h"

#include "limits/counts.h"

namespace postern::limits {

class Conversations {
  public:
    static constexpr std::size_t kMax = 5000;

    // `status_interval`: anvil_status_update_time.
    Conversations(loop::Loop& loop, Counts::Options options, Millis status_interval,
                  std::function<void()> session_ended);
    ~Conversations();  // tells the statistics
    Conversations(const Conversations&) = delete;
    Conversations& operator=(const Conversations&) = delete;

    void serve(Fd socket);
    const Counts& counts() const { return counts_; }

  private:
    class Conversation;
    Counts::Moment now() const;
    void end(Conversation* conversation);
    void tell_statistics();

    loop::Loop& loop_;
    Counts counts_;
    const Millis status_interval_;
    std::function<void()> session_ended_;
    std::map<Conversation*, std::shared_ptr<Conversation>> all_;
    loop::Timer status_timer_;
};

}  // namespace postern::limits
