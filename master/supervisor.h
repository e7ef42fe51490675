// Supervisor: all services, the signals, reload and stop, and the answer to "postern status".
#pragma once

#include <sys/types.h>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/random.h"
#include "lib/config/config.h"
#include "lib/ipc/loop_channel.h"
#include "lib/loop/loop.h"

#include "master/records_file.h"
#include "master/service.h"

namespace postern::master {

struct Options {
    std::string config_directory;
    bool verbose = false;
    bool foreground = false;
};

class Supervisor {
  public:
    // life: the descriptor that holds the lock on pid/master.pid; log: the log file, or -1.
    Supervisor(Options options, int life, Fd log);
    ~Supervisor();

    // Opens everything. An Error here means that nothing runs.
    Result<void> start(const config::Snapshot& snapshot);
    // Until "stop". The exit status.
    int run();

  private:
    // One configuration, understood: what start() and reload() work from.
    struct Reading {
        std::shared_ptr<const config::Config> config;
        std::shared_ptr<const Fd> sealed;
        std::vector<Service::Setup> setups;
    };
    static Result<Reading> understand(const config::Snapshot& snapshot);
    Surroundings surroundings(const Reading& reading);
    Result<void> open_status_socket();
    void reload();
    void apply(const Reading& reading);
    Result<std::unique_ptr<Service>> add(const Surroundings& around, const Service::Setup& setup);
    Result<void> reopen_log(const config::Config& config);
    void keep_records(const config::Config& config);
    void trim_records();
    void stop(int signal_number);
    void lose_patience();
    void abort();
    void reap();
    void end_if_empty();
    void on_status_client();
    void answer(ipc::LoopChannel& client) const;

    Options options_;
    int life_;
    Fd log_;
    loop::Loop loop_;
    std::shared_ptr<const config::Config> config_;
    std::uint64_t generation_ = 1;
    // As long as this master: its end is the end of all hibernated sessions too.
    const std::string resume_key_ = SystemRandom::instance().bytes(32);
    std::vector<std::unique_ptr<Service>> services_;
    std::vector<std::unique_ptr<Service>>
        retired_;  // removed by a reload, their processes still drain
    std::vector<std::unique_ptr<loop::Signal>> signals_;
    Fd status_socket_;
    std::unique_ptr<loop::Watch> status_watch_;
    std::list<std::unique_ptr<ipc::LoopChannel>> status_clients_;
    loop::Timer patience_;
    loop::Timer status_pause_;  // no descriptors to be had
    std::optional<RecordsFile> records_;
    loop::Timer trim_;
    bool trim_fails_ = false;  // told
    bool stopping_ = false;
};

}  // namespace postern::master
