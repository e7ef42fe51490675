#include "commands/postern_control.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>

#include "lib/base/strings.h"
#include "lib/ipc/call_again.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/control.h"
#include "lib/ipc/messages/queue.h"
#include "lib/log/log.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"

#include "commands/postern_check.h"
#include "commands/postern_permissions.h"

namespace postern::commands {
namespace {

constexpr Millis kAnswerWait{10000};
constexpr Millis kStopWait{20000};
constexpr int kPollMillis = 50;

std::string in_queue(const config::Config& config, std::string_view path) {
    return cat({config.get(param::queue_directory), "/", path});
}

// The running master's process id, or nothing. It runs as long as it holds the lock on its pid file.
Result<std::optional<pid_t>> master_pid(const config::Config& config) {
    const std::string folder = config.get(param::process_id_directory);
    const std::string path = cat({folder.starts_with('/') ? folder : in_queue(config, folder), "/master.pid"});
    auto& fs = sys::RealFs::instance();
    auto file = fs.open(path, O_RDONLY, 0);
    if (!file && file.error().code == Errc::not_found) return std::optional<pid_t>();
    if (!file) return std::move(file).error();
    if (::flock(file->get(), LOCK_SH | LOCK_NB) == 0) return std::optional<pid_t>();
    TRY_ASSIGN(const std::string text, fs.read_at(file->get(), 0, 32));
    const auto pid = parse_number<pid_t>(trim(text));
    if (!pid || *pid <= 1) return Error{Errc::corrupt, path + ": holds no process id"};
    return std::optional(*pid);
}

Result<int> not_running() {
    log::fatal("", "the Postern mail system is not running");
    return 1;
}

Result<void> send_signal(pid_t pid, int number) {
    if (::kill(pid, number) != 0) return sys::system_error("signal process " + std::to_string(pid));
    return {};
}

Result<bool> gone_within(const config::Config& config, Millis limit) {
    const Deadline deadline = Deadline::in(limit);
    for (;;) {
        TRY_ASSIGN(const auto pid, master_pid(config));
        if (!pid) return true;
        if (deadline.passed()) return false;
        ::usleep(kPollMillis * 1000);
    }
}

void print_listing(const ipc::Listing& listing) {
    std::printf("%-14s %-5s %-16s %s%s\n", listing.service.c_str(), listing.type.c_str(), listing.program.c_str(),
                join(listing.endpoints, " ").c_str(), listing.throttled ? "  (throttled: fails at its start)" : "");
    for (const auto& process : listing.processes) {
        std::printf("    pid %u  sessions %u  served %llu%s\n", process.pid, process.sessions,
                    static_cast<unsigned long long>(process.served), process.draining ? "  draining" : "");
    }
}

Result<void> print_services(const config::Config& config) {
    const Deadline deadline = Deadline::in(kAnswerWait);
    TRY_ASSIGN(auto channel, ipc::Channel::connect(in_queue(config, "private/master"), deadline));
    TRY(channel.send(ipc::ListingRequest{}, deadline));
    for (bool last = false; !last;) {
        TRY_ASSIGN(const auto listing, channel.receive<ipc::Listing>(deadline));
        print_listing(listing);
        last = listing.last;
    }
    return {};
}

}  // namespace

Result<bool> is_running(const config::Config& config) {
    TRY_ASSIGN(const auto pid, master_pid(config));
    return pid.has_value();
}

Result<int> start(const config::Config& config, bool foreground) {
    TRY_ASSIGN(const auto running, master_pid(config));
    if (running) return Error{Errc::denied, "the Postern mail system is already running"};
    TRY_ASSIGN(const auto snapshot, config::Snapshot::read(config.directory()));
    const auto report = config::examine(snapshot);
    log_problems(report);
    if (report.has_errors()) return Error{Errc::invalid, "the configuration has errors"};
    log_restriction_problems(snapshot);
    TRY(prepare_folders(config));
    log::info("", "starting the Postern mail system");
    const std::string master = config.get(param::daemon_directory) + "/master";
    const std::string directory = config.directory();
    const char* mode = foreground ? "-s" : "-w";
    ::execl(master.c_str(), "master", "-c", directory.c_str(), mode, static_cast<char*>(nullptr));
    return sys::system_error("run " + master);
}

Result<int> stop(const config::Config& config) {
    TRY_ASSIGN(const auto pid, master_pid(config));
    if (!pid) return not_running();
    log::info("", "stopping the Postern mail system");
    TRY(send_signal(*pid, SIGTERM));
    TRY_ASSIGN(const bool gone, gone_within(config, kStopWait));
    if (!gone) return Error{Errc::timeout, "it does not stop; try \"postern abort\""};
    return 0;
}

Result<int> abort(const config::Config& config) {
    TRY_ASSIGN(const auto pid, master_pid(config));
    if (!pid) return not_running();
    log::info("", "aborting the Postern mail system");
    TRY(send_signal(*pid, SIGQUIT));
    TRY_ASSIGN(const bool gone, gone_within(config, kStopWait));
    if (!gone) return Error{Errc::timeout, "it does not end"};
    return 0;
}

Result<int> reload(const config::Config& config) {
    TRY_ASSIGN(const auto pid, master_pid(config));
    if (!pid) return not_running();
    TRY_ASSIGN(const auto snapshot, config::Snapshot::read(config.directory()));
    const auto report = config::examine(snapshot);
    log_problems(report);
    const bool restricts_wrongly = log_restriction_problems(snapshot);
    if (report.has_errors() || restricts_wrongly)
        return Error{Errc::invalid, "the configuration has errors: the old one stays in force"};
    log::info("", "refreshing the Postern mail system");
    TRY(send_signal(*pid, SIGHUP));
    return 0;
}

Result<int> status(const config::Config& config) {
    TRY_ASSIGN(const auto pid, master_pid(config));
    if (!pid) return not_running();
    log::info("", "the Postern mail system is running: PID: " + std::to_string(*pid));
    // Only root and the user that runs it may see more.
    auto printed = print_services(config);
    if (!printed && printed.error().code != Errc::denied) return std::move(printed).error();
    return 0;
}

Result<int> flush(const config::Config& config) {
    TRY_ASSIGN(const auto pid, master_pid(config));
    if (!pid) return not_running();
    const ipc::QueueControl order{.operation = ipc::QueueOperation::flush_all};
    const std::string qmgr = cat({"public/", config.get(param::queue_service_name)});
    TRY_ASSIGN(const auto answer, ipc::call_again<ipc::QueueControlAnswer>(
                                      in_queue(config, qmgr), order, Deadline::in(kAnswerWait)));
    if (!answer.ok) return Error{Errc::temporary, answer.text};
    return 0;
}

}  // namespace postern::commands
