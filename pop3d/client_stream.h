// ClientStream: the client's socket, blocking with deadlines. Not lib/net's stream, because that
// one brings TLS: a process that reads mail has neither keys nor OpenSSL in it.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/stop_signal.h"

namespace postern::pop3d {

class ClientStream {
  public:
    // A non-blocking stream socket; `stop` becomes readable when the system stops, which ends all
    // waits with Errc::closed.
    explicit ClientStream(Fd socket, Fd stop = {})
        : socket_(std::move(socket)), stop_(std::move(stop)) {}

    // At least one byte, or "" at the end of input. Valid until the next call.
    Result<std::string_view> read_some(const Deadline& deadline);
    Result<void> write(std::string_view bytes, Millis patience);  // lib/sys/client_send.h
    bool stopped() const { return sys::is_stopped(stop_.get()); }
    std::string_view stop_reason() const { return sys::stop_reason(stop_.get()); }

  private:
    Fd socket_;
    Fd stop_;
    std::string buffer_;
};

}  // namespace postern::pop3d
