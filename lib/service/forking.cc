// The forking style: the parent (root) forks and reads nothing but master's orders; a child serves
// one connection as whoever it becomes, and exits. Children are forked ahead (spare.h), so that no
// client waits for a fork; the parent accepts only while no spare is there, and forks then as they
// come.

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <unordered_set>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/service/accept.h"
#include "lib/service/child.h"
#include "lib/service/service.h"
#include "lib/service/spare.h"
#include "lib/sys/error.h"
#include "lib/sys/program_text.h"
#include "lib/sys/sandbox.h"
#include "lib/sys/stop_signal.h"

namespace postern::service {
namespace {

// One for a connection that comes while the first one's successor is being forked.
constexpr std::size_t kSpares = 2;
// Until a spare is replaced: the one that has just been taken shall have the processor first.
constexpr Millis kSpareDelay{3};
// The same after a fork that failed, or a spare that ended by itself.
constexpr Millis kSparePause{1000};

void on_child_signal(int) {}  // only has to interrupt ppoll

sigset_t only_child_signal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return set;
}

class ForkingHost {
  public:
    ForkingHost(Child& child, Forked& forked) : child_(child), forked_(forked) {}

    Result<void> run() {
        TRY(child_.restrict());
        sys::load_program_text();  // and not while the first client waits
        block_child_signal();
        child_.ready();
        child_.set_idle();
        while (!draining_ || !sessions_.empty()) {
            wait();
            reap();
        }
        return {};
    }

  private:
    // SIGCHLD is blocked but while we wait, so that no death is missed between reap() and ppoll.
    void block_child_signal() {
        struct sigaction action {};
        action.sa_handler = on_child_signal;
        ::sigaction(SIGCHLD, &action, nullptr);
        const sigset_t blocked = only_child_signal();
        ::sigprocmask(SIG_BLOCK, &blocked, &while_waiting_);
    }

    void wait() {
        std::vector<pollfd> watched = what_to_watch();
        const int ready = poll_for(watched, until_next_spare());
        if (ready == 0) return fork_ahead();
        if (ready < 0) return;
        for (const auto& one : watched) {
            if (one.revents == 0) continue;
            if (one.fd == child_.control().fd()) {
                obey();
            } else if (const auto spare = spare_at(one.fd); spare != spares_.end()) {
                release(spare);
            } else if (!draining_) {
                accept(one.fd);
            }
        }
    }

    std::vector<pollfd> what_to_watch() const {
        std::vector<pollfd> watched;
        if (!orphaned_) watched.push_back({child_.control().fd(), POLLIN, 0});
        for (const auto& spare : spares_) watched.push_back({spare.tie.get(), POLLIN, 0});
        if (draining_ || !spares_.empty()) return watched;
        for (const auto& listener : child_.listeners())
            watched.push_back({listener.get(), POLLIN, 0});
        return watched;
    }

    // Whoever calls now comes first. Nothing: no spare is wanted.
    std::optional<Millis> until_next_spare() const {
        if (draining_ || spares_.size() == kSpares) return std::nullopt;
        return next_spare_.left();
    }

    int poll_for(std::vector<pollfd>& watched, std::optional<Millis> limit) {
        timespec time{};
        if (limit) {
            time.tv_sec = limit->count() / 1000;
            time.tv_nsec = limit->count() % 1000 * 1'000'000;
        }
        return ::ppoll(watched.data(), watched.size(), limit ? &time : nullptr, &while_waiting_);
    }

    void obey() {
        const auto control = child_.control().receive<ipc::Control>(Deadline::in(Millis{0}));
        if (!control && control.error().code == Errc::timeout) return;
        if (control && control->order == ipc::Order::wakeup) return;
        orphaned_ = !control;  // master is gone: nobody would ever stop us
        draining_ = true;
        child_.close_listeners();
        child_.set_busy();  // it takes nobody any more: a successor has to
        while (!spares_.empty()) release(spares_.begin());
        if (control && control->order == ipc::Order::drain) return;
        for (pid_t pid : sessions_) ::kill(pid, SIGTERM);
    }

    void accept(int listener) {
        auto accepted = accept_connection(listener);
        if (!accepted) {  // an order of master's ends the pause
            static_cast<void>(
                sys::wait_ready(child_.control().fd(), sys::Ready::read, Deadline::in(kAcceptPause))
                    .has_value());
            return;
        }
        Fd socket = *std::move(accepted);
        if (!socket || !child_.may_call(socket.get())) return;
        const pid_t pid = fork_child();
        if (pid == 0) serve(std::move(socket));
        if (pid > 0) add_session(pid);
    }

