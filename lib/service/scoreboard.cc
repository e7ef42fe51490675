#include "lib/service/scoreboard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/sys/error.h"

namespace postern::service {

Result<Scoreboard> Scoreboard::create() {
    Fd page(::memfd_create("scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!page) return sys::system_error("scoreboard");
    if (::ftruncate(page.get(), sizeof(Page)) != 0) return sys::system_error("scoreboard");
    // A process that made it shorter would have master die of SIGBUS.
    if (::fcntl(page.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return sys::system_error("seal scoreboard");
    return attach(std::move(page));
}

Result<Scoreboard> Scoreboard::attach(Fd page) {
    void* map = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, page.get(), 0);
    if (map == MAP_FAILED) return sys::system_error("map scoreboard");
    // A fresh memfd is all zeroes, which is what these lock-free atomics begin as.
    static_assert(std::atomic<State>::is_always_lock_free &&
                  std::atomic<std::uint64_t>::is_always_lock_free);
    return Scoreboard(std::move(page), static_cast<Page*>(map));
}

Scoreboard::Scoreboard(Scoreboard&& other) noexcept
    : page_(std::move(other.page_)), map_(std::exchange(other.map_, nullptr)) {}

Scoreboard::~Scoreboard() {
    if (map_ != nullptr) ::munmap(map_, sizeof(Page));
}

void Scoreboard::set_state(std::size_t slot, State state) {
    POSTERN_CHECK(slot < kSlots);
    if (map_->used <= slot) map_->used = static_cast<std::uint32_t>(slot + 1);
    map_->slots[slot].state = state;
}

Scoreboard::State Scoreboard::state(std::size_t slot) const { return map_->slots[slot].state; }

bool Scoreboard::any_idle() const {
    const std::size_t used = std::min<std::size_t>(map_->used, kSlots);
    for (std::size_t i = 0; i < used; ++i) {
        if (map_->slots[i].state == State::idle) return true;
    }
    return false;
}

void Scoreboard::set_watched(bool on) { map_->watched = on ? 1 : 0; }
bool Scoreboard::watched() const { return map_->watched != 0; }

void Scoreboard::set_sessions(std::size_t slot, std::uint32_t sessions) {
    map_->slots[slot].sessions = sessions;
}
std::uint32_t Scoreboard::sessions(std::size_t slot) const { return map_->slots[slot].sessions; }
void Scoreboard::count_served(std::size_t slot) { map_->slots[slot].served++; }
std::uint64_t Scoreboard::served(std::size_t slot) const { return map_->slots[slot].served; }

void Scoreboard::clear(std::size_t slot) {
    map_->slots[slot].state = State::free;
    map_->slots[slot].sessions = 0;
    map_->slots[slot].served = 0;
}

}  // namespace postern::service
