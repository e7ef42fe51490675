// FakeClock: time that moves only when a test says so.
#pragma once

#include "lib/base/clock.h"

namespace postern::support {

class FakeClock final : public Clock {
  public:
    explicit FakeClock(WallTime start = WallTime(Micros(1'800'000'000'000'000))) : wall_(start) {}

    WallTime now() const override { return wall_; }
    SteadyTime steady() const override { return steady_; }

    void advance(Micros by) {
        wall_ += by;
        steady_ += by;
    }
    // The administrator sets the clock: calendar time jumps, steady time does not.
    void set_wall(WallTime time) { wall_ = time; }

  private:
    WallTime wall_;
    SteadyTime steady_{Micros(1'000'000'000)};
};

}  // namespace postern::support
