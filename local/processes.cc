#include "local/processes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/service/child.h"
#include "lib/sys/error.h"

namespace postern::local {

namespace {

// What a child keeps of a daemon's birth: the log file, and master's life line, which tells a new
// master that old deliveries are still going on. Without a log file that number belongs to
// something else.
bool keep_inherited(int fd) {
    struct stat st {};
    return (fd == service::kLogFd || fd == service::kLifeFd) && fstat(fd, &st) == 0 &&
           S_ISREG(st.st_mode);
}

}  // namespace

// The descriptor is moved above all others, so that everything below it can be closed.
int keep_only(int descriptor) {
    constexpr int kHigh = 512;
    const int kept = fcntl(descriptor, F_DUPFD_CLOEXEC, kHigh);
    if (kept < 0) _exit(1);
    for (int fd = STDERR_FILENO + 1; fd < kept; ++fd) {
        if (!keep_inherited(fd)) close(fd);
    }
    close_range(static_cast<unsigned>(kept) + 1, ~0u, 0);
    return kept;
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
                   // Nothing is destroyed in the child: it ends by _exit.
                   ipc::Channel parent{Fd(keep_only(pair.second.get()))};
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
