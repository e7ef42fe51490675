// Starting one daemon: fork, the descriptors of lib/service/child.h, its user, exec.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/config/master_cf.h"
#include "lib/service/profiles.h"

namespace postern::master {

// All that a daemon needs to be born. Descriptors are borrowed.
struct Birth {
    std::string path;  // of the program
    std::vector<std::string> arguments;
    std::vector<std::string> environment;  // NAME=value
    service::Identity identity;
    bool no_new_privileges = true;  // all but those that run users' commands (Promise::exec)
    int control = -1, scoreboard = -1, log = -1, life = -1,
        config = -1;   // log -1: the daemon uses syslog
    int records = -1;  // trace records; -1: none are kept
    std::vector<int> listeners;
    int keys =
        -1;  // sealed certificates and keys, follow the listeners; see lib/service/key_files.h
};

// The new process's id. It leads a process group of its own, so that its helpers can be ended with
// it. What fails after the fork is reported by the child on standard error and as exit status 127.
Result<pid_t> start_process(const Birth& birth);

// "-n name -t type [-v] [-o name=value ...]": what service::parse_arguments reads.
std::vector<std::string> daemon_arguments(const config::MasterEntry& entry, bool verbose);

}  // namespace postern::master
