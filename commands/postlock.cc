// postlock: runs a command while a mailbox file is locked as local locks it, so that scripts may
// change the file. The command's exit status is ours; 75 (EX_TEMPFAIL) when there is no lock to be
// had. Signals that would end us end the command instead: the lock file goes with us, after it.
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/mailbox/mbox_lock.h"
#include "lib/sys/fs.h"

namespace postern::commands {
namespace {

struct LockJob {
    std::optional<std::string> directory, style;
    std::string folder;
    char** command = nullptr;
};

int fatal(std::string_view text) {
    log::fatal("", text);
    return EX_TEMPFAIL;
}

std::optional<LockJob> parse(int argc, char** argv) {
    LockJob job;
    for (int option = 0; (option = ::getopt(argc, argv, "+c:l:v")) != -1;) {
        switch (option) {
            case 'c': job.directory = ::optarg; break;
            case 'l': job.style = ::optarg; break;
            case 'v': log::set_debug(true); break;
            default: return std::nullopt;
        }
    }
    if (argc < ::optind + 2) return std::nullopt;
    job.folder = argv[::optind];
    if (job.folder.find('/') == std::string::npos) job.folder.insert(0, "./");
    job.command = argv + ::optind + 1;
    return job;
}

Result<mailbox::LockRules> lock_rules(const LockJob& job, const config::Config& config) {
    const std::string names =
        job.style ? *job.style : join(config.get(param::mailbox_delivery_lock), " ");
    auto rules = mailbox::parse_locks(names);
    if (!rules)
        return Error{Errc::invalid,
                     cat({"unknown mailbox_delivery_lock value: ", rules.error().what})};
    rules->lock_attempts = static_cast<int>(config.get(param::deliver_lock_attempts));
    rules->lock_delay = config.get(param::deliver_lock_delay);
    rules->stale_lock = std::chrono::duration_cast<Seconds>(config.get(param::stale_lock_time));
    return rules;
}

// The signals that the command gets instead of us, and the news of its end.
sigset_t passed_on() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM}) ::sigaddset(&set, signal);
    return set;
}

// The command's exit status; 1 where a signal ended it.
int wait_for(pid_t child, const sigset_t& signals) {
    for (;;) {
        int status = 0;
        const pid_t ended = ::waitpid(child, &status, WNOHANG);
        if (ended < 0) return fatal(cat({"waitpid: ", std::strerror(errno)}));
        if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
        int signal = 0;
        if (::sigwait(&signals, &signal) == 0 && signal != SIGCHLD) ::kill(child, signal);
    }
}

int run_command(char** command) {
    const sigset_t signals = passed_on();
    sigset_t before;
    if (::sigprocmask(SIG_BLOCK, &signals, &before) != 0)
        return fatal(cat({"sigprocmask: ", std::strerror(errno)}));
    const pid_t child = ::fork();
    if (child < 0) return fatal(cat({"fork ", command[0], ": ", std::strerror(errno)}));
    if (child == 0) {
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        ::execvp(command[0], command);
        log::fatal("", cat({"execvp ", command[0], ": ", std::strerror(errno)}));
        ::_exit(EXIT_FAILURE);
    }
    return wait_for(child, signals);
}

int run_locked(const LockJob& job, const mailbox::LockRules& rules) {
    sys::Fs& fs = sys::RealFs::instance();
    const auto failed = [&](const Error& error) {
        return fatal(cat({"open file ", job.folder, ": ", error.what}));
    };
    mailbox::DotLock dotlock(fs, job.folder);
    if (auto taken = dotlock.take(rules); !taken) return failed(taken.error());
    auto file = mailbox::open_mbox(fs, job.folder);
    if (!file) return failed(file.error());
    auto info = fs.info(file->get());
    if (!info) return failed(info.error());
    const bool plain = info->kind == sys::FileInfo::Kind::regular;
    if (plain && info->links != 1) return failed(Error{Errc::invalid, "file has hard links"});
    if (plain) {
        auto locked = dotlock.lock_open_file(file->get(), rules);
        if (!locked) return failed(locked.error());
    }
    return run_command(job.command);
}

int run(int argc, char** argv) {
    log::open_stderr({.tag = "postlock"});
    const auto job = parse(argc, argv);
    if (!job)
        return fatal("usage: postlock [-c config_dir] [-l lock_style] [-v] folder command...");
    auto directory = config::choose_directory(job->directory);
    if (!directory) return fatal(directory.error().what);
    auto config = config::Config::load(*directory);
    if (!config) return fatal(config.error().what);
    auto rules = lock_rules(*job, *config);
    if (!rules) return fatal(rules.error().what);
    return run_locked(*job, *rules);
}

}  // namespace
}  // namespace postern::commands

int main(int argc, char** argv) { return postern::commands::run(argc, argv); }
