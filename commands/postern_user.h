// postern user: the users who may log in, in auth_passwd_file. The file is replaced as a whole,
// under a lock, so that auth always reads a complete one.
//   postern user add NAME [--home DIR] [--uid N] [--gid N] [--scheme S] [--generate |
//   --password-stdin] postern user passwd NAME [--scheme S] [--generate | --password-stdin] postern
//   user del NAME postern user list
#pragma once

#include <span>
#include <string>

#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::commands {

// The exit status: 0 done, 1 refused or failed (said on standard error), 2 wrong usage.
int user_command(std::span<const std::string> arguments, const config::Config& config);

}  // namespace postern::commands
