// Connection: the client's bytes, blocking, every wait with a deadline. Output gathers what a
// command says, so that a reply is one write. Plain only: TLS ends in login.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "imapd/deflate.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/stop_signal.h"

namespace postern::imapd {

class Connection {
  public:
    // `pending`: bytes of the client that login has read already. `stop`: a descriptor that becomes
    // readable when the system stops or the session is dismissed; all waits end then, with Errc::closed.
    explicit Connection(Fd socket, std::string pending = {}, Fd stop = {});

    // Input that was read but not consumed; waits for some when there is none. Errc::closed at the
    // end of input, Errc::timeout. The view holds until the next call.
    Result<std::string_view> input(const Deadline& deadline);
    void consume(std::size_t count) { head_ += count; }
    bool has_input() const { return head_ < in_.size(); }

    Result<void> send(std::string_view bytes, Millis patience);  // lib/sys/client_send.h

    // RFC 4978: from here on both directions are deflate streams; what was read already is part of
    // the client's.
    Result<void> compress();
    bool is_compressed() const { return compression_.has_value(); }

    int fd() const { return socket_.get(); }
    void close() { socket_.reset(); }  // there is nothing more to say
    int stop_fd() const { return stop_.get(); }
    bool stopped() const { return sys::is_stopped(stop_.get()); }
    bool dismissed() const { return sys::is_dismissed(stop_.get()); }
    std::string_view stop_reason() const { return sys::stop_reason(stop_.get()); }

    enum class Woken : unsigned char { input, other, nothing, stop };
    // Waits for input, or for another descriptor (-1: none) to become readable.
    Woken wait(int other, const Deadline& deadline);

    // What another process has counted before.
    void count(std::uint64_t in, std::uint64_t out) {
        bytes_in_ += in;
        bytes_out_ += out;
    }
    std::uint64_t bytes_in() const { return bytes_in_; }
    std::uint64_t bytes_out() const { return bytes_out_; }

  private:
    struct Compression {
        Deflater out;
        Inflater in;
    };
    Result<void> take(std::string_view bytes);

    Fd socket_;
    Fd stop_;
    std::optional<Compression> compression_;
    std::string in_;
    std::size_t head_ = 0;
    std::uint64_t bytes_in_ = 0;
    std::uint64_t bytes_out_ = 0;
};

// Collects replies. A failed write is remembered and makes all later ones no-ops: the session ends
// at the next command.
class Output {
  public:
    Output(Connection& connection, Millis patience)
        : connection_(connection), patience_(patience) {}

    void write(std::string_view bytes);
    void flush();
    bool failed() const { return failed_; }
    std::size_t waiting() const { return buffer_.size(); }  // bytes, for the next flush()

  private:
    void send(std::string_view bytes);

    Connection& connection_;
    Millis patience_;
    std::string buffer_;
    bool failed_ = false;
};

}  // namespace postern::imapd
