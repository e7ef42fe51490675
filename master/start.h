// From the command line to a running supervisor: configuration, lock, background, log.
#pragma once

#include <optional>
#include <string>

namespace postern::master {

struct StartOptions {
    std::optional<std::string> config_directory;
    bool foreground = false;
    bool test_only = false;
    bool verbose = false;
    bool wait = false;
};

// Runs master; the process's exit status.
int start(const StartOptions& options);

}  // namespace postern::master
