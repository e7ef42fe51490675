#include "lib/service/accept.h"

#include <sys/socket.h>

#include <cerrno>

#include "lib/log/log.h"
#include "lib/sys/error.h"

namespace postern::service {

Fd accept_connection(int listener) {
    for (;;) {
        Fd socket(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket) return socket;
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != ECONNABORTED) log::warning("", sys::system_error("accept connection").what);
        return {};
    }
}

}  // namespace postern::service
