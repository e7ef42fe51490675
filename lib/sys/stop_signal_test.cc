// SIGTERM as a descriptor: what waits is woken, and a signal between fork() and stop_signal() is
// kept.
#include "lib/sys/stop_signal.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/processes.h"

namespace postern::sys {
namespace {

using support::in_child;

TEST(StopSignal, EndsAWait) {
    EXPECT_EQ(in_child([] {
                  const auto ends = stream_pair().value();
                  const Fd stop = stop_signal().value();
                  const Deadline soon = Deadline::in(Seconds{20});
                  if (is_stopped(stop.get())) return false;
                  if (!wait_ready(ends.first.get(), Ready::write, stop.get(), soon)) return false;
                  ::kill(::getpid(), SIGTERM);
                  const auto waited = wait_ready(ends.first.get(), Ready::read, stop.get(), soon);
                  return is_stopped(stop.get()) && !waited && waited.error().code == Errc::closed;
              }),
              true);
}

TEST(StopSignal, OneThatCameBeforeIsKept) {
    EXPECT_EQ(in_child([] {
                  block_stop_signal(true);
                  ::kill(::getpid(), SIGTERM);
                  return is_stopped(stop_signal().value().get());
              }),
              true);
}

TEST(StopSignal, UnblockedItEndsTheProcess) {
    EXPECT_EQ(in_child([] {
                  block_stop_signal(true);
                  block_stop_signal(false);
                  ::kill(::getpid(), SIGTERM);
                  return true;
              }),
              -1);
}

TEST(StopSignal, TellsADismissalFromAStop) {
    EXPECT_EQ(in_child([] {
                  const auto ends = stream_pair().value();
                  const Fd signal = stop_signal().value(), dismissal(::eventfd(0, EFD_CLOEXEC));
                  const Fd stop = stop_or_dismissal(signal.get(), dismissal.get()).value();
                  if (is_stopped(stop.get()) || is_dismissed(stop.get())) return 1;
                  if (::eventfd_write(dismissal.get(), 1) != 0) return 2;
                  const auto waited = wait_ready(ends.first.get(), Ready::read, stop.get(),
                                                 Deadline::in(Seconds{20}));
                  if (waited || waited.error().what != "Disconnected by the administrator")
                      return 3;
                  if (!is_stopped(stop.get()) || !is_dismissed(stop.get())) return 4;
                  ::kill(::getpid(), SIGTERM);
                  return stop_reason(stop.get()) == "Server shutting down" ? 0 : 5;
              }),
              0);
    EXPECT_FALSE(is_dismissed(-1));
    const auto ends = stream_pair().value();
    EXPECT_FALSE(stop_or_dismissal(ends.first.get(), -1));
}

TEST(StopSignal, WaitsHaveDeadlines) {
    const auto ends = stream_pair().value();
    const auto waited = wait_ready(ends.first.get(), Ready::read, -1, Deadline::in(Millis{5}));
    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().code, Errc::timeout);
    EXPECT_FALSE(is_stopped(-1));
}

}  // namespace
}  // namespace postern::sys
