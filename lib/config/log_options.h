// How a program logs, as the configuration says: the name in each line, the facility, the form.
#pragma once

#include <string_view>

#include "lib/log/log.h"

#include "lib/config/config.h"

namespace postern::config {

// program: the part after the slash in "postfix/smtpd".
log::Options log_options(const Config& config, std::string_view program, bool verbose = false);

// "mail" -> LOG_MAIL; the names that the row of syslog_facility lists.
int syslog_facility(std::string_view name);

}  // namespace postern::config
