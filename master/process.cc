#include "master/process.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "lib/base/strings.h"
#include "lib/service/child.h"
#include "lib/sys/error.h"
#include "lib/sys/users.h"

namespace postern::master {
namespace {

constexpr int kStartFailed = 127;

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    ::_exit(kStartFailed);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
    out.push_back(nullptr);
    return out;
}

// Puts the descriptors where the daemon expects them. First all go above the final range, so that
// none overwrites another on its way down.
void place_descriptors(const Birth& birth) {
    std::vector<int> wanted = {birth.control, birth.scoreboard, birth.log, birth.life,
                               birth.config,  birth.records};
    wanted.insert(wanted.end(), birth.listeners.begin(), birth.listeners.end());
    if (birth.keys >= 0) wanted.push_back(birth.keys);
    const int above = service::kControlFd + static_cast<int>(wanted.size());
    const int null = ::fcntl(::open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD_CLOEXEC, above);
    for (int& fd : wanted) {
        fd = ::fcntl(fd >= 0 ? fd : null, F_DUPFD_CLOEXEC, above);
        if (fd < 0) give_up("postern master: descriptors of a new daemon");
    }
    int target = service::kControlFd;
    for (int fd : wanted) {
        if (::dup2(fd, target++) < 0) give_up("postern master: descriptors of a new daemon");
    }
    ::dup2(null, STDIN_FILENO);
    // What a daemon prints is a dying one's last words (an assertion of libc, a sanitizer's
    // report).
    // What our caller had open, and did not tell us to close, is none of a daemon's business.
    ::close_range(static_cast<unsigned>(target), ~0U, CLOSE_RANGE_CLOEXEC);
    const int last_words = birth.log >= 0 ? service::kLogFd : null;
    ::dup2(last_words, STDOUT_FILENO);
    ::dup2(last_words, STDERR_FILENO);
}

void reset_signals() {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int number : {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGCHLD, SIGALRM, SIGUSR1})
        static_cast<void>(std::signal(number, SIG_DFL));
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
}

[[noreturn]] void run_daemon(const Birth& birth, std::vector<char*>& arguments,
                             std::vector<char*>& environment) {
    ::setpgid(0, 0);
    reset_signals();
    place_descriptors(birth);
    if (sys::is_root() && birth.identity.uid != 0) {
        const gid_t groups[] = {birth.identity.gid, birth.identity.submit_gid};
        if (::setgroups(2, groups) != 0 ||
            ::setresgid(birth.identity.gid, birth.identity.gid, birth.identity.gid) != 0 ||
            ::setresuid(birth.identity.uid, birth.identity.uid, birth.identity.uid) != 0)
            give_up("postern master: change user");
    }
    // Nothing that a daemon starts gains rights by a set-uid program, except that the commands of
    // users may be such programs or use them (sendmail): local and pipe see to it that nothing else
    // of theirs does.
    if (birth.no_new_privileges) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::execve(birth.path.c_str(), arguments.data(), environment.data());
    give_up(birth.path.c_str());
}

}  // namespace

Result<pid_t> start_process(const Birth& birth) {
    auto arguments = pointers(birth.arguments);
    auto environment = pointers(birth.environment);
    const pid_t pid = ::fork();
    if (pid < 0) return sys::system_error("start " + birth.path);
    if (pid == 0) run_daemon(birth, arguments, environment);
    ::setpgid(pid, pid);  // whoever of the two comes first; the other's attempt is harmless
    return pid;
}

std::vector<std::string> daemon_arguments(const config::MasterEntry& entry, bool verbose) {
    std::vector<std::string> out = {entry.command, "-n", entry.name, "-t",
                                    std::string(entry.type_name())};
    if (verbose) out.emplace_back("-v");
    for (const auto& argument : entry.arguments) {
        if (argument == "-v") out.push_back(argument);
    }
    for (const auto& [name, value] : entry.overrides) {
        out.emplace_back("-o");
        out.push_back(cat({name, "=", value}));
    }
    return out;
}

}  // namespace postern::master
