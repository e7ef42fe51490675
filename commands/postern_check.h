// "postern check": everything that is wrong with the configuration, its tables and the folders, at
// once, and what becomes of each parameter that is set.
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/config/check.h"

namespace postern::commands {

// words: "-j" for JSON. The exit status is 1 when there is an error.
Result<int> check(const std::string& directory, const std::vector<std::string>& words);

// Adds what is wrong with the restriction lists, and with the tables that they and the parameters
// of main.cf and -o options name: those that cannot be opened; and with parameters about mailboxes.
// No server is asked.
void examine_use(config::Report& report, const config::Snapshot& snapshot);

// Every problem as a log line: for start and reload, which do not get past an error.
void log_problems(const config::Report& report);

// The same of the restriction lists; whether there is an error. They keep no program from starting:
// policy defers what gets as far as a mistake, as in Postfix.
bool log_restriction_problems(const config::Snapshot& snapshot);

}  // namespace postern::commands
