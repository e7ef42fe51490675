// For "postern check": values of parameters about mailboxes that have the right type, and still
// make no sense to those who use them (imapd, local, auth), or name what is not there.
#pragma once

#include <vector>

#include "lib/config/check.h"
#include "lib/config/settings.h"

namespace postern::commands {

// Errors: what keeps a program from starting, or users from their own mail. Warnings: the programs
// go on without such a value, and say so each time.
std::vector<config::Problem> mailbox_problems(const config::Report& report,
                                              const config::Settings& main);

}  // namespace postern::commands
