// Which SASL mechanisms the configuration wants: auth_mechanisms.
#pragma once

#include "lib/config/config.h"
#include "lib/sasl/mechanisms.h"

namespace postern::service {

// What cannot be offered is named in the log, and left out.
sasl::Mechanisms sasl_mechanisms(const config::Config& config);

}  // namespace postern::service
