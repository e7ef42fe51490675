// Clock: one of the four seams (clock, file system, network, randomness). Programs hold a Clock&;
// tests give them a FakeClock (tests/support).
#pragma once

#include <chrono>

namespace postern {

using Seconds = std::chrono::seconds;
using Millis = std::chrono::milliseconds;
using Micros = std::chrono::microseconds;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Micros>;    // calendar time
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Micros>;  // never set back

class Clock {
  public:
    virtual ~Clock() = default;
    virtual WallTime now() const = 0;
    virtual SteadyTime steady() const = 0;
};

class SystemClock final : public Clock {
  public:
    WallTime now() const override;
    SteadyTime steady() const override;
    static SystemClock& instance();
};

// The moment by which a wait must end. Absolute, so that a peer who dribbles bytes gains nothing.
class Deadline {
  public:
    static Deadline in(Millis wait, const Clock& clock = SystemClock::instance()) {
        return Deadline(clock.steady() + wait, clock);
    }
    // Time left, never negative.
    Millis left() const;
    bool passed() const { return left() == Millis{0}; }

  private:
    Deadline(SteadyTime at, const Clock& clock) : at_(at), clock_(&clock) {}
    SteadyTime at_;
    const Clock* clock_;
};

}  // namespace postern
