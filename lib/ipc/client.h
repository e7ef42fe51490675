// Client: questions to one service from a loop program, any number at a time, each on a connection
// that it has for itself, so that any free worker takes the next.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "lib/base/fd.h"
#include "lib/ipc/packet.h"
#include "lib/loop/loop.h"

namespace postern::ipc {

class Client {
  public:
    enum class Connections : unsigned char {
        one_each,  // for each question a new one
        // An idle one is used again where its last answer said that another question may come
        // (LoopChannel::answer). For requests that have an effect: one is made again only if the
        // service ended without having read it. Descriptors are borrowed until the answer.
        offered,
        // An idle one is used again, and a question waits for a moment for one to become idle
        // before it makes a new one: most answers come sooner than another worker wakes up. The
        // service answers question after question on a connection, and may hang up between two: a
        // question that meets such an end is asked once more, on a new connection, so it must be
        // one that may be asked twice.
        kept
    };

    Client(loop::Loop& loop, std::string path, Connections connections = Connections::one_each);
    ~Client();  // outstanding calls are dropped without an answer
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // `done` is called exactly once, never from inside call(). The descriptors are borrowed, and
    // duplicated where they have to wait.
    template <Record Answer, Record Question>
    void call(const Question& question, Millis timeout, std::function<void(Result<Answer>)> done,
              std::string_view trace = {}, std::span<const int> descriptors = {}) {
        start(
            encode(question, header(trace, descriptors)), descriptors, timeout,
            [done = std::move(done)](Result<Packet> packet) {
                done(answer_of<Answer>(std::move(packet)));
            },
            nullptr);
    }

    // A question that begins a conversation: `done` gets the connection with the answer.
    // Precondition: connections are one_each.
    template <Record Answer, Record Question>
    void converse(const Question& question, Millis timeout,
                  std::function<void(Result<Answer>, Fd)> done, std::string_view trace = {},
                  std::span<const int> descriptors = {}) {
        const auto connection = std::make_shared<Fd>();
        start(
            encode(question, header(trace, descriptors)), descriptors, timeout,
            [connection, done = std::move(done)](Result<Packet> packet) {
                done(answer_of<Answer>(std::move(packet)), std::move(*connection));
            },
            connection);
    }

    std::size_t outstanding() const;
    // Hangs up where nothing is outstanding, and keeps no connection from now on.
    void drain();
    const std::string& path() const { return path_; }

  private:
    struct Call;
    struct Connection;
    struct Calls;
    static Header header(std::string_view trace, std::span<const int> descriptors) {
        return {.descriptors = static_cast<std::uint8_t>(descriptors.size()),
                .trace = std::string(trace)};
    }
    template <Record Answer>
    static Result<Answer> answer_of(Result<Packet> packet) {
        if (!packet) return std::move(packet).error();
        if (packet->descriptor_count() != 0)
            return Error{Errc::invalid, "message: descriptors not expected"};
        return packet->as<Answer>();
    }
    // `keeper`: gets the connection of the answer; null: nobody does.
    void start(Result<std::string> question, std::span<const int> descriptors, Millis timeout,
               std::function<void(Result<Packet>)> done, std::shared_ptr<Fd> keeper);

    loop::Loop& loop_;
    std::string path_;
    std::shared_ptr<Calls> calls_;
};

}  // namespace postern::ipc
