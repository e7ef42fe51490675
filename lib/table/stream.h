// A blocking connection to a table server (tcp:, socketmap:, memcache:), with a deadline on every
// wait.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::table {

class Stream {
  public:
    // "inet:host:port", "unix:/path", or "host:port".
    static Result<Stream> connect(std::string_view address, const Deadline& deadline);

    Result<void> send(std::string_view bytes, const Deadline& deadline);
    // Up to and without the delimiter; Errc::invalid when there are more than `limit` bytes before
    // it.
    Result<std::string> read_until(char delimiter, std::size_t limit, const Deadline& deadline);
    Result<std::string> read_exactly(std::size_t count, const Deadline& deadline);

  private:
    explicit Stream(Fd socket, std::string name)
        : socket_(std::move(socket)), name_(std::move(name)) {}
    Result<void> receive(const Deadline& deadline);

    Fd socket_;
    std::string name_;
    std::string pending_;
};

}  // namespace postern::table
