// Child: a daemon's side of its life under master: what it was born with and what it tells.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/config/config.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/control.h"
#include "lib/service/profiles.h"
#include "lib/service/scoreboard.h"
#include "lib/service/service.h"

namespace postern::service {

// The descriptors every daemon is born with. Listening sockets follow from kFirstListener on.
constexpr int kControlFd = 3;     // SEQPACKET to master
constexpr int kScoreboardFd = 4;  // memfd
constexpr int kLogFd = 5;         // append-only log file, or /dev/null
constexpr int kLifeFd = 6;        // holds master's lock: a new master waits until the old one's daemons are gone
constexpr int kConfigFd = 7;      // sealed memfd: the configuration that master lives by (snapshot.h)
constexpr int kRecordsFd = 8;     // append-only file of trace records (lib/log/record.h), or /dev/null
constexpr int kFirstListener = 9;
// "GENERATION SLOT LISTENERS LOG RECORDS": numbers separated by spaces; LOG is 1 when kLogFd is a log
// file, RECORDS when kRecordsFd is a file of records.
constexpr const char* kChildVariable = "POSTERN_CHILD";

// How to build the command line of a daemon; parse_arguments reads it. As Postfix's: -n name -t type, -o, -v.
struct Arguments {
    std::string service;
    std::string type = "unix";
    config::Overrides overrides;
    bool verbose = false;
    bool json_log = false;
};
Result<Arguments> parse_arguments(int argc, char** argv);

class Child {
  public:
    // Reads arguments, environment and configuration, opens the log, changes to queue_directory.
    static Result<Child> start(int argc, char** argv);

    Context context() const { return {*config_, *snapshot_, arguments_.service, program_, arguments_.verbose, *keys_}; }
    const std::vector<Fd>& listeners() const { return listeners_; }
    ipc::Channel& control() { return control_; }
    bool is_inet() const { return arguments_.type == "inet"; }
    // Whether another one may serve while what we serve goes on.
    bool has_successor() const { return profile_.outlives_reloads; }

    // Gives up what the profile does not promise. Once, before the first untrusted byte.
    Result<void> restrict();
    // Tells master that work is welcome now.
    void ready();
    // And that none is any more, though some is still done.
    void retired();
    // Availability; tells master when this was the last idle process.
    void set_idle();
    void set_busy();
    void set_sessions(std::size_t sessions);
    void count_served();
    std::uint64_t served() const { return served_; }
    std::uint64_t max_served() const { return max_served_; }
    Millis max_idle() const { return max_idle_; }

    // The kernel ends a process that neither calls this again nor end_watch() within daemon_timeout
    // (qmgr_daemon_timeout): it is stuck. Master starts another.
    void watch_me() const;
    static void end_watch();
    Seconds patience() const;

    // Stops listening, for good.
    void close_listeners() { listeners_.clear(); }
    // In a forked process: what is master's and ours ends with us, not with it.
    void leave_master();

    // Whether the peer of an accepted Unix connection may call this service; logs if not.
    bool may_call(int socket);

  private:
    Child(Arguments arguments, std::string program, std::unique_ptr<config::Config> config, const Profile& profile,
          Scoreboard scoreboard);
    void tell(ipc::StatusEvent event);
    Result<void> find_callers();

    Arguments arguments_;
    std::string program_;
    std::unique_ptr<config::Snapshot> snapshot_;
    std::unique_ptr<KeyFiles> keys_ = std::make_unique<KeyFiles>();
    std::unique_ptr<config::Config> config_;
    const Profile& profile_;
    Scoreboard scoreboard_;
    ipc::Channel control_{Fd(kControlFd)};
    std::vector<Fd> listeners_;
    std::uint64_t generation_ = 0;
    std::size_t slot_ = 0;
    std::uint64_t served_ = 0, max_served_ = 0;
    Millis max_idle_{0};
    std::vector<uid_t> callers_;
    std::optional<gid_t> caller_group_;
};

// Prints and logs why a daemon cannot start; the exit status for main.
int start_failed(const Error& error);

}  // namespace postern::service
