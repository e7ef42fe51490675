// The folders below queue_directory, whom they belong to, and the users of the daemons.
#pragma once

#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::commands {

// Makes the folders that are missing, as root with their owners; changes nothing that is there.
Result<void> prepare_folders(const config::Config& config);

// Makes missing groups and users (as root), then folders, then sets every owner and mode.
Result<int> set_permissions(const config::Config& config);

// Warns of every wrong owner or mode; false when there was one.
Result<bool> check_permissions(const config::Config& config);

}  // namespace postern::commands
