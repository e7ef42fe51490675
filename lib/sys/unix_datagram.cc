#include "lib/sys/unix_datagram.h"

#include <sys/socket.h>

#include "lib/base/fd.h"
#include "lib/sys/error.h"
#include "lib/sys/socket.h"

namespace postern::sys {

Result<void> send_datagram(const std::string& path, std::string_view bytes) {
    TRY_ASSIGN(const SocketAddress to, SocketAddress::unix_path(path));
    const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return system_error("socket " + path);
    if (::sendto(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL, to.native(),
                 to.native_size()) < 0)
        return system_error("socket " + path);
    return {};
}

}  // namespace postern::sys