    // --- Spares

    void fork_ahead() {
        auto ends = sys::packet_pair();
        if (!ends) log::warning("", ends.error().what);
        name_process(child_, true);
        const pid_t pid = ends ? fork_child() : -1;
        if (pid == 0) be_spare(*std::move(ends));
        name_process(child_, false);
        if (pid > 0)
            spares_.push_back({pid, std::move(ends->first)});
        else
            next_spare_ = Deadline::in(kSparePause);
    }

    [[noreturn]] void be_spare(std::pair<Fd, Fd> ends) {
        ends.first.reset();
        Fd tie = std::move(ends.second);
        Fd socket = wait_for_connection(child_, tie.get());
        if (!socket) ::_exit(0);
        name_process(child_, false);
        tell_taken(std::move(tie));
        serve(std::move(socket));
    }

    std::vector<Spare>::iterator spare_at(int tie) {
        return std::find_if(spares_.begin(), spares_.end(),
                            [tie](const Spare& spare) { return spare.tie.get() == tie; });
    }

    // It has a connection, or is to end, or has ended: then another might do so, too.
    void release(std::vector<Spare>::iterator spare) {
        const bool taken = draining_ || has_taken(spare->tie.get());
        next_spare_ = Deadline::in(taken ? kSpareDelay : kSparePause);
        const pid_t pid = spare->pid;
        spares_.erase(spare);
        add_session(pid);
    }

    // --- Children

    pid_t fork_child() {
        sys::block_stop_signal(true);  // the session takes it as a descriptor (user_session.h)
        const pid_t pid = ::fork();
        if (pid == 0) begin_life();
        sys::block_stop_signal(false);
        if (pid < 0) log::warning("", sys::system_error("fork").what);
        return pid;
    }

    void begin_life() {
        static_cast<void>(std::signal(SIGCHLD, SIG_DFL));
        static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
        const sigset_t blocked = only_child_signal();
        ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
        spares_.clear();  // the others' ties are the parent's alone, or they would outlive it
        child_.leave_master();
    }

    [[noreturn]] void serve(Fd socket) {
        child_.count_served();
        child_.close_listeners();
        forked_.serve(ipc::Channel(std::move(socket)));
        ::_exit(0);
    }

    void add_session(pid_t pid) {
        sessions_.insert(pid);
        child_.set_sessions(sessions_.size());
    }

    void reap() {
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            const auto spare = std::find_if(spares_.begin(), spares_.end(),
                                            [pid](const Spare& one) { return one.pid == pid; });
            if (spare != spares_.end()) release(spare);
            sessions_.erase(pid);
            child_.set_sessions(sessions_.size());
            if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
                log::warning("", cat({"session process ", std::to_string(pid), " killed by signal ",
                                      std::to_string(WTERMSIG(status))}));
        }
    }

    Child& child_;
    Forked& forked_;
    std::vector<Spare> spares_;
    Deadline next_spare_ = Deadline::in(Millis{0});
    std::unordered_set<pid_t> sessions_;
    sigset_t while_waiting_{};
    bool draining_ = false;
    bool orphaned_ = false;
};

}  // namespace

int run_forking(int argc, char** argv, const ForkedFactory& make) {
    auto child = Child::start(argc, argv);
    if (!child) return start_failed(child.error());
    auto forked = make(child->context());
    if (!forked) return start_failed(forked.error());
    ForkingHost host(*child, **forked);
    const auto done = host.run();
    return done ? 0 : start_failed(done.error());
}

Result<void> restrict_to_home(const std::string& home, const std::string& also,
                              const std::string& inbox_file,
                              const std::vector<sys::PathRule>& more) {
    using enum sys::PathRule::Access;
    std::vector<sys::PathRule> rules = {{home, write},
                                        {"/etc/localtime", read},
                                        {"/usr/share/zoneinfo", read},
                                        {"/usr/lib", read}};  // iconv's modules
    if (!also.empty()) rules.push_back({also, write});
    if (const auto slash = inbox_file.rfind('/'); slash != std::string::npos && slash != 0)
        rules.push_back({inbox_file.substr(0, slash), write});
    rules.insert(rules.end(), more.begin(), more.end());
    TRY_ASSIGN(const auto done,
               sys::restrict(sys::Promise::stdio | sys::Promise::write_files, rules));
    if (!done.note.empty()) log::debug("", done.note);
    return {};
}

}  // namespace postern::service
