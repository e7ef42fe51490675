// LoopChannel: a conversation on the event loop. Client: one question to a service from a loop program.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "lib/ipc/packet.h"
#include "lib/loop/loop.h"

namespace postern::ipc {

class LoopChannel {
  public:
    // Both may destroy the channel. After on_closed nothing else is called.
    struct Handler {
        std::function<void(Packet)> on_packet;
        std::function<void(Error)> on_closed;  // Errc::closed, or what went wrong
    };

    LoopChannel(loop::Loop& loop, Fd socket, Handler handler);
    ~LoopChannel();
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

    void pause() { watch_->want_read(false); }  // no more packets until resume(): back-pressure
    void resume() { watch_->want_read(true); }
    bool sending() const { return !queue_.empty(); }
    int fd() const { return socket_.get(); }

  private:
    static constexpr std::size_t kMaxQueued = 256;
    struct Queued {
        std::string bytes;
        std::vector<Fd> descriptors;
    };

    Result<void> send_bytes(std::string bytes, std::span<const int> descriptors);
    void read_packets();
    void flush();
    void close(Error why);

    Fd socket_;
    Handler handler_;
    std::deque<Queued> queue_;
    std::unique_ptr<loop::Watch> watch_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Asks one service, any number of questions at a time, each on a connection of its own, so that any
// free worker takes the next. The callback is always called, exactly once, never from inside call().
class Client {
  public:
    Client(loop::Loop& loop, std::string path);
    ~Client();  // outstanding calls are dropped without an answer
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    template <Record Answer, Record Question>
    void call(const Question& question, Millis timeout, std::function<void(Result<Answer>)> done,
              std::string_view trace = {}, std::span<const int> descriptors = {}) {
        auto on_packet = [done = std::move(done)](Result<Packet> packet) {
            if (!packet) return done(std::move(packet).error());
            if (packet->descriptor_count() != 0)
                return done(Error{Errc::invalid, "message: descriptors not expected"});
            done(packet->as<Answer>());
        };
        start(encode(question, Header{.descriptors = static_cast<std::uint8_t>(descriptors.size()),
                                      .trace = std::string(trace)}),
              descriptors, timeout, std::move(on_packet));
    }

    std::size_t outstanding() const;
    const std::string& path() const { return path_; }

  private:
    struct Call;
    struct Calls;
    void start(Result<std::string> question, std::span<const int> descriptors, Millis timeout,
               std::function<void(Result<Packet>)> done);

    loop::Loop& loop_;
    std::string path_;
    std::shared_ptr<Calls> calls_;
};

}  // namespace postern::ipc
