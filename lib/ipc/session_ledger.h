// SessionLedger: what a process tells anvil of its sessions. Changes are gathered for a turn of the
// loop. When the connection ends (a reload, a crash) all sessions are told again on the next one;
// several that end soon may be as many reloads, for a while. Without anvil the process goes on, and
// nothing is counted.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/sessions.h"
#include "lib/loop/loop.h"

namespace postern::ipc {

class SessionLedger {
  public:
    using Dismiss = std::function<void(const std::string& session)>;
    using Done = std::function<void(Result<AdmissionAnswer>)>;

    // dismiss: an operator wants that session to end. `pause`: before anvil is tried again, but for
    // reloads. `patience`: for an answer.
    SessionLedger(loop::Loop& loop, std::string path, Dismiss dismiss, Millis pause = Millis{1000},
                  Millis patience = Millis{10'000});
    SessionLedger(const SessionLedger&) = delete;
    SessionLedger& operator=(const SessionLedger&) = delete;

    // A session is new, has changed, or is over (its state says so).
    void note(const SessionFacts& facts);
    // The same, and how many there are then. `done` is called exactly once, never from inside ask().
    void ask(const SessionFacts& facts, Seconds login_delay, Done done);

    std::size_t size() const { return sessions_.size(); }

  private:
    struct Entry {
        SessionFacts facts;
        bool told = false;     // over the present connection
        bool changed = false;  // is in changed_
    };
    struct Question {
        AdmissionQuestion question;
        Done done;
        unsigned times = 1;  // put
    };

    bool connect();
    void tell_changes();
    void on_packet(const Packet& packet);
    void on_closed(Error why);
    void resume();
    void give_up(const Error& why, unsigned times = 1);
    bool is_over(const std::string& session) const;

    loop::Loop& loop_;
    const std::string path_;
    Dismiss dismiss_;
    const Millis pause_, answer_limit_;
    std::unique_ptr<LoopChannel> channel_;
    SteadyTime connected_at_{};
    SteadyTime well_until_;  // short connections are taken for reloads
    std::unordered_map<std::string, Entry> sessions_;
    std::vector<std::string> changed_;
    std::unordered_map<std::string, Question> waiting_;
    bool away_ = false;  // anvil, which was said
    loop::Timer gather_, retry_, patience_;
};

}  // namespace postern::ipc
