#include "local/processes.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/service/child.h"
#include "lib/sys/error.h"

namespace postern::local {

// The descriptors are moved above all others, everything between is closed, except the log file and
// master's life line.
void keep_only(std::initializer_list<int*> descriptors) {
    constexpr int kHigh = 512;
    const unsigned first_free = static_cast<unsigned>(service::kFirstListener);
    int lowest = kHigh;
    for (int* fd : descriptors) {
        const int moved = fcntl(*fd, F_DUPFD_CLOEXEC, kHigh);
        if (moved < 0) _exit(1);
        *fd = moved;
        lowest = std::min(lowest, moved);
    }
    close(service::kControlFd);
    close(service::kScoreboardFd);
    close_range(first_free, static_cast<unsigned>(lowest) - 1, 0);
    for (int fd = lowest; fd < lowest + 64; ++fd) {
        const bool kept = std::any_of(descriptors.begin(), descriptors.end(),
                                      [&](const int* own) { return *own == fd; });
        if (!kept) close(fd);
    }
}

Result<pid_t> Processes::fork_once(const std::function<void()>& body) {
    const pid_t pid = fork();
    if (pid < 0) return sys::system_error("fork");
    if (pid == 0) {
        static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
        static_cast<void>(std::signal(SIGCHLD, SIG_DFL));
        body();
        _exit(0);
    }
    return pid;
}

void Processes::make_room() {
    if (children_.size() < kMaxProcesses) return;
    const auto idlest = std::min_element(
        children_.begin(), children_.end(),
        [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; });
    children_.erase(idlest);
}

Result<ipc::Channel*> Processes::get(const std::string& name, const Body& body) {
    const auto now = SystemClock::instance().steady();
    if (const auto at = children_.find(name); at != children_.end()) {
        at->second.last_used = now;
        return &at->second.channel;
    }
    make_room();
    TRY_ASSIGN(auto pair, sys::packet_pair());
    TRY_ASSIGN(const pid_t pid, fork_once([&] {
                   int own = pair.second.release();
                   keep_only({&own});
                   ipc::Channel parent{Fd(own)};
                   body(parent);
               }));
    auto [at, added] =
        children_.emplace(name, Child{pid, ipc::Channel(std::move(pair.first)), now});
    return &at->second.channel;
}

void Processes::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto at = std::find_if(children_.begin(), children_.end(),
                                     [&](const auto& c) { return c.second.pid == pid; });
        const std::string name = at == children_.end() ? "helper" : at->first;
        if (WIFSIGNALED(status)) {
            log::warning("", cat({"process for ", name, " killed by signal ",
                                  std::to_string(WTERMSIG(status))}));
        }
        if (at != children_.end()) children_.erase(at);
    }
}

}  // namespace postern::local
