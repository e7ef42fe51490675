#include "master/start.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "lib/base/strings.h"
#include "lib/config/log_options.h"
#include "lib/log/log.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"

#include "master/log_file.h"
#include "master/supervisor.h"

namespace postern::master {
namespace {

constexpr Millis kLockWait{10000};  // daemons of a master that was killed end within that time
constexpr Millis kStartWait{30000};

// The file with master's process id. Its lock goes on as long as any daemon of that master lives,
// because they inherit it.
std::string pid_file(const config::Config& config) {
    return config.get(param::process_id_directory) + "/master.pid";
}

Result<Fd> take_lock(const std::string& path, Millis patience) {
    auto lock = sys::lock_file(path, Deadline::in(patience), 0644);
    if (!lock && lock.error().code == Errc::timeout)
        return Error{Errc::denied,
                     cat({"the mail system is already running (", path, " is locked)"})};
    return lock;
}

Result<void> write_pid(int lock, const std::string& path) {
    const std::string text = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock, 0) != 0) return sys::system_error("write " + path);
    if (::pwrite(lock, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        return sys::system_error("write " + path);
    return {};
}

// Goes to the background. The caller's process waits until the child reports over the pipe ("" =
// up) and returns the exit status for it; the child gets the pipe's write end.
struct Background {
    bool parent = false;
    int status = 0;
    Fd report;
};
Result<Background> go_background(bool wait) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return sys::system_error("pipe");
    Fd reader(ends[0]), writer(ends[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return sys::system_error("fork");
    if (pid == 0) {
        ::setsid();
        return Background{false, 0, std::move(writer)};
    }
    writer.reset();
    Background parent{true, 0, {}};
    char outcome = 0;
    if (wait) {
        TRY(sys::wait_ready(reader.get(), sys::Ready::read, Deadline::in(kStartWait)));
        parent.status = ::read(reader.get(), &outcome, 1) == 1 && outcome == '+' ? 0 : 1;
    }
    return parent;
}

void detach_standard_files() {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
    ::close(null);
}

Result<void> open_log(const config::Config& config, bool verbose, const Fd& file) {
    log::Options options = config::log_options(config, "master", verbose);
    if (!file) {
        log::open_syslog(std::move(options));
        return {};
    }
    Fd copy(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return sys::system_error("log file");
    log::open_file(std::move(options), std::move(copy));
    return {};
}

Result<int> start_system(const StartOptions& options) {
    TRY_ASSIGN(const std::string directory, config::choose_directory(options.config_directory));
    TRY_ASSIGN(const auto snapshot, config::Snapshot::read(directory));
    TRY_ASSIGN(const auto config, config::Config::from(snapshot));
    const std::string queue = config.get(param::queue_directory);
    if (::chdir(queue.c_str()) != 0) return sys::system_error("change to queue_directory " + queue);
    if (options.test_only) return take_lock(pid_file(config), Millis{0}) ? 0 : 1;
    TRY(sys::raise_descriptor_limit());
    ::umask(022);  // whoever starts us: what is to be secret is made so
    Background background;
    if (!options.foreground) {
        TRY_ASSIGN(background, go_background(options.wait));
        if (background.parent) return background.status;
    }
    TRY_ASSIGN(Fd lock, take_lock(pid_file(config), kLockWait));
    TRY_ASSIGN(Fd log_file, open_log_file(config));
    TRY(open_log(config, options.verbose, log_file));
    Supervisor supervisor({directory, options.verbose, options.foreground}, lock.get(),
                          std::move(log_file));
    if (auto started = supervisor.start(snapshot); !started) {
        log::fatal("", started.error().what);
        return std::move(started).error();
    }
    TRY(write_pid(lock.get(), pid_file(config)));
    if (!options.foreground) {
        static_cast<void>(!::write(background.report.get(), "+", 1));
        detach_standard_files();
    }
    background.report.reset();
    return supervisor.run();
}

}  // namespace

int start(const StartOptions& options) {
    const auto status = start_system(options);
    if (status) return *status;
    std::fprintf(stderr, "postern: fatal: %s\n", status.error().what.c_str());
    return 1;
}

}  // namespace postern::master
