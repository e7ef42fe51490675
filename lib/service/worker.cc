// The worker style: wait for a connection or an order from master, serve, wait again.

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>
#include <utility>

#include "lib/config/process_wide.h"
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
    Result<void> add(int fd, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
            return sys::system_error("epoll");
        return {};
    }
    // A descriptor that is ready: master's channel first, and `kept` before or after the others; -1
    // after `limit`, whatever signals come meanwhile.
    int wait(int kept, bool kept_first, Millis limit) {
        const auto rank = [&](const epoll_event& event) {
            if (event.data.fd == kControlFd) return 0;
            if (event.data.fd == kept) return kept_first ? 1 : 3;
            return 2;
        };
        const auto deadline = Deadline::in(limit);
        for (;;) {
            epoll_event events[4]{};
            const auto left = std::min<std::int64_t>(deadline.left().count(), INT_MAX);
            const int n = ::epoll_wait(epoll_.get(), events, 4, static_cast<int>(left));
            if (n == 0 || (n < 0 && errno != EINTR)) return -1;
            if (n < 0) continue;
            return std::min_element(events, events + n,
                                    [&](const auto& a, const auto& b) { return rank(a) < rank(b); })
                ->data.fd;
        }
    }

  private:
    Fd epoll_;
};

// Whether to go on after what master says; its silence (end of the channel) means no.
bool obey(Child& child, Worker& worker) {
    const auto control = child.control().receive<ipc::Control>(Deadline::in(kOrderWait));
    if (!control || control->order != ipc::Order::wakeup) return false;
    child.set_busy();
    child.watch_me();
    worker.on_wakeup();
    Child::end_watch();
    child.set_idle();
    return true;
}

class Host {
  public:
    Host(Child& child, Worker& worker, Waiter waiter)
        : child_(child), worker_(worker), waiter_(std::move(waiter)) {}

    void run() {
        while (worker_.keeps_state() || child_.max_served() == 0 ||
               child_.served() < child_.max_served()) {
            const int kept = kept_ ? kept_->fd() : -1;
            // In turns: who asks without a pause does not shut out who calls.
            const int fd = waiter_.wait(kept, kept_has_turn_, child_.max_idle());
            kept_has_turn_ = fd != kept;
            if (fd < 0 && worker_.keeps_state()) continue;
            if (fd < 0) return;  // idle for long: master starts another when needed
            if (fd == kept)
                serve(*std::exchange(kept_, std::nullopt), true);
            else if (fd == kControlFd && !obey(child_, worker_))
                return;
            else if (fd >= kFirstListener)
                take_connection(fd);
            if (config::table_failure()) return;
        }
    }

  private:
    void take_connection(int listener) {
        auto socket = accept_connection(listener);
        if (!socket) {  // an order of master's ends the pause
            static_cast<void>(
                sys::wait_ready(child_.control().fd(), sys::Ready::read, Deadline::in(kAcceptPause))
                    .has_value());
            return;
        }
        if (!*socket) return;
        child_.count_served();
        if (!child_.may_call(socket->get())) return;
        kept_.reset();
        serve(ipc::Channel(*std::move(socket)), false);
    }

    void serve(ipc::Channel channel, bool waited_for) {
        child_.set_busy();
        child_.watch_me();
        const auto conversation = worker_.serve(channel);
        Child::end_watch();
        if (conversation == Worker::Conversation::goes_on &&
            (waited_for || waiter_.add(channel.fd(), EPOLLIN)))
            kept_ = std::move(channel);
        child_.set_idle();
    }

    Child& child_;
    Worker& worker_;
    Waiter waiter_;
    std::optional<ipc::Channel> kept_;  // its peer may ask again
    bool kept_has_turn_ = true;
};

Result<void> work(Child& child, Worker& worker) {
    TRY_ASSIGN(Waiter waiter, Waiter::create(child));
    TRY(child.restrict());
    child.ready();
    child.set_idle();
    Host(child, worker, std::move(waiter)).run();
    if (auto failure = config::table_failure()) return *std::move(failure);
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
