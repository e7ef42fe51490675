// ClientStream: the client's socket, blocking with deadlines. Not lib/net's stream, because that
// one brings TLS: a process that reads mail has neither keys nor OpenSSL in it.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::pop3d {

class ClientStream {
  public:
    explicit ClientStream(Fd socket)
        : socket_(std::move(socket)) {}  // a non-blocking stream socket

    // At least one byte, or "" at the end of input. Valid until the next call.
    Result<std::string_view> read_some(const Deadline& deadline);
    Result<void> write(std::string_view bytes, const Deadline& deadline);

  private:
    Fd socket_;
    std::string buffer_;
};

}  // namespace postern::pop3d
