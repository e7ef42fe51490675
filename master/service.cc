#include "master/service.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/service/child.h"
#include "lib/sys/unix_socket.h"

namespace postern::master {

using service::Scoreboard;

Service::Service(const Surroundings& around, config::MasterEntry entry, const service::Profile& profile,
                 Scoreboard scoreboard)
    : around_(around), entry_(std::move(entry)), profile_(profile), scoreboard_(std::move(scoreboard)),
      wakeup_(around.loop, [this] { wake_up(); }), throttled_(around.loop, [this] { watch(true); }) {}

Service::~Service() = default;

Result<std::unique_ptr<Service>> Service::open(const Surroundings& around, const config::MasterEntry& entry) {
    const service::Profile* profile = service::find_profile(entry.command);
    if (profile == nullptr)
        return Error{Errc::not_found, cat({"master.cf line ", std::to_string(entry.line), ": service ", entry.key(),
                                           ": there is no program ", entry.command})};
    TRY_ASSIGN(Scoreboard scoreboard, Scoreboard::create());
    std::unique_ptr<Service> made(new Service(around, entry, *profile, std::move(scoreboard)));
    TRY(made->configure(around, entry));
    TRY_ASSIGN(made->endpoints_, open_endpoints(entry, *around.config));
    for (const auto& endpoint : made->endpoints_) {
        made->watches_.push_back(std::make_unique<loop::Watch>(
            around.loop, endpoint.socket.get(), [service = made.get()] { service->on_pressure(); }));
    }
    return made;
}

Result<void> Service::configure(const Surroundings& around, const config::MasterEntry& entry) {
    TRY_ASSIGN(identity_, service::identity_of(profile_.account, *around.config));
    around_.config = around.config;
    around_.snapshot = around.snapshot;
    around_.generation = around.generation;
    around_.environment = around.environment;
    around_.log = around.log;
    entry_ = entry;
    plan_ = endpoint_plan(entry, *around.config);
    program_path_ = cat({around.config->get(param::daemon_directory), "/", entry.command});
    key_paths_.clear();
    if (entry.command == "smtpd" || entry.command == "login") {
        TRY_ASSIGN(const auto own, around.config->with(entry.overrides));
        key_paths_ = service::key_paths(entry.command, own);
    }
    throttle_time_ = around.config->get(param::service_throttle_time);
    limit_ = entry.process_limit == config::MasterEntry::kDefaultLimit
                 ? around.config->get(param::default_process_limit)
                 : static_cast<std::size_t>(entry.process_limit);
    return {};
}

Result<void> Service::reconfigure(const Surroundings& around, const config::MasterEntry& entry) {
    TRY(configure(around, entry));
    for (auto& [pid, process] : processes_) {
        process.draining = true;
        static_cast<void>(process.control->send(ipc::Control{ipc::Order::drain}).has_value());
    }
    throttled_.stop();
    start();
    return {};
}

void Service::start() {
    watch(true);
    if (entry_.wakeup_seconds > 0) wake_up();
}

void Service::retire(ipc::Order order) {
    retired_ = true;
    wakeup_.stop();
    throttled_.stop();
    watches_.clear();
    endpoints_.clear();
    for (auto& [pid, process] : processes_) {
        process.draining = true;
        // One that cannot be told any more is ending already.
        static_cast<void>(process.control->send(ipc::Control{order}).has_value());
    }
}

void Service::kill_all(int signal_number) const {
    for (const auto& [pid, process] : processes_) ::kill(-pid, signal_number);
}

void Service::watch(bool on) {
    for (auto& one : watches_) one->want_read(on);
}

std::size_t Service::working() const {
    return static_cast<std::size_t>(
        std::count_if(processes_.begin(), processes_.end(), [](const auto& p) { return !p.second.draining; }));
}

bool Service::at_limit() const {
    // A process of the old configuration counts where there may be only one: two queue managers must not meet.
    return limit_ != 0 && (limit_ == 1 ? processes_.size() : working()) >= limit_;
}

void Service::on_pressure() {
    used_ = true;
    if (scoreboard_.any_idle() || throttled_.active() || at_limit()) return watch(false);
    spawn(false);
}

std::size_t Service::free_slot() const {
    std::size_t slot = 0;
    const auto taken = [&](std::size_t s) {
        return std::any_of(processes_.begin(), processes_.end(), [s](const auto& p) { return p.second.slot == s; });
    };
    while (slot < Scoreboard::kSlots && taken(slot)) ++slot;
    return slot;
}

Birth Service::birth(std::size_t slot, int control, int keys) const {
    Birth b;
    b.path = program_path_;
    b.arguments = daemon_arguments(entry_, around_.verbose);
    b.environment = around_.environment;
    b.environment.push_back(cat({service::kChildVariable, "=", std::to_string(around_.generation), " ", std::to_string(slot),
                                 " ", std::to_string(endpoints_.size()), " ", around_.log >= 0 ? "1" : "0"}));
    b.identity = identity_;
    b.no_new_privileges = !sys::has(profile_.promises, sys::Promise::exec);
    b.control = control;
    b.scoreboard = scoreboard_.fd();
    b.log = around_.log;
    b.life = around_.life;
    b.config = around_.snapshot->get();
    b.keys = keys;
    if (keys >= 0) {
        const auto number = service::kFirstListener + static_cast<int>(endpoints_.size());
        b.environment.push_back(cat({service::kKeysVariable, "=", std::to_string(number)}));
    }
    for (const auto& endpoint : endpoints_) b.listeners.push_back(endpoint.socket.get());
    return b;
}

Result<pid_t> Service::start_one(Process& process) {
    process.slot = free_slot();
    process.generation = around_.generation;
    if (process.slot == Scoreboard::kSlots) return Error{Errc::no_space, "too many processes"};
    TRY_ASSIGN(auto ends, sys::packet_pair());
    Fd keys;  // read anew for each process, so that a renewed certificate comes into use
    if (!key_paths_.empty()) {
        TRY_ASSIGN(keys, service::KeyFiles::seal(key_paths_));
    }
    TRY_ASSIGN(const pid_t pid, start_process(birth(process.slot, ends.second.get(), keys.get())));
    // Until it says otherwise it counts as idle, so that one waiting client starts one process.
    scoreboard_.clear(process.slot);
    scoreboard_.set_state(process.slot, Scoreboard::State::idle);
    process.control = std::make_unique<ipc::LoopChannel>(
        around_.loop, std::move(ends.first),
        ipc::LoopChannel::Handler{[this, pid](ipc::Packet packet) { on_status(pid, packet); },
                                  [](Error) {}});  // the end of a process comes by waitpid
    return pid;
}

void Service::spawn(bool wake) {
    Process process;
    process.wake_when_ready = wake;
    auto pid = start_one(process);
    if (!pid) {
        log::warning("", cat({"service ", key(), ": ", pid.error().what}));
        return throttle();
    }
    processes_.emplace(*pid, std::move(process));
}

void Service::on_status(pid_t pid, const ipc::Packet& packet) {
    const auto found = processes_.find(pid);
    const auto status = packet.as<ipc::Status>();
    if (found == processes_.end() || !status || status->generation != found->second.generation) return;
    Process& process = found->second;
    if (status->event == ipc::StatusEvent::ready) {
        process.ready = true;
        if (process.wake_when_ready) static_cast<void>(process.control->send(ipc::Control{ipc::Order::wakeup}).has_value());
    } else if (!throttled_.active() && !at_limit()) {
        watch(true);
    }
}

void Service::wake_up() {
    if (retired_) return;
    wakeup_.start(std::chrono::seconds(entry_.wakeup_seconds));
    if (entry_.wakeup_if_used && !used_) return;
    for (auto& [pid, process] : processes_) {
        if (process.draining) continue;
        if (!process.ready) process.wake_when_ready = true;
        else if (!process.control->send(ipc::Control{ipc::Order::wakeup})) continue;
        return;
    }
    if (!throttled_.active() && !at_limit()) spawn(true);
}

void Service::throttle() {
    watch(false);
    throttled_.start(throttle_time_);
}

void Service::describe_end(pid_t pid, const Process& process, int status) const {
    const std::string who = cat({"process ", program_path_, " pid ", std::to_string(pid)});
    if (WIFSIGNALED(status)) {
        log::warning("", cat({who, " killed by signal ", std::to_string(WTERMSIG(status))}));
    } else if (WEXITSTATUS(status) != 0) {
        log::warning("", cat({who, " exit status ", std::to_string(WEXITSTATUS(status))}));
    }
    if (status != 0 && !process.ready)
        log::warning("", cat({program_path_, ": bad command startup -- throttling"}));
}

bool Service::process_ended(pid_t pid, int status) {
    const auto found = processes_.find(pid);
    if (found == processes_.end()) return false;
    const Process process = std::move(found->second);
    processes_.erase(found);
    scoreboard_.clear(process.slot);
    if (retired_) return true;
    describe_end(pid, process, status);
    if (status != 0 && !process.ready) {
        throttle();
    } else if (!throttled_.active()) {
        watch(true);
        // Its wake-up must not be lost with it, nor may the one that had to wait for its end.
        if (entry_.wakeup_seconds > 0 && limit_ == 1 && processes_.empty() && (process.draining || status != 0)) spawn(true);
    }
    return true;
}

ipc::Listing Service::listing() const {
    ipc::Listing out;
    out.service = entry_.name;
    out.type = entry_.type_name();
    out.program = entry_.command;
    for (const auto& endpoint : endpoints_) out.endpoints.push_back(endpoint.name);
    out.limit = static_cast<std::uint32_t>(limit_);
    out.throttled = throttled_.active();
    for (const auto& [pid, process] : processes_) {
        out.processes.push_back({static_cast<std::uint32_t>(pid), scoreboard_.sessions(process.slot),
                                 scoreboard_.served(process.slot), process.draining});
    }
    return out;
}

}  // namespace postern::master
