#include "lib/sys/client_send.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "lib/sys/error.h"
#include "lib/sys/stop_signal.h"

namespace postern::sys {

void TransferDeadline::moved(std::size_t bytes) {
    const Millis regained(static_cast<std::int64_t>(bytes) * 1000 / kLowestRate);
    deadline_ = Deadline::in(std::min(patience_, deadline_.left() + regained), clock_);
}

Result<void> send_to_client(int socket, std::string_view& bytes, int stop, Millis patience,
                            const Clock& clock) {
    TransferDeadline time(patience, clock);
    while (!bytes.empty()) {
        const ssize_t count =
            ::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
            time.moved(static_cast<std::size_t>(count));
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) return system_error("write to client");
        if (time.deadline().passed()) return Error{Errc::timeout, "client takes no more"};
        // poll(2) tells of room when much of the buffer is free only. A slow client has taken
        // something nevertheless: when the time is over the next send() has the last word.
        const auto ready = wait_ready(socket, Ready::write, stop, time.deadline());
        if (!ready && ready.error().code != Errc::timeout) return ready;
    }
    return {};
}

}  // namespace postern::sys
