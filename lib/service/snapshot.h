// A configuration snapshot as a sealed memfd: how master hands it to its daemons.
#pragma once

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::service {

// Nobody can change it afterwards, whoever holds the descriptor.
Result<Fd> seal_snapshot(const config::Snapshot& snapshot);
Result<config::Snapshot> read_snapshot(Fd sealed);

}  // namespace postern::service
