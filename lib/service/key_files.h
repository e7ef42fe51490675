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
// Not a file: random bytes that master makes when it starts and gives to auth (auth/resume.h).
constexpr std::string_view kResumeKey = "resume key";
// Which of what master made this program gets: kResumeKey or nothing.
std::string_view made_key(std::string_view program);

// The files that a program with this configuration will want; empty for most programs.
std::vector<std::string> key_paths(std::string_view program, const config::Config& config);

// The file behind a table that a daemon reads itself; empty for servers and texts.
std::string table_file(std::string_view spec);

class KeyFiles {
  public:
    KeyFiles() = default;
    // Reads the files. Those that cannot be read are left out: the daemon will name them in its
    // error.
    // `made`: others, by name, that are in no file.
    static Result<Fd> seal(const std::vector<std::string>& paths,
                           const std::map<std::string, std::string>& made = {});
    static Result<KeyFiles> read_sealed(Fd sealed);
    // What master handed over, if anything.
    static KeyFiles inherited();

    // A list of tables ("hash:/etc/a texthash:/etc/b") with those that only root may read replaced
    // by what was handed over. Those that we may read ourselves stay: their changes are seen
    // (unless what was handed over is preferred, by programs that read no files later).
    enum class Prefer : bool { own_reading, handed_over };
    std::string readable_tables(const std::vector<std::string>& tables,
                                Prefer prefer = Prefer::own_reading) const;
    // What was handed over under that name, or nothing.
    std::string find(std::string_view name) const;
    // The contents of a file: as handed over, or else read by ourselves.
    Result<std::string> read(const std::string& path) const;

  private:
    std::map<std::string, std::string, std::less<>> files_;
};

}  // namespace postern::service
