// The worker style: wait for a connection or an order from master, serve, wait again.

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "lib/log/log.h"
#include "lib/service/accept.h"
#include "lib/service/child.h"
#include "lib/service/service.h"
#include "lib/sys/error.h"

namespace postern::service {
namespace {

constexpr Millis kOrderWait{1000};

// The sockets a worker waits for. EPOLLEXCLUSIVE: a connection wakes one idle worker, not all of
// them.
class Waiter {
  public:
    static Result<Waiter> create(Child& child) {
        Waiter waiter;
        waiter.epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
        if (!waiter.epoll_) return sys::system_error("epoll");
        TRY(waiter.add(child.control().fd(), EPOLLIN));
        for (const auto& listener : child.listeners())
            TRY(waiter.add(listener.get(), EPOLLIN | EPOLLEXCLUSIVE));
        return waiter;
    }
    // The descriptor that is ready, or -1 after `limit`, whatever signals come meanwhile.
    int wait(Millis limit) {
        const auto deadline = Deadline::in(limit);
        for (;;) {
            epoll_event event{};
            const auto left = std::min<std::int64_t>(deadline.left().count(), INT_MAX);
            const int n = ::epoll_wait(epoll_.get(), &event, 1, static_cast<int>(left));
            if (n == 1) return event.data.fd;
            if (n == 0 || errno != EINTR) return -1;
        }
    }

  private:
    Result<void> add(int fd, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
            return sys::system_error("epoll");
        return {};
    }
    Fd epoll_;
};

// Whether to go on after what master says; its silence (end of the channel) means no.
bool obey(Child& child, Worker& worker) {
    const auto control = child.control().receive<ipc::Control>(Deadline::in(kOrderWait));
    if (!control || control->order != ipc::Order::wakeup) return false;
    child.set_busy();
    worker.on_wakeup();
    child.set_idle();
    return true;
}

void take_connection(Child& child, Worker& worker, int listener) {
    auto socket = accept_connection(listener);
    if (!socket) {  // an order of master's ends the pause
        static_cast<void>(
            sys::wait_ready(child.control().fd(), sys::Ready::read, Deadline::in(kAcceptPause))
                .has_value());
        return;
    }
    if (!*socket) return;
    child.set_busy();
    child.count_served();
    if (child.may_call(socket->get())) {
        ipc::Channel channel(*std::move(socket));
        worker.serve(channel);
    }
    child.set_idle();
}

Result<void> work(Child& child, Worker& worker) {
    TRY_ASSIGN(Waiter waiter, Waiter::create(child));
    TRY(child.restrict());
    child.ready();
    child.set_idle();
    while (child.max_served() == 0 || child.served() < child.max_served()) {
        const int fd = waiter.wait(child.max_idle());
        if (fd < 0) return {};  // idle for long: master starts another when needed
        if (fd == child.control().fd() && !obey(child, worker)) return {};
        if (fd >= kFirstListener) take_connection(child, worker, fd);
    }
    return {};
}

}  // namespace

int run_worker(int argc, char** argv, const WorkerFactory& make) {
    auto child = Child::start(argc, argv);
    if (!child) return start_failed(child.error());
    auto worker = make(child->context());
    if (!worker) return start_failed(worker.error());
    const auto done = work(*child, **worker);
    return done ? 0 : start_failed(done.error());
}

}  // namespace postern::service
