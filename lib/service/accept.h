// Accepting connections, the same for every style.
#pragma once

#include "lib/base/fd.h"

namespace postern::service {

// The next waiting connection, non-blocking and close-on-exec; none when another process was faster or
// the client has gone. Descriptor exhaustion is logged and looks like "none".
Fd accept_connection(int listener);

}  // namespace postern::service
