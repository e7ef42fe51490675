// Socket addresses and calls, see socket.h.
#include "lib/sys/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "lib/base/strings.h"
#include "lib/sys/error.h"

namespace postern::sys {
namespace {

constexpr std::string_view kUnix = "unix:";

Result<Fd> make_socket(const SocketAddress& address) {
    Fd fd(::socket(address.native()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return system_error("socket for " + address.str());
    return fd;
}

void set_flag(int fd, int level, int name) {
    const int on = 1;
    static_cast<void>(::setsockopt(fd, level, name, &on, sizeof on));
}

}  // namespace

SocketAddress SocketAddress::inet(const IpAddress& ip, std::uint16_t port) {
    SocketAddress address;
    if (ip.is_v4()) {
        auto* in = reinterpret_cast<sockaddr_in*>(&address.storage_);
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        std::memcpy(&in->sin_addr, ip.bytes().data(), ip.bytes().size());
        address.size_ = sizeof *in;
    } else {
        auto* in = reinterpret_cast<sockaddr_in6*>(&address.storage_);
        in->sin6_family = AF_INET6;
        in->sin6_port = htons(port);
        std::memcpy(&in->sin6_addr, ip.bytes().data(), ip.bytes().size());
        address.size_ = sizeof *in;
    }
    return address;
}

Result<SocketAddress> SocketAddress::unix_path(std::string_view path) {
    SocketAddress address;
    auto* un = reinterpret_cast<sockaddr_un*>(&address.storage_);
    if (path.empty() || path.size() >= sizeof un->sun_path || path.find('\0') != path.npos) {
        return Error{Errc::invalid, cat({"unix socket ", path, ": no usable path"})};
    }
    un->sun_family = AF_UNIX;
    std::memcpy(un->sun_path, path.data(), path.size());
    address.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
    if (text.starts_with(kUnix)) {
        auto made = unix_path(text.substr(kUnix.size()));
        return made ? std::optional(std::move(made).value()) : std::nullopt;
    }
    const auto colon = text.rfind(':');
    if (colon == text.npos) return std::nullopt;
    auto host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto ip = IpAddress::parse(host);
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
    if (!ip || !port || (ip->is_v6() && !bracketed)) return std::nullopt;
    return inet(*ip, *port);
}

SocketAddress SocketAddress::from_native(const sockaddr_storage& storage, socklen_t size) {
    SocketAddress address;
    address.storage_ = storage;
    address.size_ = size;
    return address;
}

bool SocketAddress::is_inet() const {
    return size_ > 0 && (storage_.ss_family == AF_INET || storage_.ss_family == AF_INET6);
}

bool SocketAddress::is_unix() const { return size_ > 0 && storage_.ss_family == AF_UNIX; }

IpAddress SocketAddress::ip() const {
    if (!is_inet()) return {};
    const char* bytes = storage_.ss_family == AF_INET
                            ? reinterpret_cast<const char*>(
                                  &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr)
                            : reinterpret_cast<const char*>(
                                  &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr);
    const std::size_t size = storage_.ss_family == AF_INET ? 4 : 16;
    return IpAddress::from_bytes({bytes, size})->unmapped();
}

std::uint16_t SocketAddress::port() const {
    if (!is_inet()) return 0;
    // The port is at the same place in both families.
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
}

std::string SocketAddress::path() const {
    if (!is_unix() || size_ <= offsetof(sockaddr_un, sun_path)) return {};
    const char* text = reinterpret_cast<const sockaddr_un*>(&storage_)->sun_path;
    return std::string(text, ::strnlen(text, size_ - offsetof(sockaddr_un, sun_path)));
}

std::string SocketAddress::str() const {
    if (is_unix()) return cat({kUnix, path()});
    if (!is_inet()) return "unknown";
    const auto ip_address = ip();
    const auto port_text = std::to_string(port());
    return ip_address.is_v6() ? cat({"[", ip_address.str(), "]:", port_text})
                              : cat({ip_address.str(), ":", port_text});
}

Result<Fd> start_connect(const SocketAddress& to, const SocketAddress* from) {
    TRY_ASSIGN(Fd fd, make_socket(to));
    if (from && ::bind(fd.get(), from->native(), from->native_size()) != 0) {
        return system_error("bind " + from->str());
    }
    if (to.is_inet()) set_no_delay(fd.get());
    if (::connect(fd.get(), to.native(), to.native_size()) != 0 && errno != EINPROGRESS) {
        return system_error("connect to " + to.str());
    }
    return fd;
}

Result<void> connect_outcome(int fd, const SocketAddress& to) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return system_error("connect to " + to.str(), error);
    return {};
}

Result<Fd> listen_on(const SocketAddress& at, int backlog) {
    TRY_ASSIGN(Fd fd, make_socket(at));
    if (at.is_unix()) {
        struct stat st {};
        if (::lstat(at.path().c_str(), &st) == 0 && S_ISSOCK(st.st_mode))
            ::unlink(at.path().c_str());
    } else {
        set_flag(fd.get(), SOL_SOCKET, SO_REUSEADDR);
        if (at.native()->sa_family == AF_INET6) set_flag(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
    }
    if (::bind(fd.get(), at.native(), at.native_size()) != 0)
        return system_error("bind " + at.str());
    if (::listen(fd.get(), backlog) != 0) return system_error("listen on " + at.str());
    return fd;
}

Result<std::optional<Accepted>> accept_from(int listener) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    Fd fd(::accept4(listener, reinterpret_cast<sockaddr*>(&storage), &size,
                    SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
        switch (errno) {
            case EAGAIN:
            case EINTR:
            case ECONNABORTED:
            case EPERM:
            // accept(2): what went wrong on the new connection already; it is the next one's turn.
            case EPROTO:
            case ENETDOWN:
            case ENOPROTOOPT:
            case EHOSTDOWN:
            case ENONET:
            case EHOSTUNREACH:
            case EOPNOTSUPP:
            case ENETUNREACH: return std::optional<Accepted>();
            default: return system_error("accept");
        }
    }
    auto peer = SocketAddress::from_native(storage, size);
    if (peer.is_inet()) set_no_delay(fd.get());
    return std::optional<Accepted>(Accepted{std::move(fd), peer});
}

SocketAddress local_address(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    return SocketAddress::from_native(storage, size);
}

SocketAddress peer_address(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    return SocketAddress::from_native(storage, size);
}

void set_no_delay(int fd) { set_flag(fd, IPPROTO_TCP, TCP_NODELAY); }

void set_blocking(int fd, bool blocking) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return;
    static_cast<void>(::fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK));
}

}  // namespace postern::sys
