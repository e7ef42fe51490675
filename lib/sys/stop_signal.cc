#include "lib/sys/stop_signal.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>

#include "lib/sys/error.h"

namespace postern::sys {
namespace {

constexpr std::uint64_t kSystemStops = 1, kDismissed = 2;

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

Result<Fd> stop_or_dismissal(int signal, int dismissal) {
    Fd both(::epoll_create1(EPOLL_CLOEXEC));
    if (!both) return system_error("epoll_create");
    epoll_event event{.events = EPOLLIN, .data = {.u64 = kSystemStops}};
    if (::epoll_ctl(both.get(), EPOLL_CTL_ADD, signal, &event) != 0)
        return system_error("epoll_ctl");
    event.data.u64 = kDismissed;
    if (::epoll_ctl(both.get(), EPOLL_CTL_ADD, dismissal, &event) != 0)
        return system_error("epoll_ctl");
    return both;
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
        if (stop >= 0 && both[1].revents != 0) return Error{Errc::closed, std::string(stop_reason(stop))};
        return {};
    }
}

bool is_stopped(int stop) {
    pollfd one{stop, POLLIN, 0};
    return stop >= 0 && ::poll(&one, 1, 0) > 0;
}

// A plain signalfd is no epoll descriptor, and tells of the signal only.
bool is_dismissed(int stop) {
    std::array<epoll_event, 2> events{};
    const int count = ::epoll_wait(stop, events.data(), events.size(), 0);
    return count == 1 && events[0].data.u64 == kDismissed;
}

std::string_view stop_reason(int stop) {
    return is_dismissed(stop) ? "Disconnected by the administrator" : "Server shutting down";
}

}  // namespace postern::sys
