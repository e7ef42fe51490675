// The log file of maillog_file, opened once by master for all daemons.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::master {

// Append-only; an empty Fd when maillog_file is empty (then everybody uses syslog). /dev/stdout is
// our own.
Result<Fd> open_log_file(const config::Config& config);

}  // namespace postern::master
