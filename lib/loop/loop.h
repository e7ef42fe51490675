// The event loop: libevent's core behind four small types. Every callback enters through one
// noexcept trampoline, so an exception from the library ends the process instead of crossing C frames.
// A callback may destroy the object that called it.
#pragma once

#include <functional>
#include <memory>

#include "lib/base/clock.h"

struct event;
struct event_base;

namespace postern::loop {

using Callback = std::function<void()>;

class Loop {
  public:
    explicit Loop(const Clock& clock = SystemClock::instance());
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run();                  // until stop()
    void stop();                 // after the callbacks that are due now
    void run_for(Millis limit);  // at most that long; for tests and clients with a deadline
    // Runs the callback on a later turn of the loop, never from inside post().
    void post(Callback callback);

    const Clock& clock() const { return clock_; }
    event_base* native() const { return base_; }

  private:
    const Clock& clock_;
    event_base* base_;
};

namespace detail {
struct EventDeleter {
    void operator()(event* e) const;
};
using EventPtr = std::unique_ptr<event, EventDeleter>;
struct Slot;
}  // namespace detail

// Calls back after a time, once per start(). Stopping or destroying cancels.
class Timer {
  public:
    Timer(Loop& loop, Callback callback);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void start(Millis delay);  // starts again if it runs
    void stop();
    bool active() const;

  private:
    std::unique_ptr<detail::Slot> slot_;
    detail::EventPtr event_;
};

// Calls back while a descriptor is readable or writable (level-triggered). Does not own the
// descriptor; destroy the Watch before closing it.
class Watch {
  public:
    Watch(Loop& loop, int fd, Callback on_readable, Callback on_writable = nullptr);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    void want_read(bool on);
    void want_write(bool on);  // needs on_writable
    bool wants_read() const { return reading_; }
    bool wants_write() const { return writing_; }

  private:
    std::unique_ptr<detail::Slot> read_slot_, write_slot_;
    detail::EventPtr read_event_, write_event_;
    bool reading_ = false;
    bool writing_ = false;
};

// Calls back on the loop when the process gets a signal.
class Signal {
  public:
    Signal(Loop& loop, int signal_number, Callback callback);
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

  private:
    std::unique_ptr<detail::Slot> slot_;
    detail::EventPtr event_;
};

}  // namespace postern::loop
