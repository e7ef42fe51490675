// start, stop, abort, reload, status, flush: what "postern" does to the running system. Each gives
// the process's exit status, or an Error that is printed and makes it 1.
#pragma once

#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::commands {

Result<int> start(const config::Config& config, bool foreground);
Result<int> stop(const config::Config& config);
Result<int> abort(const config::Config& config);
Result<int> reload(const config::Config& config);
Result<int> status(const config::Config& config);
Result<int> flush(const config::Config& config);

// Whether a master runs with that queue.
Result<bool> is_running(const config::Config& config);

}  // namespace postern::commands
