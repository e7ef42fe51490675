// The loop style: many sessions in one process. Stops accepting while the session limit is reached,
// after max_use connections, and when master says so; then the process ends with its last session.
// One that has to be the only one (postscreen) goes on after max_use until a moment without sessions:
// while it waited for their end nobody would be served.

#include <algorithm>
#include <csignal>

#include "lib/log/log.h"
#include "lib/log/record.h"
#include "lib/service/accept.h"
#include "lib/service/child.h"
#include "lib/service/service.h"
#include "lib/sys/file.h"

namespace postern::service {
namespace {

constexpr int kAcceptsPerTurn = 16;
constexpr Millis kRecordsWait{20};  // trace records wait so long for others
constexpr Millis kStopWait{5000};   // "stop" gives sessions this long
constexpr Millis kDrainPoll{
    50};  // how often a draining process without sessions looks whether it is done

// How many sessions the descriptors suffice for: one that is accepted must not fail for want of a
// pipe.
Result<std::size_t> affordable_sessions() {
    constexpr std::size_t kOurs = 40, kPerSession = 6;
    TRY_ASSIGN(const std::size_t limit, sys::raise_descriptor_limit());
    return std::max<std::size_t>(1, (limit - std::min(limit, kOurs)) / kPerSession);
}

class LoopHost {
  public:
    LoopHost(Child& child, loop::Loop& loop)
        : child_(child),
          loop_(loop),
          idle_(loop, [this] { on_idle(); }),
          ending_(loop, [this] { loop_.stop(); }),
          drained_(loop, [this] { end_if_done(); }),
          paused_(loop, [this] { accept_again(); }),
          records_(loop, log::flush_records),
          alive_(loop, [this] { show_life(); }) {}
    ~LoopHost() { log::gather_records(nullptr); }
    LoopHost(const LoopHost&) = delete;
    LoopHost& operator=(const LoopHost&) = delete;

    Result<void> run(const LoopFactory& make) {
        const LoopContext context{child_.context(), loop_, [this] { session_ended(); },
                                  [this] { session_began(); }};
        TRY_ASSIGN(service_, make(context));
        TRY(child_.restrict());
        log::gather_records([this] { records_.start(kRecordsWait); });
        TRY_ASSIGN(session_limit_, affordable_sessions());
        session_limit_ = std::min(session_limit_, service_->session_limit());
        control_ =
            std::make_unique<loop::Watch>(loop_, child_.control().fd(), [this] { on_control(); });
        control_->want_read(true);
        for (const auto& listener : child_.listeners()) {
            const int fd = listener.get();
            listeners_.push_back(
                std::make_unique<loop::Watch>(loop_, fd, [this, fd] { on_accept(fd); }));
        }
        accept_more(true);
        show_life();
        child_.ready();
        child_.set_idle();
        idle_.start(child_.max_idle());
        loop_.run();
        Child::end_watch();
        return {};
    }

  private:
    // A loop that turns no more is noticed (Child::watch_me).
    void show_life() {
        child_.watch_me();
        alive_.start(std::chrono::duration_cast<Millis>(child_.patience()) / 3);
    }

    void accept_more(bool on) {
        accepting_ = on;
        for (auto& listener : listeners_) listener->want_read(on);
    }

    void on_accept(int listener) {
        for (int i = 0; i < kAcceptsPerTurn && accepting_; ++i) {
            auto accepted = accept_connection(listener);
            if (!accepted) {
                accept_more(false);
                child_.set_busy();  // another process may have what we lack
                return paused_.start(kAcceptPause);
            }
            Fd socket = *std::move(accepted);
            if (!socket) return;
            child_.count_served();
            if (!child_.is_inet() && !child_.may_call(socket.get())) continue;
            session_began();
            service_->on_connection(std::move(socket));
            if (has_served_its_share() && child_.has_successor()) {
                child_.retired();
                retire();
            }
        }
    }

    bool has_served_its_share() const {
        return child_.is_inet() && child_.max_served() != 0 &&
               child_.served() >= child_.max_served();
    }

    void session_began() {
        idle_.stop();
        child_.set_sessions(++sessions_);
        if (retired_ || sessions_ < session_limit_) return;
        accept_more(false);
        child_.set_busy();
    }

    void session_ended() {
        POSTERN_CHECK(sessions_ > 0);
        child_.set_sessions(--sessions_);
        if (sessions_ == 0 && has_served_its_share()) retire();
        if (retired_) return end_if_done();
        if (!accepting_ && !paused_.active()) accept_again();
        if (sessions_ == 0) idle_.start(child_.max_idle());
    }

    void accept_again() {
        if (retired_ || sessions_ >= session_limit_) return;
        accept_more(true);
        child_.set_idle();
    }

    void on_idle() {
        if (sessions_ == 0 && !service_->busy()) return drain();
        idle_.start(child_.max_idle());
    }

    void on_control() {
        const auto control = child_.control().receive<ipc::Control>(Deadline::in(Millis{0}));
        if (!control && control.error().code == Errc::timeout) return;
        if (control && control->order == ipc::Order::wakeup) return service_->on_wakeup();
        // Master's orders, or its end: without it nobody would ever stop us.
        const bool stop = !control || control->order == ipc::Order::stop;
        if (stop) ending_.start(kStopWait);
        if (!control) control_->want_read(false);
        drain();
        if (stop) service_->stop();
    }

    // Served its share: a successor takes the next connection; the sessions here go on as long as
    // they like.
    void retire() {
        if (retired_) return;
        retired_ = true;
        accepting_ = false;
        listeners_.clear();
        child_.close_listeners();
        child_.set_busy();
        end_if_done();
    }

    void drain() {
        retire();
        if (draining_) return;
        draining_ = true;
        service_->drain();
        end_if_done();
    }

    void end_if_done() {
        if (sessions_ == 0 && !service_->busy()) return loop_.stop();
        if (sessions_ == 0) drained_.start(kDrainPoll);
    }

    Child& child_;
    loop::Loop& loop_;
    loop::Timer idle_, ending_, drained_;
    loop::Timer paused_;  // no descriptors to be had
    loop::Timer records_;
    loop::Timer alive_;
    std::unique_ptr<loop::Watch> control_;
    std::vector<std::unique_ptr<loop::Watch>> listeners_;
    std::unique_ptr<LoopService> service_;
    std::size_t sessions_ = 0;
    std::size_t session_limit_ = 0;
    bool accepting_ = false;
    bool retired_ = false;   // accepts no more
    bool draining_ = false;  // and the sessions have been told
};

}  // namespace

int run_loop(int argc, char** argv, const LoopFactory& make) {
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    auto child = Child::start(argc, argv);
    if (!child) return start_failed(child.error());
    loop::Loop loop;
    LoopHost host(*child, loop);
    const auto done = host.run(make);
    return done ? 0 : start_failed(done.error());
}

}  // namespace postern::service
