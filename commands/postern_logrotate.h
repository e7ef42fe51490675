// "postern logrotate": gives the log file another name and has master open a new one.
#pragma once

#include <ctime>
#include <string>

#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::commands {

Result<int> logrotate(const config::Config& config);

// Renames path to path.SUFFIX and runs the compressor on earlier files of this kind that are not
// compressed yet. Gives the new name. A name that is taken is an Error.
Result<std::string> rotate_file(const std::string& path, const std::string& suffix_format,
                                const std::string& compressor, std::time_t now);

}  // namespace postern::commands
