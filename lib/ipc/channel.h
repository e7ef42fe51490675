// Channel: a conversation for straight-line code. Every wait has a deadline.
// A worker's whole use of it:
//     TRY_ASSIGN(auto question, channel.receive<PolicyQuestion>(deadline));
//     TRY(channel.send(answer, deadline));
#pragma once

#include <span>
#include <string>

#include "lib/ipc/packet.h"
#include "lib/sys/unix_socket.h"

namespace postern::ipc {

class Channel {
  public:
    explicit Channel(Fd socket) : socket_(std::move(socket)) {}  // a connected SEQPACKET socket
    static Result<Channel> connect(const std::string& path, const Deadline& deadline);

    template <Record T>
    Result<void> send(const T& message, const Deadline& deadline, std::string_view trace = {},
                      std::span<const int> descriptors = {}) {
        TRY_ASSIGN(const std::string bytes,
                   encode(message, Header{.descriptors = static_cast<std::uint8_t>(descriptors.size()),
                                          .trace = std::string(trace)}));
        return send_bytes(bytes, deadline, descriptors);
    }

    // The next packet, whatever it is. Errc::closed when the peer ended the conversation, Errc::timeout
    // at the deadline, Errc::invalid for what no peer of ours would send.
    Result<Packet> receive_packet(const Deadline& deadline);

    // The next message, which must be a T without descriptors.
    template <Record T>
    Result<T> receive(const Deadline& deadline) {
        TRY_ASSIGN(const Packet packet, receive_packet(deadline));
        if (packet.descriptor_count() != 0) return Error{Errc::invalid, "message: descriptors not expected"};
        return packet.as<T>();
    }

    int fd() const { return socket_.get(); }
    Fd release() { return std::move(socket_); }
    Result<sys::PeerCredentials> peer() const { return sys::peer_credentials(socket_.get()); }

  private:
    Result<void> send_bytes(std::string_view bytes, const Deadline& deadline, std::span<const int> descriptors);
    Fd socket_;
};

// Connects, asks, reads the answer, closes. Any failure means "temporary" to the caller.
template <Record Answer, Record Question>
Result<Answer> call(const std::string& path, const Question& question, const Deadline& deadline,
                    std::string_view trace = {}, std::span<const int> descriptors = {}) {
    auto answer = [&]() -> Result<Answer> {
        TRY_ASSIGN(Channel channel, Channel::connect(path, deadline));
        TRY(channel.send(question, deadline, trace, descriptors));
        return channel.receive<Answer>(deadline);
    }();
    if (!answer) return std::move(answer).error().within("service " + path);
    return answer;
}

}  // namespace postern::ipc
