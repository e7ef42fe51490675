#include "lib/table/stream.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/unix_socket.h"

namespace postern::table {
namespace {

Result<Fd> connect_to(int family, const sockaddr* address, socklen_t size, const std::string& name,
                      const Deadline& deadline) {
    Fd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return sys::system_error("socket");
    if (::connect(socket.get(), address, size) == 0) return socket;
    if (errno != EINPROGRESS) return sys::system_error(cat({"connect to ", name}));
    if (auto ready = sys::wait_ready(socket.get(), sys::Ready::write, deadline); !ready)
        return std::move(ready).error().within(cat({"connect to ", name}));
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return sys::system_error(cat({"connect to ", name}), error);
    return socket;
}

Result<Fd> connect_unix(const std::string& path, const Deadline& deadline) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return Error{Errc::invalid, cat({"bad socket name: \"", path, "\""})};
    path.copy(address.sun_path, path.size());
    return connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, path,
                      deadline);
}

Result<Fd> connect_inet(std::string_view host, std::string_view port, const std::string& name,
                        const Deadline& deadline) {
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code =
        ::getaddrinfo(std::string(host).c_str(), std::string(port).c_str(), &hints, &found);
    if (code != 0)
        return Error{Errc::temporary, cat({"connect to ", name, ": ", gai_strerror(code)})};
    Result<Fd> result = Error{Errc::temporary, cat({"connect to ", name, ": no address"})};
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
        result = connect_to(at->ai_family, at->ai_addr, at->ai_addrlen, name, deadline);
        if (result) break;
    }
    ::freeaddrinfo(found);
    return result;
}

}  // namespace

Result<Stream> Stream::connect(std::string_view address, const Deadline& deadline) {
    std::string name(address);
    if (address.starts_with("unix:")) {
        TRY_ASSIGN(Fd socket, connect_unix(std::string(address.substr(5)), deadline));
        return Stream(std::move(socket), std::move(name));
    }
    if (address.starts_with("inet:")) address.remove_prefix(5);
    const std::size_t colon = address.rfind(':');
    if (colon == address.npos || colon == 0 || colon + 1 == address.size())
        return Error{Errc::invalid, cat({"bad server \"", name, "\": expected host:port"})};
    TRY_ASSIGN(Fd socket,
               connect_inet(address.substr(0, colon), address.substr(colon + 1), name, deadline));
    return Stream(std::move(socket), std::move(name));
}

Result<void> Stream::send(std::string_view bytes, const Deadline& deadline) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            TRY(sys::wait_ready(socket_.get(), sys::Ready::write, deadline));
        } else if (errno != EINTR) {
            return sys::system_error(cat({"send to ", name_}));
        }
    }
    return {};
}

Result<void> Stream::receive(const Deadline& deadline) {
    for (;;) {
        char buffer[4096];
        const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
        if (got > 0) {
            pending_.append(buffer, static_cast<std::size_t>(got));
            return {};
        }
        if (got == 0)
            return Error{Errc::closed, cat({name_, ": the server closed the connection"})};
        if (errno == EAGAIN) {
            if (auto ready = sys::wait_ready(socket_.get(), sys::Ready::read, deadline); !ready)
                return std::move(ready).error().within(cat({"answer of ", name_}));
        } else if (errno != EINTR) {
            return sys::system_error(cat({"receive from ", name_}));
        }
    }
}

Result<std::string> Stream::read_until(char delimiter, std::size_t limit,
                                       const Deadline& deadline) {
    for (;;) {
        const std::size_t at = pending_.find(delimiter);
        if (at <= limit) {
            std::string line = pending_.substr(0, at);
            pending_.erase(0, at + 1);
            return line;
        }
        if (pending_.size() > limit)
            return Error{Errc::invalid, cat({name_, ": the answer is too long"})};
        TRY(receive(deadline));
    }
}

Result<std::string> Stream::read_exactly(std::size_t count, const Deadline& deadline) {
    while (pending_.size() < count) TRY(receive(deadline));
    std::string bytes = pending_.substr(0, count);
    pending_.erase(0, count);
    return bytes;
}

}  // namespace postern::table
