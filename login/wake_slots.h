// WakeSlots: how many sleeping sessions of this process are handed to workers at a time. A message
// for a folder that thousands watch wakes all of them; the others wait here for their turn, and not
// at the socket of a service that has no more room.
#pragma once

#include <deque>
#include <functional>
#include <utility>

namespace postern::login {

class WakeSlots {
  public:
    explicit WakeSlots(std::size_t limit) : free_(limit) {}

    // Calls `go` now, or when it is its turn. Whoever has been called gives the slot back.
    void take(std::function<void()> go) {
        if (free_ == 0) return waiting_.push_back(std::move(go));
        --free_;
        go();
    }
    // One that has nothing to do gives it back at once: those behind it are not called from there.
    void give_back() {
        ++free_;
        if (std::exchange(calling_, true)) return;
        while (free_ > 0 && !waiting_.empty()) {
            const auto next = std::move(waiting_.front());
            waiting_.pop_front();
            --free_;
            next();
        }
        calling_ = false;
    }

  private:
    std::size_t free_;
    bool calling_ = false;
    std::deque<std::function<void()>> waiting_;
};

}  // namespace postern::login
