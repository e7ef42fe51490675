// The forking style: the parent (root) accepts and forks and reads nothing but master's orders; the
// child serves one connection as whoever it becomes, and exits.

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <unordered_set>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/service/accept.h"
#include "lib/service/child.h"
#include "lib/service/service.h"
#include "lib/sys/error.h"
#include "lib/sys/sandbox.h"
#include "lib/sys/stop_signal.h"

namespace postern::service {
namespace {

void on_child_signal(int) {}  // only has to interrupt ppoll

class ForkingHost {
  public:
    ForkingHost(Child& child, Forked& forked) : child_(child), forked_(forked) {}

    Result<void> run() {
        TRY(child_.restrict());
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
        sigset_t blocked;
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &blocked, &while_waiting_);
    }

    void wait() {
        std::vector<pollfd> watched;
        if (!orphaned_) watched.push_back({child_.control().fd(), POLLIN, 0});
        if (!draining_) {
            for (const auto& listener : child_.listeners())
                watched.push_back({listener.get(), POLLIN, 0});
        }
        if (::ppoll(watched.data(), watched.size(), nullptr, &while_waiting_) <= 0) return;
        for (const auto& one : watched) {
            if (one.revents == 0 || (draining_ && one.fd != child_.control().fd())) continue;
            if (one.fd == child_.control().fd()) {
                obey();
            } else {
                accept(one.fd);
            }
        }
    }

    void obey() {
        const auto control = child_.control().receive<ipc::Control>(Deadline::in(Millis{0}));
        if (!control && control.error().code == Errc::timeout) return;
        if (control && control->order == ipc::Order::wakeup) return;
        orphaned_ = !control;  // master is gone: nobody would ever stop us
        draining_ = true;
        child_.close_listeners();
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
        child_.count_served();
        sys::block_stop_signal(true);  // the session takes it as a descriptor (user_session.h)
        const pid_t pid = ::fork();
        if (pid == 0) be_session(std::move(socket));
        sys::block_stop_signal(false);
        if (pid < 0) return log::warning("", sys::system_error("fork").what);
        sessions_.insert(pid);
        child_.set_sessions(sessions_.size());
    }

    [[noreturn]] void be_session(Fd socket) {
        static_cast<void>(std::signal(SIGCHLD, SIG_DFL));
        static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
        ::sigprocmask(SIG_SETMASK, &while_waiting_, nullptr);
        sys::block_stop_signal(true);
        child_.close_inherited();
        forked_.serve(ipc::Channel(std::move(socket)));
        ::_exit(0);
    }

    void reap() {
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            sessions_.erase(pid);
            child_.set_sessions(sessions_.size());
            if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
                log::warning("", cat({"session process ", std::to_string(pid), " killed by signal ",
                                      std::to_string(WTERMSIG(status))}));
        }
    }

    Child& child_;
    Forked& forked_;
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
