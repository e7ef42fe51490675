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

// What a child keeps of a daemon's birth: the log file, the trace records, and master's life line,
// which tells a new master that old deliveries are still going on. Without a log file that number
// belongs to something else.
bool keep_inherited(int fd) {
    struct stat st {};
    if (fd == service::kRecordsFd) return log::records_kept();
    return (fd == service::kLogFd || fd == service::kLifeFd) && fstat(fd, &st) == 0 &&
           S_ISREG(st.st_mode);
}

}  // namespace

// The descriptors are moved above all others, so that everything below them can be closed.
std::vector<Fd> keep_only(const std::vector<int>& descriptors) {
    constexpr int kHigh = 512;
    std::vector<Fd> kept;
    int last = STDERR_FILENO;
    for (const int descriptor : descriptors) {
        kept.emplace_back(fcntl(descriptor, F_DUPFD_CLOEXEC, kHigh));
        if (!kept.back()) _exit(1);
        last = std::max(last, kept.back().get());
    }
    for (int fd = STDERR_FILENO + 1; fd < last; ++fd) {
        const bool keep =
            keep_inherited(fd) ||
            std::any_of(kept.begin(), kept.end(), [&](const Fd& one) { return one.get() == fd; });
        if (!keep) close(fd);
    }
    close_range(static_cast<unsigned>(last) + 1, ~0u, 0);
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

Result<ipc::Channel*> Processes::get(const std::string& name, const Body& body,
                                     const std::vector<int>& keep) {
    const auto now = SystemClock::instance().steady();
    if (const auto at = children_.find(name); at != children_.end()) {
        at->second.last_used = now;
        return &at->second.channel;
    }
    make_room();
    TRY_ASSIGN(auto pair, sys::packet_pair());
    TRY_ASSIGN(const pid_t pid, fork_once([&] {
                   // Nothing is destroyed in the child: it ends by _exit.
                   std::vector<int> wanted = {pair.second.get()};
                   wanted.insert(wanted.end(), keep.begin(), keep.end());
                   std::vector<Fd> inherited = keep_only(wanted);
                   ipc::Channel parent(std::move(inherited.front()));
                   inherited.erase(inherited.begin());
                   body(parent, inherited);
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
