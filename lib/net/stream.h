// Blocking streams for programs that serve one principal: a connected socket, plain or TLS, where
// every wait has a deadline. The same tls::Engine as on the loop. See lib/loop/stream.h for the
// other kind.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/socket.h"
#include "lib/tls/engine.h"

namespace postern::net {

class Stream {
  public:
    explicit Stream(Fd socket);

    // At least one byte, or "" at the end of input. The view is valid until the next call.
    // Errc::timeout when the deadline passes first.
    Result<std::string_view> read_some(const Deadline& deadline);
    // A line without its LF and one CR before it. Errc::invalid when it is longer than limit,
    // Errc::closed at the end of input.
    Result<std::string> read_line(std::size_t limit, const Deadline& deadline);
    // Exactly count bytes; Errc::closed when the input ends before.
    Result<std::string> read_bytes(std::size_t count, const Deadline& deadline);
    // Whether input is waiting that needs no system call.
    bool has_input() const { return head_ < in_.size(); }

    // Sends all of it.
    Result<void> write(std::string_view bytes, const Deadline& deadline);

    // Errc::denied when plaintext input is waiting (CVE-2011-0411).
    Result<void> start_tls_server(const tls::ServerContext& context, const Deadline& deadline);
    Result<void> start_tls_client(const tls::ClientContext& context, const std::string& hostname,
                                  const Deadline& deadline);
    bool secured() const { return tls_.has_value(); }
    tls::Info tls_info() const { return tls_->info(); }

    int fd() const { return socket_.get(); }
    // Ends TLS politely; the socket closes with the object.
    void finish(const Deadline& deadline);

  private:
    Result<bool> fill(const Deadline& deadline);  // false: end of input
    Result<void> send_all(std::string_view bytes, const Deadline& deadline);
    Result<void> shake_hands(const Deadline& deadline);

    Fd socket_;
    std::optional<tls::Engine> tls_;
    std::string in_;
    std::size_t head_ = 0;
};

// Connects, waiting for it. Tries one address.
Result<Stream> connect(const sys::SocketAddress& to, const Deadline& deadline);

// "host:port", "[host]:port", "[::1]:port", "host" (the default port), "inet:host:port",
// "unix:path".
struct Endpoint {
    std::string host;  // name or address without brackets; empty for unix
    std::uint16_t port = 0;
    std::string unix_path;
};
std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);

// The addresses of an endpoint, by the C library's resolver: blocks. For commands, not for daemons
// (those use lib/dns). Errc::not_found when there is no such host.
Result<std::vector<sys::SocketAddress>> resolve(const Endpoint& endpoint);

}  // namespace postern::net
