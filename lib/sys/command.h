// Running a foreign program with a message on its standard input: for local's "|command" and for
// pipe(8). Straight-line: one command at a time, with a limit on its time and on what is kept of
// its output. The caller has become the right user already and holds no descriptor that is not
// close-on-exec.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace postern::sys {

struct Command {
    std::vector<std::string> argv;  // argv[0] with a slash, or looked up in the environment's PATH
    std::vector<std::string> environment;  // "NAME=value"; nothing else is passed on
    std::string directory;                 // working directory; empty: ours
    Millis time_limit{0};                  // for all of it
    std::size_t output_limit = 2048;       // bytes of standard output and error that are kept
};

struct CommandResult {
    bool timed_out = false;  // it was killed, with everything in its process group
    int exit_status = 0;     // when it ended by itself
    int signal = 0;          // when a signal ended it
    std::string output;      // the beginning of it
};

// Writes the input piece by piece. Errc::closed from `write` is nothing to care about: a command
// that does not read all of its input still tells by its exit status what it did.
using WriteInput = std::function<Result<void>(std::string_view)>;
using InputSource = std::function<Result<void>(const WriteInput& write)>;

// An Error when the command could not be run at all, or when the source failed (the command is
// killed then, because it has not seen the whole message). A program that cannot be executed exits
// with 127.
Result<CommandResult> run_command(const Command& command, const InputSource& input);

// How to execute a command line as Postfix does: words alone are executed directly, everything that
// needs a shell by /bin/sh -c. With `shell` ("/usr/bin/smrsh -c") always by that.
std::vector<std::string> command_words(std::string_view line, std::string_view shell = {});

// PATH, and from our environment what `names` lists: "NAME" (if set) or "NAME=value".
std::vector<std::string> exported_environment(std::string_view names);

}  // namespace postern::sys
