#include "lib/base/clock.h"

namespace postern {

WallTime SystemClock::now() const { return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now()); }

SteadyTime SystemClock::steady() const {
    return std::chrono::time_point_cast<Micros>(std::chrono::steady_clock::now());
}

SystemClock& SystemClock::instance() {
    static SystemClock clock;
    return clock;
}

Millis Deadline::left() const {
    const auto now = clock_->steady();
    if (now >= at_) return Millis{0};
    return std::chrono::ceil<Millis>(at_ - now);
}

}  // namespace postern
