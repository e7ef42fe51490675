#include "lib/service/accept.h"

#include <cerrno>

#include "lib/log/log.h"
#include "lib/sys/socket.h"

namespace postern::service {

Result<Fd> accept_connection(int listener) {
    auto accepted = sys::accept_from(listener);
    if (!accepted) {
        if (accepted.error().sys != EINVAL) log::warning("", accepted.error().what + " connection");
        return std::move(accepted).error();
    }
    return *accepted ? std::move((**accepted).fd) : Fd();
}

}  // namespace postern::service
