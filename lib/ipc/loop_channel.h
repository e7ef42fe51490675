// LoopChannel: a conversation on the event loop (client.h: single questions).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "lib/ipc/packet.h"
#include "lib/loop/loop.h"

#include "lib/ipc/descriptors.h"

namespace postern::ipc {

class LoopChannel {
  public:
    // Both may destroy the channel. After on_closed nothing else is called.
    struct Handler {
        std::function<void(Packet)> on_packet;
        std::function<void(Error)> on_closed;  // Errc::closed, or what went wrong
    };

    LoopChannel(loop::Loop& loop, Fd socket, Handler handler);
    LoopChannel(const LoopChannel&) = delete;
    LoopChannel& operator=(const LoopChannel&) = delete;

    // Sends now or queues while the socket is full. The descriptors are duplicated if they must wait.
    // Errc::no_space when kMaxQueued packets wait already: the peer does not read.
    template <Record T>
    Result<void> send(const T& message, std::string_view trace = {}, std::span<const int> descriptors = {}) {
        TRY_ASSIGN(std::string bytes,
                   encode(message, Header{.descriptors = static_cast<std::uint8_t>(descriptors.size()),
                                          .trace = std::string(trace)}));
        return send_bytes(std::move(bytes), descriptors);
    }
    // The answer to a question; `takes_another`: the next one may come on this connection.
    template <Record T>
    Result<void> answer(const T& message, std::string_view trace, bool takes_another) {
        TRY_ASSIGN(std::string bytes,
                   encode(message, Header{.takes_another = takes_another, .trace = std::string(trace)}));
        return send_bytes(std::move(bytes), {});
    }

    void pause() { watch_->want_read(false); }  // no more packets until resume(): back-pressure
    void resume() { watch_->want_read(true); }
    bool sending() const { return !queue_.empty(); }
    int fd() const { return socket_.get(); }
    // Gives the socket up, in the middle of a conversation; nothing is called any more.
    Fd release();

  private:
    static constexpr std::size_t kMaxQueued = 256;
    struct Queued {
        std::string bytes;
        Descriptors descriptors;
    };

    Result<void> send_bytes(std::string bytes, std::span<const int> descriptors);
    void read_packet();
    void flush();
    void close(Error why);

    Fd socket_;
    Handler handler_;
    std::deque<Queued> queue_;
    std::unique_ptr<loop::Watch> watch_;
};

}  // namespace postern::ipc
