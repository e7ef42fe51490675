#include "lib/ipc/loop_channel.h"

#include <utility>

#include "lib/sys/error.h"
#include "lib/sys/unix_socket.h"

namespace postern::ipc {

LoopChannel::LoopChannel(loop::Loop& loop, Fd socket, Handler handler)
    : socket_(std::move(socket)), handler_(std::move(handler)) {
    watch_ = std::make_unique<loop::Watch>(
        loop, socket_.get(), [this] { read_packet(); }, [this] { flush(); });
    watch_->want_read(true);
}

Fd LoopChannel::release() {
    watch_.reset();
    handler_.on_closed = nullptr;
    return std::move(socket_);
}

Result<void> LoopChannel::send_bytes(std::string bytes, std::span<const int> descriptors) {
    if (!handler_.on_closed) return Error{Errc::closed, "send message: connection closed"};
    if (descriptors.size() > kMaxDescriptors)
        return Error{Errc::invalid, "send message: too many descriptors"};
    if (queue_.empty()) {
        auto sent = sys::send_packet(socket_.get(), bytes, descriptors);
        if (sent || !sys::would_block(sent.error())) return sent;
    }
    if (queue_.size() >= kMaxQueued)
        return Error{Errc::no_space, "send message: the peer does not read"};
    TRY_ASSIGN(auto copies, Descriptors::copies_of(descriptors));
    queue_.push_back({std::move(bytes), std::move(copies)});
    watch_->want_write(true);
    return {};
}

void LoopChannel::flush() {
    while (!queue_.empty()) {
        const Queued& next = queue_.front();
        auto sent = sys::send_packet(socket_.get(), next.bytes, next.descriptors.numbers());
        if (!sent && sys::would_block(sent.error())) return;
        if (!sent) return close(std::move(sent).error());
        queue_.pop_front();
    }
    watch_->want_write(false);
}

// One a turn: a conversation is question and answer, so a second look would mostly find nothing.
void LoopChannel::read_packet() {
    auto received = sys::receive_packet(socket_.get(), kMaxPacket, kMaxDescriptors);
    if (!received) {
        if (sys::would_block(received.error())) return;
        return close(std::move(received).error());
    }
    auto packet = Packet::parse(std::move(received->bytes), std::move(received->descriptors));
    if (!packet) return close(std::move(packet).error());
    const auto on_packet = handler_.on_packet;  // a copy: the handler may destroy us
    on_packet(*std::move(packet));
}

// An empty on_closed says that it has been called.
void LoopChannel::close(Error why) {
    if (watch_) watch_->want_read(false);
    if (watch_) watch_->want_write(false);
    queue_.clear();
    const auto on_closed = std::exchange(handler_.on_closed, nullptr);
    if (on_closed) on_closed(std::move(why));
}

}  // namespace postern::ipc
