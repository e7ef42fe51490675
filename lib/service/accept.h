// Accepting connections, the same for every style.
#pragma once

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::service {

// The next waiting connection, non-blocking and close-on-exec; an empty Fd when another process was
// faster or the client has gone. An Error (logged, but for a listener that master has shut down)
// means that no connection can be had at present, out of descriptors for example, although the
// socket stays readable: look again after kAcceptPause, not at once.
Result<Fd> accept_connection(int listener);

constexpr Millis kAcceptPause{1000};

}  // namespace postern::service
