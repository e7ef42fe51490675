// Certificates and private keys, which usually only root can read: master reads them when it starts
// a daemon that speaks TLS, and hands them over in a sealed memfd. The daemon needs no right to the
// files, and new certificates are in use as soon as processes are replaced.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::service {

// Names the descriptor in a daemon's environment.
constexpr const char* kKeysVariable = "POSTERN_KEYS";

// The files that a program with this configuration will want; empty for most programs.
std::vector<std::string> key_paths(std::string_view program, const config::Config& config);

class KeyFiles {
  public:
    KeyFiles() = default;
    // Reads the files. Those that cannot be read are left out: the daemon will name them in its
    // error.
    static Result<Fd> seal(const std::vector<std::string>& paths);
    static Result<KeyFiles> read_sealed(Fd sealed);
    // What master handed over, if anything.
    static KeyFiles inherited();

    // A list of tables ("hash:/etc/a texthash:/etc/b") with those that only root may read replaced
    // by what was handed over. Those that we may read ourselves stay: their changes are seen.
    std::string readable_tables(const std::vector<std::string>& tables) const;
    // The contents of a file: as handed over, or else read by ourselves.
    Result<std::string> read(const std::string& path) const;

  private:
    std::map<std::string, std::string> files_;
};

}  // namespace postern::service
