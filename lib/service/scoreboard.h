// Scoreboard: one page per service, shared by master and the service's processes. Each process has
// a slot and says in it whether it could take a connection now, how many sessions it has and how
// many it has served. So master learns all that without a message; only the process that makes the
// last idle slot busy has to tell (ipc::Status all_busy), unless master looks out for connections
// already. A process that lies here harms its own service only.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::service {

class Scoreboard {
  public:
    static constexpr std::size_t kSlots = 1024;

    enum class State : std::uint32_t { free, idle, busy };

    static Result<Scoreboard> create();     // master: a new page, all slots free
    static Result<Scoreboard> attach(Fd page);  // child
    Scoreboard(Scoreboard&& other) noexcept;
    Scoreboard& operator=(Scoreboard&&) = delete;
    ~Scoreboard();

    int fd() const { return page_.get(); }

    void set_state(std::size_t slot, State state);
    State state(std::size_t slot) const;
    bool any_idle() const;

    // Master: whether it waits for connections that nobody takes. Both sides write first and read
    // then: of a master that stops looking out and a process that becomes busy, at least one sees
    // the other.
    void set_watched(bool on);
    bool watched() const;

    void set_sessions(std::size_t slot, std::uint32_t sessions);
    std::uint32_t sessions(std::size_t slot) const;
    void count_served(std::size_t slot);
    std::uint64_t served(std::size_t slot) const;
    void clear(std::size_t slot);  // master: the process is gone

  private:
    struct Slot {
        std::atomic<State> state;
        std::atomic<std::uint32_t> sessions;
        std::atomic<std::uint64_t> served;
    };
    struct Page {
        std::atomic<std::uint32_t> used;  // one past the highest slot ever used
        std::atomic<std::uint32_t> watched;
        Slot slots[kSlots];
    };
    Scoreboard(Fd page, Page* map) : page_(std::move(page)), map_(map) {}

    Fd page_;
    Page* map_ = nullptr;
};

}  // namespace postern::service
