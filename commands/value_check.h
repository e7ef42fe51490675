// For "postern check": values of parameters (about mailboxes, logins, TLS) that have the right type,
// and still make no sense to those who use them, or name what is not there.
#pragma once

#include <vector>

#include "lib/config/check.h"
#include "lib/config/settings.h"

namespace postern::commands {

// Errors: what keeps a program from starting, or users from their own mail. Warnings: the programs
// go on without such a value, and say so each time.
std::vector<config::Problem> value_problems(const config::Report& report,
                                              const config::Settings& main);

}  // namespace postern::commands
