// One datagram to a Unix socket that somebody else reads.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::sys {

// Never waits: Errc::temporary with sys == EAGAIN when the reader is behind. Errors name the path.
Result<void> send_datagram(const std::string& path, std::string_view bytes);

}  // namespace postern::sys
