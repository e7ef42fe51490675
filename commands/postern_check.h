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

// Adds a problem for each table of the report's main.cf parameters that cannot be opened.
void examine_tables(config::Report& report, const config::Snapshot& snapshot);

// Every problem as a log line: for start and reload, which do not get past an error.
void log_problems(const config::Report& report);

}  // namespace postern::commands
