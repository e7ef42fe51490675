#include "cleanup/nudger.h"

#include "lib/ipc/messages/queue.h"
#include "lib/sys/unix_socket.h"

namespace postern::cleanup {

bool Nudger::connect() {
    if (channel_) return true;
    Result<Fd> socket = sys::try_connect_unix(socket_);
    if (!socket) return false;
    channel_ = std::make_unique<ipc::LoopChannel>(
        loop_, std::move(*socket),
        ipc::LoopChannel::Handler{[](ipc::Packet) {}, [this](const Error&) { channel_.reset(); }});
    return true;
}

void Nudger::nudge(const QueueId& file) {
    // A connection that went stale fails once; a new one is tried for the same nudge.
    for (int attempt = 0; attempt < 2 && connect(); ++attempt) {
        if (channel_ && channel_->send(ipc::QueueNudge{file})) return;
        channel_.reset();
    }
}

}  // namespace postern::cleanup
