#include "limits/login_times.h"

namespace postern::limits {

bool LoginTimes::try_login(const std::string& user, Millis delay, SteadyTime now) {
    forget(now);
    const auto at = times_.find(user);
    if (at != times_.end()) {
        if (now - at->second->when < delay) return false;
        order_.erase(at->second);
        times_.erase(at);
    }
    if (times_.size() >= max_) {
        times_.erase(order_.front().user);
        order_.pop_front();
    }
    times_[user] = order_.insert(order_.end(), {user, now, now + delay});
    return true;
}

void LoginTimes::forget(SteadyTime now) {
    while (!order_.empty() && order_.front().matters_until <= now) {
        times_.erase(order_.front().user);
        order_.pop_front();
    }
}

}  // namespace postern::limits
