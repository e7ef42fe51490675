// What smtpd needs of the configuration about SASL.
#pragma once

#include "lib/config/config.h"

#include "smtpd/options.h"

namespace postern::smtpd {

// Who checks passwords, and which mechanisms are offered. AUTH is not offered where it could not
// work, rather than to refuse everybody; the log says why.
void read_sasl(const config::Config& config, Options& options);

}  // namespace postern::smtpd
