#include "lib/ipc/packet.h"

namespace postern::ipc {

Result<Packet> Packet::parse(std::string bytes, std::vector<Fd> descriptors) {
    Packet packet;
    packet.bytes_ = std::move(bytes);
    packet.descriptors_ = std::move(descriptors);
    std::string_view rest = packet.bytes_;
    TRY_ASSIGN(packet.header_, decode_header(rest));
    packet.body_ = packet.bytes_.size() - rest.size();
    if (packet.header_.descriptors != packet.descriptors_.size())
        return Error{Errc::invalid, "message: descriptors do not match its header"};
    return packet;
}

}  // namespace postern::ipc
