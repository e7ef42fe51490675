// Stream sockets of the internet families and of the Unix family: addresses as a type, and the
// system calls around connect, listen and accept as Results. Every socket is non-blocking and
// close-on-exec.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/fd.h"
#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace postern::sys {

// Where a socket is or connects to.
class SocketAddress {
  public:
    SocketAddress() = default;  // none
    static SocketAddress inet(const IpAddress& ip, std::uint16_t port);
    // Errc::invalid when the path is empty or longer than the kernel takes.
    static Result<SocketAddress> unix_path(std::string_view path);
    // "192.0.2.1:25", "[2001:db8::1]:25", "unix:path". Numeric only: names are resolved elsewhere.
    static std::optional<SocketAddress> parse(std::string_view text);
    // What the kernel filled in.
    static SocketAddress from_native(const sockaddr_storage& storage, socklen_t size);

    bool is_inet() const;
    bool is_unix() const;
    IpAddress ip() const;        // 0.0.0.0 unless is_inet(); IPv4-mapped addresses as IPv4
    std::uint16_t port() const;  // 0 unless is_inet()
    std::string path() const;    // "" unless is_unix()
    std::string str() const;     // as parse() takes it; "unknown" for none

    const sockaddr* native() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t native_size() const { return size_; }

  private:
    sockaddr_storage storage_{};
    socklen_t size_ = 0;
};

// A connection under way: it is made, or has failed, when the socket becomes writable; then
// connect_outcome() tells. Errors that are known at once are returned at once. With `from` the
// socket is bound to that address first.
Result<Fd> start_connect(const SocketAddress& to, const SocketAddress* from = nullptr);
Result<void> connect_outcome(int fd, const SocketAddress& to);

// A listening socket. An existing Unix socket is replaced. IPv6 sockets take IPv6 only.
Result<Fd> listen_on(const SocketAddress& at, int backlog = 512);

struct Accepted {
    Fd fd;
    SocketAddress peer;
};
// Nothing when no connection is waiting (another process took it, the peer left).
Result<std::optional<Accepted>> accept_from(int listener);

SocketAddress local_address(int fd);
SocketAddress peer_address(int fd);
void set_no_delay(int fd);
void set_blocking(int fd, bool blocking);

}  // namespace postern::sys
