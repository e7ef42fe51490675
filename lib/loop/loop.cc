#include "lib/loop/loop.h"

#include <event2/event.h>

#include <algorithm>

#include "lib/base/check.h"

namespace postern::loop {
namespace detail {

// What libevent hands back to us. The callback is copied before the call, so that the owner may be
// destroyed by it.
struct Slot {
    explicit Slot(Callback its_callback) : callback(std::move(its_callback)) {}
    Callback callback;
};

void EventDeleter::operator()(event* e) const { ::event_free(e); }

}  // namespace detail

namespace {

void trampoline(evutil_socket_t, short, void* argument) noexcept {
    const Callback callback = static_cast<detail::Slot*>(argument)->callback;
    callback();
}

void run_posted(evutil_socket_t, short, void* argument) noexcept {
    const std::unique_ptr<Callback> callback(static_cast<Callback*>(argument));
    (*callback)();
}

timeval to_timeval(Millis t) {
    t = std::max(t, Millis{0});  // what is overdue is due
    return {static_cast<time_t>(t.count() / 1000),
            static_cast<suseconds_t>(t.count() % 1000 * 1000)};
}

detail::EventPtr make_event(Loop& loop, int fd, short what, detail::Slot& slot) {
    detail::EventPtr e(::event_new(loop.native(), fd, what, trampoline, &slot));
    POSTERN_CHECK(e != nullptr);
    return e;
}

void set(event* e, bool& state, bool on) {
    if (on == state) return;
    POSTERN_CHECK((on ? ::event_add(e, nullptr) : ::event_del(e)) == 0);
    state = on;
}

}  // namespace

Loop::Loop(const Clock& clock) : clock_(clock), base_(::event_base_new()) {
    POSTERN_CHECK(base_ != nullptr);
}

Loop::~Loop() { ::event_base_free(base_); }

void Loop::run() { ::event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY); }

void Loop::stop() { ::event_base_loopexit(base_, nullptr); }

void Loop::run_for(Millis limit) {
    Timer end(*this, [this] { stop(); });
    end.start(limit);
    run();
}

void Loop::post(Callback callback) {
    auto held = std::make_unique<Callback>(std::move(callback));
    const timeval now{0, 0};
    POSTERN_CHECK(::event_base_once(base_, -1, EV_TIMEOUT, run_posted, held.get(), &now) == 0);
    static_cast<void>(held.release());  // run_posted takes it over
}

Timer::Timer(Loop& loop, Callback callback)
    : slot_(std::make_unique<detail::Slot>(std::move(callback))),
      event_(make_event(loop, -1, 0, *slot_)) {}

Timer::~Timer() = default;

void Timer::start(Millis delay) {
    const timeval tv = to_timeval(delay);
    POSTERN_CHECK(::event_add(event_.get(), &tv) == 0);
}

void Timer::stop() { ::event_del(event_.get()); }

bool Timer::active() const { return ::event_pending(event_.get(), EV_TIMEOUT, nullptr) != 0; }

Watch::Watch(Loop& loop, int fd, Callback on_readable, Callback on_writable)
    : read_slot_(std::make_unique<detail::Slot>(std::move(on_readable))),
      read_event_(make_event(loop, fd, EV_READ | EV_PERSIST, *read_slot_)) {
    if (on_writable) {
        write_slot_ = std::make_unique<detail::Slot>(std::move(on_writable));
        write_event_ = make_event(loop, fd, EV_WRITE | EV_PERSIST, *write_slot_);
    }
}

Watch::~Watch() = default;

void Watch::want_read(bool on) { set(read_event_.get(), reading_, on); }

void Watch::want_write(bool on) {
    POSTERN_CHECK(write_event_ != nullptr);
    set(write_event_.get(), writing_, on);
}

Signal::Signal(Loop& loop, int signal_number, Callback callback)
    : slot_(std::make_unique<detail::Slot>(std::move(callback))),
      event_(make_event(loop, signal_number, EV_SIGNAL | EV_PERSIST, *slot_)) {
    POSTERN_CHECK(::event_add(event_.get(), nullptr) == 0);
}

Signal::~Signal() = default;

}  // namespace postern::loop
