// Population: the processes of one service as master knows them, and what to do next: start one,
// wait, wake one up, or hold back because they fail. Pure: it starts, ends and sends nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>

#include "lib/base/clock.h"

namespace postern::master {

class Population {
  public:
    struct Member {
        std::size_t slot = 0;  // in the scoreboard
        std::uint64_t generation = 0;
        SteadyTime born{};
        bool ready = false;
        bool draining = false;
        bool wake_when_ready = false;
    };

    // A process that fails so soon after its start, kPatience times in a row, will fail again.
    static constexpr Millis kYoung{10'000};
    static constexpr int kPatience = 3;
    static constexpr Millis kFullWarning{1'000'000};  // between two warnings about the limit

    // limit: of processes, 0: none. wakes: the service has a wakeup time. overlaps: where there may be only one, a
    // draining one does not count (Profile::outlives_reloads).
    void set_rules(std::size_t limit, bool wakes, bool overlaps = false);

    void add(pid_t pid, const Member& member);
    Member* find(pid_t pid);
    const std::map<pid_t, Member>& members() const { return members_; }
    bool empty() const { return members_.empty(); }
    // A new configuration: how processes of the old one fail says nothing of it.
    void drain_all();

    // A slot that nobody has; the number of slots when there is none.
    std::size_t free_slot(std::size_t slots) const;
    // No further process may be started. One of an old configuration counts where there may be only
    // one, unless they may overlap.
    bool at_limit() const;

    // Somebody waits at a listening socket: start a process, or stop looking until something
    // changes. `full`: because of the limit, and it is time to say so.
    enum class Pressure : unsigned char { start, wait, full };
    Pressure pressure(bool any_idle, bool throttled, SteadyTime now);

    // The wakeup time has come: tell this process, or start one that will be woken, or nothing. A
    // process that is not ready yet is remembered, and gets its own when it is.
    struct WakeUp {
        enum class Kind : unsigned char { nothing, tell, start } kind = Kind::nothing;
        pid_t pid = 0;
    };
    WakeUp wake_up(bool throttled);

    // A process ended; failed: not with exit status 0. Nothing when it is not one of ours.
    enum class Next : unsigned char {
        look,           // watch the sockets again
        replace,        // and start another at once, which is to be woken up
        throttle,       // it failed before it was ready, and did not drain: none for a while
        throttle_often  // they are ready and fail, again and again: none for a while
    };
    struct End {
        Member member;
        Next next = Next::look;
    };
    std::optional<End> ended(pid_t pid, bool failed, SteadyTime now);

  private:
    std::size_t working() const;  // processes that do not drain
    bool fails_often(const Member& member, bool failed, SteadyTime now);

    std::map<pid_t, Member> members_;
    std::size_t limit_ = 0;
    bool wakes_ = false;
    bool overlaps_ = false;
    int early_failures_ = 0;
    std::optional<SteadyTime> told_full_;
};

}  // namespace postern::master
