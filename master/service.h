// Service: one master.cf entry at work: its sockets, its processes, when to start another one.
//
// A process is needed when somebody waits at a listening socket and no process is idle. Master
// watches the sockets only while the scoreboard may have no idle slot; a process that takes the
// last one says so.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/config/config.h"
#include "lib/ipc/loop_channel.h"
#include "lib/ipc/messages/control.h"
#include "lib/loop/loop.h"
#include "lib/service/profiles.h"
#include "lib/service/scoreboard.h"

#include "master/difference.h"
#include "master/endpoints.h"
#include "master/population.h"
#include "master/process.h"

namespace postern::master {

// What all services of one configuration share.
struct Surroundings {
    loop::Loop& loop;
    std::shared_ptr<const config::Config> config;
    std::shared_ptr<const Fd> snapshot;  // what daemons read it from
    std::uint64_t generation = 1;        // of the configuration; counts reloads
    bool verbose = false;
    int log = -1, life = -1;
    int records = -1;  // trace records; -1: none are kept
    std::vector<std::string> environment;
    std::string resume_key;  // for auth: service::kResumeKey
};

class Service {
  public:
    // An entry of a configuration, with everything that can be wrong about it found out.
    struct Setup {
        config::MasterEntry entry;
        const service::Profile* profile = nullptr;
        service::Identity identity;
        std::string plan;
        std::string program_path;
        std::vector<std::string> key_paths;  // certificates and keys that its daemons get to read
        std::size_t limit = 0;               // 0: none
        Millis throttle_time{0};
        Outline outline() const { return {entry.key(), plan}; }
    };
    static Result<Setup> prepare(const config::Config& config, const config::MasterEntry& entry);

    static Result<std::unique_ptr<Service>> open(const Surroundings& around, Setup setup);
    ~Service();

    // Takes over a new configuration; its processes of the old one drain. Sockets stay as they are:
    // the caller has compared the plans.
    void reconfigure(const Surroundings& around, Setup setup);
    // The same, with sockets of the new plan. When they cannot be had the old ones stay, and the
    // Error says why.
    Result<void> rebind(const Surroundings& around, Setup setup);
    // The same after retire(): it is wanted again, and its processes still drain. On an Error it
    // stays retired.
    Result<void> revive(const Surroundings& around, Setup setup);
    // Begins: watches for work, wakes up what has a wakeup time.
    void start();
    // No new processes; the running ones drain (or stop in a hurry).
    void retire(ipc::Order order);
    // waitpid said that this process ended; false when it is not ours.
    bool process_ended(pid_t pid, int status);
    void kill_all(int signal_number) const;

    bool empty() const { return population_.empty(); }
    Outline outline() const { return setup_.outline(); }
    ipc::Listing listing() const;

  private:
    Service(const Surroundings& around, Setup setup, service::Scoreboard scoreboard);
    void adopt(const Surroundings& around, Setup setup);
    void listen(std::vector<Endpoint> endpoints);
    void stop_listening();
    int records() const;
    Birth birth(std::size_t slot, int control, int keys) const;
    void watch(bool on);
    void on_pressure();
    void spawn(bool wake);
    void spawn_woken();
    Result<pid_t> start_one(std::size_t slot);
    void on_status(pid_t pid, const ipc::Packet& packet);
    void hear_out(pid_t pid);
    void wake_up();
    void throttle();
    void on_throttle_end();
    bool tell(pid_t pid, ipc::Order order);
    SteadyTime now() const { return around_.loop.clock().steady(); }
    void describe_end(pid_t pid, int status, Population::Next next) const;

    Surroundings around_;
    Setup setup_;
    service::Scoreboard scoreboard_;
    std::vector<Endpoint> endpoints_;
    std::vector<std::unique_ptr<loop::Watch>> watches_;
    Population population_;
    std::map<pid_t, std::unique_ptr<ipc::LoopChannel>> controls_;
    loop::Timer wakeup_, throttled_;
    bool retired_ = false;
    bool used_ = false;
};

}  // namespace postern::master
