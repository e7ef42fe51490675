// The conversations of anvil. A process of smtpd tells what its clients do, one of login or smtpd
// which sessions it has, for as long as that process lives; one that ends, however it does, takes
// its sessions with it. `postern who` and `postern kick` ask for the sessions of all.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/ipc/loop_channel.h"
#include "lib/loop/loop.h"

#include "limits/counts.h"
#include "limits/login_times.h"
#include "limits/sessions.h"

namespace postern::limits {

class Conversations {
  public:
    static constexpr std::size_t kMax = 5000;
    static constexpr std::size_t kMaxSessions = 200'000;
    static constexpr std::size_t kMaxLoginTimes = 100'000;
    // So long after the loop's first turn all who have sessions have told us of them
    // (session_ledger.cc), unless they are many thousands or the machine is very busy.
    static constexpr Millis kSettle{300};

    // `status_interval`: anvil_status_update_time.
    Conversations(loop::Loop& loop, Counts::Options options, Millis status_interval,
                  std::function<void()> session_ended);
    ~Conversations();  // tells the statistics
    Conversations(const Conversations&) = delete;
    Conversations& operator=(const Conversations&) = delete;

    // `operates`: it may see and end sessions of others. Its questions wait while we have just
    // begun: who has sessions tells of them in these moments.
    void serve(Fd socket, bool operates);
    // Hangs up: who has sessions tells our successor of them.
    void drain();
    const Counts& counts() const { return counts_; }
    const Sessions& sessions() const { return sessions_; }

  private:
    class Conversation;
    Counts::Moment now() const;
    void end(Conversation* conversation);
    void answer_early();
    void tell_statistics();
    ipc::AnvilAnswer note_session(Sessions::Owner owner, const ipc::SessionFacts& facts,
                                  bool connects);
    void session_gone(Sessions::Owner owner, const ipc::SessionFacts& facts);
    void forget(Sessions::Owner owner);
    void dismiss(const std::vector<Sessions::Found>& sessions);

    loop::Loop& loop_;
    Counts counts_;
    Sessions sessions_{kMaxSessions};
    LoginTimes login_times_{kMaxLoginTimes};
    const Millis status_interval_;
    std::function<void()> session_ended_;
    std::map<Sessions::Owner, std::shared_ptr<Conversation>> all_;
    std::set<Sessions::Owner> kicking_;  // those of all_ that wait for sessions to end
    Sessions::Owner last_owner_ = 0;
    bool told_of_many_ = false;
    bool settled_ = false;
    std::vector<std::pair<Sessions::Owner, std::function<void(Conversation&)>>> early_;  // questions
    loop::Timer status_timer_, first_turn_, settle_timer_;
};

}  // namespace postern::limits
