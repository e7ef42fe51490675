#include "master/service.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <map>
#include <utility>

#include "lib/base/strings.h"
#include "lib/ipc/channel.h"
#include "lib/log/log.h"
#include "lib/service/child.h"
#include "lib/sys/unix_socket.h"

namespace postern::master {

using service::Scoreboard;

namespace {

constexpr Millis kBeforeSuccessor{20};  // between two looks whether the one before is draining

}  // namespace

Service::Service(const Surroundings& around, Setup setup, Scoreboard scoreboard)
    : around_(around),
      scoreboard_(std::move(scoreboard)),
      wakeup_(around.loop, [this] { wake_up(); }),
      throttled_(around.loop, [this] { on_throttle_end(); }) {
    adopt(around, std::move(setup));
}

Service::~Service() = default;

Result<Service::Setup> Service::prepare(const config::Config& config,
                                        const config::MasterEntry& entry) {
    Setup setup;
    setup.entry = entry;
    setup.profile = service::find_profile(entry.command);
    if (setup.profile == nullptr)
        return Error{Errc::not_found,
                     cat({"master.cf line ", std::to_string(entry.line), ": service ", entry.key(),
                          ": there is no program ", entry.command})};
    TRY_ASSIGN(const auto own, config.with(entry.overrides));  // a bad -o is found here
    TRY_ASSIGN(setup.identity, service::identity_of(setup.profile->account, config));
    setup.plan = endpoint_plan(entry, config);
    setup.program_path = cat({config.get(param::daemon_directory), "/", entry.command});
    setup.key_paths = service::key_paths(entry.command, own);
    setup.throttle_time = config.get(param::service_throttle_time);
    setup.limit = entry.process_limit == config::MasterEntry::kDefaultLimit
                      ? config.get(param::default_process_limit)
                      : static_cast<std::size_t>(entry.process_limit);
    return setup;
}

Result<std::unique_ptr<Service>> Service::open(const Surroundings& around, Setup setup) {
    TRY_ASSIGN(auto endpoints, open_endpoints(setup.entry, *around.config));
    TRY_ASSIGN(Scoreboard scoreboard, Scoreboard::create());
    std::unique_ptr<Service> made(new Service(around, std::move(setup), std::move(scoreboard)));
    made->listen(std::move(endpoints));
    return made;
}

void Service::adopt(const Surroundings& around, Setup setup) {
    around_.config = around.config;
    around_.snapshot = around.snapshot;
    around_.generation = around.generation;
    around_.environment = around.environment;
    around_.resume_key = around.resume_key;
    around_.log = around.log;
    around_.records = around.records;
    setup_ = std::move(setup);
    population_.set_rules(setup_.limit, setup_.entry.wakeup_seconds > 0,
                          setup_.profile->outlives_reloads);
}

void Service::listen(std::vector<Endpoint> endpoints) {
    watches_.clear();
    scoreboard_.set_watched(false);
    endpoints_ = std::move(endpoints);
    for (const auto& endpoint : endpoints_)
        watches_.push_back(std::make_unique<loop::Watch>(around_.loop, endpoint.socket.get(),
                                                         [this] { on_pressure(); }));
}

// Frees the ports now, not when the last of our processes has closed its copy of the socket.
void Service::stop_listening() {
    watches_.clear();
    if (setup_.entry.type == config::MasterEntry::Type::inet) {
        for (const auto& endpoint : endpoints_) ::shutdown(endpoint.socket.get(), SHUT_RDWR);
    }
    endpoints_.clear();
}

void Service::reconfigure(const Surroundings& around, Setup setup) {
    adopt(around, std::move(setup));
    population_.drain_all();
    for (const auto& [pid, member] : population_.members()) tell(pid, ipc::Order::drain);
    throttled_.stop();
    start();
}

Result<void> Service::rebind(const Surroundings& around, Setup setup) {
    auto fresh = open_endpoints(setup.entry, *around.config);
    if (!fresh && fresh.error().sys == EADDRINUSE) {
        // Perhaps by ourselves: "all" and "127.0.0.1" cannot have one port at a time.
        std::vector<std::string> names;
        for (const auto& endpoint : endpoints_) names.push_back(endpoint.name);
        stop_listening();
        fresh = open_endpoints(setup.entry, *around.config);
        if (!fresh) {
            auto old = open_again(names);
            if (!old) log::error("", old.error().what);
            if (old) listen(*std::move(old));
        }
    }
    Result<void> outcome;
    if (fresh) {
        listen(*std::move(fresh));
    } else {
        outcome = std::move(fresh).error();
        setup.plan = setup_.plan;  // so that the next reload tries again
    }
    reconfigure(around, std::move(setup));
    return outcome;
}

Result<void> Service::revive(const Surroundings& around, Setup setup) {
    TRY_ASSIGN(auto endpoints, open_endpoints(setup.entry, *around.config));
    listen(std::move(endpoints));
    retired_ = false;
    reconfigure(around, std::move(setup));
    return {};
}

void Service::start() {
    watch(true);
    if (setup_.entry.wakeup_seconds > 0) wake_up();
}

void Service::retire(ipc::Order order) {
    retired_ = true;
    wakeup_.stop();
    throttled_.stop();
    stop_listening();
    population_.drain_all();
    for (const auto& [pid, member] : population_.members()) tell(pid, order);
}

// False: it cannot be told any more, because it is ending already.
bool Service::tell(pid_t pid, ipc::Order order) {
    return controls_.at(pid)->send(ipc::Control{order}).has_value();
}

void Service::kill_all(int signal_number) const {
    for (const auto& [pid, member] : population_.members()) ::kill(-pid, signal_number);
}

void Service::watch(bool on) {
    scoreboard_.set_watched(on);
    for (auto& one : watches_) one->want_read(on);
}

void Service::on_pressure() {
    used_ = true;
    const bool any_idle = scoreboard_.any_idle();
    switch (population_.pressure(any_idle, throttled_.active(), now())) {
        case Population::Pressure::start: return spawn(false);
        case Population::Pressure::full:
            log::warning("",
                         cat({"service \"", setup_.entry.name, "\" (", setup_.entry.name,
                              ") has reached its process limit \"", std::to_string(setup_.limit),
                              "\": new clients may experience noticeable delays"}));
            log::warning("",
                         "to avoid this condition, increase the process count in master.cf or "
                         "reduce the service time per client");
            break;
        case Population::Pressure::wait: break;
    }
    watch(false);
    // One that became busy just now saw us look out, and told nobody.
    if (any_idle && !throttled_.active() && !scoreboard_.any_idle()) watch(true);
}

int Service::records() const {
    return service::tells_of_messages(*setup_.profile) ? around_.records : -1;
}

Birth Service::birth(std::size_t slot, int control, int keys) const {
    Birth b;
    b.path = setup_.program_path;
    b.arguments = daemon_arguments(setup_.entry, around_.verbose);
    b.environment = around_.environment;
    b.environment.push_back(cat({service::kChildVariable, "=", std::to_string(around_.generation),
                                 " ", std::to_string(slot), " ", std::to_string(endpoints_.size()),
                                 " ", around_.log >= 0 ? "1" : "0", " ",
                                 records() >= 0 ? "1" : "0"}));
    b.identity = setup_.identity;
    b.no_new_privileges = !sys::has(setup_.profile->promises, sys::Promise::exec);
    b.control = control;
    b.scoreboard = scoreboard_.fd();
    b.log = around_.log;
    b.records = records();
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

Result<pid_t> Service::start_one(std::size_t slot) {
    if (slot == Scoreboard::kSlots) return Error{Errc::no_space, "too many processes"};
    TRY_ASSIGN(auto ends, sys::packet_pair());
    Fd keys;  // read anew for each process, so that a renewed certificate comes into use
    std::map<std::string, std::string> made;
    if (const auto name = service::made_key(setup_.entry.command); !name.empty())
        made.emplace(name, around_.resume_key);
    if (!setup_.key_paths.empty() || !made.empty()) {
        TRY_ASSIGN(keys, service::KeyFiles::seal(setup_.key_paths, made));
    }
    // Until it says otherwise it counts as idle, so that one waiting client starts one process.
    // Written before there is one, which may be quicker than we are to say otherwise.
    scoreboard_.clear(slot);
    scoreboard_.set_state(slot, Scoreboard::State::idle);
    auto pid = start_process(birth(slot, ends.second.get(), keys.get()));
    if (!pid) {
        scoreboard_.clear(slot);
        return pid;
    }
    controls_.insert_or_assign(
        *pid, std::make_unique<ipc::LoopChannel>(
                 around_.loop, std::move(ends.first),
                 ipc::LoopChannel::Handler{
                     [this, pid = *pid](const ipc::Packet& packet) { on_status(pid, packet); },
                     [](const Error&) {}}));  // the end of a process comes by waitpid
    return pid;
}

void Service::spawn(bool wake) {
    const std::size_t slot = population_.free_slot(Scoreboard::kSlots);
    const auto pid = start_one(slot);
    if (!pid) {
        log::warning("", cat({"service ", setup_.entry.key(), ": ", pid.error().what}));
        return throttle();
    }
    population_.add(*pid, {.slot = slot,
                           .generation = around_.generation,
                           .born = now(),
                           .ready = false,
                           .draining = false,
                           .wake_when_ready = wake});
}

void Service::on_status(pid_t pid, const ipc::Packet& packet) {
    auto* member = population_.find(pid);
    const auto status = packet.as<ipc::Status>();
    if (member == nullptr || !status || status->generation != member->generation) return;
    if (status->event == ipc::StatusEvent::ready) {
        member->ready = true;
        if (std::exchange(member->wake_when_ready, false)) tell(pid, ipc::Order::wakeup);
        return;
    }
    if (status->event == ipc::StatusEvent::retired) member->draining = true;
    if (!throttled_.active()) watch(true);
}

void Service::wake_up() {
    if (retired_) return;
    wakeup_.start(std::chrono::seconds(setup_.entry.wakeup_seconds));
    if (setup_.entry.wakeup_if_used && !used_) return;
    const auto decision = population_.wake_up(throttled_.active());
    switch (decision.kind) {
        case Population::WakeUp::Kind::tell: tell(decision.pid, ipc::Order::wakeup); break;
        case Population::WakeUp::Kind::start: spawn_woken(); break;
        case Population::WakeUp::Kind::nothing: break;
    }
}

// One before it may not have heard yet that it is to drain: both would deliver.
void Service::spawn_woken() {
    if (scoreboard_.any_idle()) return wakeup_.start(kBeforeSuccessor);
    spawn(true);
}

void Service::throttle() {
    watch(false);
    throttled_.start(setup_.throttle_time);
}

void Service::on_throttle_end() {
    watch(true);
    if (setup_.entry.wakeup_seconds > 0) wake_up();  // it may have been due meanwhile
}

void Service::describe_end(pid_t pid, int status, Population::Next next) const {
    const std::string& path = setup_.program_path;
    const std::string who = cat({"process ", path, " pid ", std::to_string(pid)});
    if (WIFSIGNALED(status)) {
        log::warning("", cat({who, " killed by signal ", std::to_string(WTERMSIG(status))}));
    } else if (WEXITSTATUS(status) != 0) {
        log::warning("", cat({who, " exit status ", std::to_string(WEXITSTATUS(status))}));
    }
    if (next == Population::Next::throttle)
        log::warning("", path + ": bad command startup -- throttling");
    if (next == Population::Next::throttle_often)
        log::warning("", path + ": fails soon after each start -- throttling");
}

// What a process said before its end may not have been read yet, and says whether it started well.
void Service::hear_out(pid_t pid) {
    constexpr int kLastWords = 16;
    const auto control = controls_.find(pid);
    if (control == controls_.end()) return;
    ipc::Channel rest(control->second->release());
    for (int i = 0; i < kLastWords; ++i) {
        const auto packet = rest.receive_packet(Deadline::in(Millis{0}));
        if (!packet) return;
        on_status(pid, *packet);
    }
}

bool Service::process_ended(pid_t pid, int status) {
    hear_out(pid);
    const auto end = population_.ended(pid, status != 0, now());
    if (!end) return false;
    controls_.erase(pid);
    scoreboard_.clear(end->member.slot);
    describe_end(pid, status, end->next);
    if (retired_) return true;
    if (end->next == Population::Next::throttle || end->next == Population::Next::throttle_often) {
        throttle();
    } else if (!throttled_.active()) {
        watch(true);
        if (end->next == Population::Next::replace) spawn_woken();
    }
    return true;
}

ipc::Listing Service::listing() const {
    constexpr std::size_t kMostListed = 500;  // as many as the message holds
    ipc::Listing out;
    out.service = setup_.entry.name;
    out.type = setup_.entry.type_name();
    out.program = setup_.entry.command;
    for (const auto& endpoint : endpoints_) out.endpoints.push_back(endpoint.name);
    out.limit = static_cast<std::uint32_t>(setup_.limit);
    out.throttled = throttled_.active();
    for (const auto& [pid, member] : population_.members()) {
        if (out.processes.size() == kMostListed) break;
        out.processes.push_back({static_cast<std::uint32_t>(pid), scoreboard_.sessions(member.slot),
                                 scoreboard_.served(member.slot), member.draining});
    }
    return out;
}

}  // namespace postern::master
