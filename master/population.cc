#include "master/population.h"

#include <algorithm>

namespace postern::master {

void Population::set_rules(std::size_t limit, bool wakes, bool overlaps) {
    limit_ = limit;
    wakes_ = wakes;
    overlaps_ = overlaps;
}

void Population::add(pid_t pid, const Member& member) { members_.insert_or_assign(pid, member); }

Population::Member* Population::find(pid_t pid) {
    const auto found = members_.find(pid);
    return found == members_.end() ? nullptr : &found->second;
}

void Population::drain_all() {
    for (auto& [pid, member] : members_) member.draining = true;
    early_failures_ = 0;
}

std::size_t Population::free_slot(std::size_t slots) const {
    const auto taken = [&](std::size_t slot) {
        return std::any_of(members_.begin(), members_.end(),
                           [slot](const auto& m) { return m.second.slot == slot; });
    };
    std::size_t slot = 0;
    while (slot < slots && taken(slot)) ++slot;
    return slot;
}

std::size_t Population::working() const {
    return static_cast<std::size_t>(std::count_if(
        members_.begin(), members_.end(), [](const auto& m) { return !m.second.draining; }));
}

bool Population::at_limit() const {
    return limit_ != 0 && (limit_ == 1 && !overlaps_ ? members_.size() : working()) >= limit_;
}

Population::Pressure Population::pressure(bool any_idle, bool throttled, SteadyTime now) {
    if (any_idle || throttled) return Pressure::wait;
    if (!at_limit()) return Pressure::start;
    if (limit_ == 1 || (told_full_ && now - *told_full_ < kFullWarning)) return Pressure::wait;
    told_full_ = now;
    return Pressure::full;
}

Population::WakeUp Population::wake_up(bool throttled) {
    for (auto& [pid, member] : members_) {
        if (member.draining) continue;
        if (member.ready) return {WakeUp::Kind::tell, pid};
        member.wake_when_ready = true;
        return {};
    }
    return throttled || at_limit() ? WakeUp{} : WakeUp{WakeUp::Kind::start};
}

bool Population::fails_often(const Member& member, bool failed, SteadyTime now) {
    if (member.draining) return false;
    if (!failed || now - member.born >= kYoung) {
        early_failures_ = 0;
        return false;
    }
    if (++early_failures_ < kPatience) return false;
    early_failures_ = 0;
    return true;
}

std::optional<Population::End> Population::ended(pid_t pid, bool failed, SteadyTime now) {
    const auto found = members_.find(pid);
    if (found == members_.end()) return std::nullopt;
    End end{found->second, Next::look};
    members_.erase(found);
    // One that drains says nothing of the configuration that is in force.
    if (failed && !end.member.ready && !end.member.draining) {
        end.next = Next::throttle;
    } else if (fails_often(end.member, failed, now)) {
        end.next = Next::throttle_often;
    } else if (wakes_ && limit_ == 1 && (overlaps_ ? working() == 0 : members_.empty()) &&
               (end.member.draining || failed)) {
        // Its wake-up must not be lost with it, nor may the one that had to wait for its end.
        end.next = Next::replace;
    }
    return end;
}

}  // namespace postern::master
