#include "lib/ipc/channel.h"

namespace postern::ipc {

Result<Channel> Channel::connect(const std::string& path, const Deadline& deadline) {
    TRY_ASSIGN(Fd socket, sys::connect_unix(path, deadline));
    return Channel(std::move(socket));
}

Result<void> Channel::send_bytes(std::string_view bytes, const Deadline& deadline,
                                 std::span<const int> descriptors) {
    if (descriptors.size() > kMaxDescriptors)
        return Error{Errc::invalid, "send message: too many descriptors"};
    for (;;) {
        auto sent = sys::send_packet(socket_.get(), bytes, descriptors);
        if (sent || !sys::would_block(sent.error())) return sent;
        TRY(sys::wait_ready(socket_.get(), sys::Ready::write, deadline));
    }
}

Result<Packet> Channel::receive_packet(const Deadline& deadline) {
    for (;;) {
        auto received = sys::receive_packet(socket_.get(), kMaxPacket, kMaxDescriptors);
        if (received)
            return Packet::parse(std::move(received->bytes), std::move(received->descriptors));
        if (!sys::would_block(received.error())) return std::move(received).error();
        TRY(sys::wait_ready(socket_.get(), sys::Ready::read, deadline));
    }
}

}  // namespace postern::ipc
