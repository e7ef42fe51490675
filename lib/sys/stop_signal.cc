#include "lib/sys/stop_signal.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>

#include "lib/sys/error.h"

namespace postern::sys {
namespace {

sigset_t only_term() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

void block_stop_signal(bool block) {
    const sigset_t set = only_term();
    ::sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr);
}

Result<Fd> stop_signal() {
    block_stop_signal(true);
    const sigset_t set = only_term();
    Fd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!fd) return system_error("signalfd");
    return fd;
}

Result<void> wait_ready(int fd, Ready ready, int stop, const Deadline& deadline) {
    const short events = ready == Ready::read ? POLLIN : POLLOUT;
    for (;;) {
        std::array<pollfd, 2> both{pollfd{fd, events, 0}, pollfd{stop, POLLIN, 0}};
        const auto left =
            std::min<std::int64_t>(deadline.left().count(), std::numeric_limits<int>::max());
        const int count = ::poll(both.data(), stop < 0 ? 1 : 2, static_cast<int>(left));
        if (count == 0) return Error{Errc::timeout, "client is silent"};
        if (count < 0 && errno != EINTR) return system_error("poll");
        if (count < 0) continue;
        if (stop >= 0 && both[1].revents != 0) return Error{Errc::closed, "Server shutting down"};
        return {};
    }
}

bool is_stopped(int stop) {
    pollfd one{stop, POLLIN, 0};
    return stop >= 0 && ::poll(&one, 1, 0) > 0;
}

}  // namespace postern::sys
