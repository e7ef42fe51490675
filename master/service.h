// Service: one master.cf entry at work: its sockets, its processes, when to start another one.
//
// A process is needed when somebody waits at a listening socket and no process is idle. Master watches the
// sockets only while the scoreboard may have no idle slot; a process that takes the last one says so.
#pragma once

#include <sys/types.h>

#include <functional>
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

#include "master/endpoints.h"
#include "master/process.h"

namespace postern::master {

// What all services of one configuration share.
struct Surroundings {
    loop::Loop& loop;
    std::shared_ptr<const config::Config> config;
    std::shared_ptr<const Fd> snapshot;  // what daemons read it from
    std::uint64_t generation = 1;  // of the configuration; counts reloads
    bool verbose = false;
    int log = -1, life = -1;
    std::vector<std::string> environment;
};

class Service {
  public:
    static Result<std::unique_ptr<Service>> open(const Surroundings& around, const config::MasterEntry& entry);
    ~Service();

    // Takes over a new configuration; its processes of the old one drain. Sockets stay as they are:
    // the caller has compared plan().
    Result<void> reconfigure(const Surroundings& around, const config::MasterEntry& entry);
    // Begins: watches for work, wakes up what has a wakeup time.
    void start();
    // No new processes; the running ones drain (or stop in a hurry).
    void retire(ipc::Order order);
    // waitpid said that this process ended; false when it is not ours.
    bool process_ended(pid_t pid, int status);
    void kill_all(int signal_number) const;

    bool empty() const { return processes_.empty(); }
    const std::string& plan() const { return plan_; }
    std::string key() const { return entry_.key(); }
    ipc::Listing listing() const;

  private:
    struct Process {
        std::size_t slot = 0;
        std::uint64_t generation = 0;
        bool ready = false;
        bool draining = false;
        bool wake_when_ready = false;
        std::unique_ptr<ipc::LoopChannel> control;
    };

    Service(const Surroundings& around, config::MasterEntry entry, const service::Profile& profile,
            service::Scoreboard scoreboard);
    Result<void> configure(const Surroundings& around, const config::MasterEntry& entry);
    Birth birth(std::size_t slot, int control, int keys) const;
    void watch(bool on);
    void on_pressure();
    void spawn(bool wake);
    Result<pid_t> start_one(Process& process);
    void on_status(pid_t pid, const ipc::Packet& packet);
    void wake_up();
    void throttle();
    std::size_t free_slot() const;
    std::size_t working() const;  // processes that do not drain
    bool at_limit() const;
    void describe_end(pid_t pid, const Process& process, int status) const;

    Surroundings around_;
    config::MasterEntry entry_;
    const service::Profile& profile_;
    service::Identity identity_;
    service::Scoreboard scoreboard_;
    std::string plan_;
    std::vector<std::string> key_paths_;  // certificates and keys that its daemons get to read
    std::string program_path_;
    std::size_t limit_ = 0;  // 0: none
    Millis throttle_time_{0};
    std::vector<Endpoint> endpoints_;
    std::vector<std::unique_ptr<loop::Watch>> watches_;
    std::map<pid_t, Process> processes_;
    loop::Timer wakeup_, throttled_;
    bool retired_ = false;
    bool used_ = false;
};

}  // namespace postern::master
