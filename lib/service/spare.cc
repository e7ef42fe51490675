#include "lib/service/spare.h"

#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "lib/log/log.h"
#include "lib/service/accept.h"
#include "lib/sys/error.h"
#include "lib/sys/unix_socket.h"

namespace postern::service {
namespace {

bool watch(int epoll, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

// EPOLLEXCLUSIVE: a connection wakes one spare, not all of them.
Fd watch_all(const Child& child, int tie) {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    bool good = epoll && watch(epoll.get(), tie, EPOLLIN);
    for (const auto& listener : child.listeners())
        good = good && watch(epoll.get(), listener.get(), EPOLLIN | EPOLLEXCLUSIVE);
    if (good) return epoll;
    log::warning("", sys::system_error("epoll").what);
    return {};
}

// A readable listener; the tie where that is readable, too: then others take who calls.
int next_event(int epoll, int tie) {
    for (;;) {
        epoll_event events[4]{};
        const int count = ::epoll_wait(epoll, events, 4, -1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return tie;
        if (std::any_of(events, events + count, [tie](const auto& e) { return e.data.fd == tie; }))
            return tie;
        return events[0].data.fd;
    }
}

}  // namespace

Fd wait_for_connection(Child& child, int tie) {
    const Fd epoll = watch_all(child, tie);
    if (!epoll) return {};
    for (int fd = -1; (fd = next_event(epoll.get(), tie)) != tie;) {
        auto socket = accept_connection(fd);
        if (!socket) {  // the parent's wish ends the pause
            static_cast<void>(
                sys::wait_ready(tie, sys::Ready::read, Deadline::in(kAcceptPause)).has_value());
        } else if (*socket && child.may_call(socket->get())) {
            return *std::move(socket);
        }
    }
    return {};
}

void name_process(const Child& child, bool waiting) {
    const std::string program = child.context().program;
    ::prctl(PR_SET_NAME, (waiting ? program + " waiting" : program).c_str(), 0, 0, 0);
}

// A parent that is gone need not know.
void tell_taken(Fd tie) { static_cast<void>(sys::send_packet(tie.get(), "1").has_value()); }

bool has_taken(int tie) { return sys::receive_packet(tie, 1, 0).has_value(); }

}  // namespace postern::service
