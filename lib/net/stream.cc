// Blocking streams, see stream.h. The sockets stay non-blocking underneath; poll(2) waits, at most
// until the deadline.
#include "lib/net/stream.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "lib/base/strings.h"
#include "lib/sys/error.h"
#include "lib/sys/port.h"

namespace postern::net {
namespace {

constexpr std::size_t kReadSize = 16 * 1024;

Result<void> wait_for(int fd, short events, const Deadline& deadline, std::string_view doing) {
    for (;;) {
        pollfd poll{fd, events, 0};
        const auto left =
            std::min<long long>(deadline.left().count(), std::numeric_limits<int>::max());
        const int ready = ::poll(&poll, 1, static_cast<int>(left));
        if (ready > 0) return {};
        if (ready == 0) return Error{Errc::timeout, cat({doing, ": timed out"})};
        if (errno != EINTR) return sys::system_error(doing);
    }
}

}  // namespace

Stream::Stream(Fd socket) : socket_(std::move(socket)) { sys::set_blocking(socket_.get(), false); }

Result<bool> Stream::fill(const Deadline& deadline) {
    if (head_ > 0) in_.erase(0, std::exchange(head_, 0));
    const std::size_t before = in_.size();
    char bytes[kReadSize];
    while (in_.size() == before) {
        if (tls_ && tls_->peer_closed()) return false;  // it may keep the socket open
        const ssize_t size = ::recv(socket_.get(), bytes, sizeof bytes, 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            TRY(wait_for(socket_.get(), POLLIN, deadline, "read"));
            continue;
        }
        if (size < 0) return sys::system_error("read");
        if (size == 0) return false;
        const std::string_view got(bytes, static_cast<std::size_t>(size));
        if (!tls_) {
            in_.append(got);
            continue;
        }
        std::string out;
        auto fed = tls_->feed(got, in_, out);
        if (!out.empty()) TRY(send_all(out, deadline));
        TRY(std::move(fed));
    }
    return true;
}

Result<std::string_view> Stream::read_some(const Deadline& deadline) {
    if (!has_input()) {
        TRY_ASSIGN(const bool more, fill(deadline));
        if (!more) return std::string_view();
    }
    auto all = std::string_view(in_).substr(head_);
    head_ = in_.size();
    return all;
}

Result<std::string> Stream::read_line(std::size_t limit, const Deadline& deadline) {
    std::size_t searched = 0;
    for (;;) {
        const auto waiting = std::string_view(in_).substr(head_);
        const auto end = waiting.find('\n', searched);
        if (end == waiting.npos && waiting.size() <= limit + 1) {
            searched = waiting.size();
            TRY_ASSIGN(const bool more, fill(deadline));
            if (!more) return Error{Errc::closed, "read: end of input"};
            continue;
        }
        auto line = waiting.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.size() > limit) return Error{Errc::invalid, "read: line too long"};
        std::string text(line);
        head_ += end + 1;
        return text;
    }
}

Result<std::string> Stream::read_bytes(std::size_t count, const Deadline& deadline) {
    std::string bytes;
    while (bytes.size() < count) {
        TRY_ASSIGN(auto some, read_some(deadline));
        if (some.empty()) return Error{Errc::closed, "read: end of input"};
        const auto taken = std::min(some.size(), count - bytes.size());
        bytes.append(some.substr(0, taken));
        head_ -= some.size() - taken;
    }
    return bytes;
}

Result<void> Stream::send_all(std::string_view bytes, const Deadline& deadline) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN || errno == EINTR) {
            TRY(wait_for(socket_.get(), POLLOUT, deadline, "write"));
        } else {
            return sys::system_error("write");
        }
    }
    return {};
}

Result<void> Stream::write(std::string_view bytes, const Deadline& deadline) {
    if (!tls_) return send_all(bytes, deadline);
    std::string out;
    TRY(tls_->write(bytes, out));
    return send_all(out, deadline);
}

Result<void> Stream::shake_hands(const Deadline& deadline) {
    while (!tls_->established()) {
        char bytes[kReadSize];
        const ssize_t size = ::recv(socket_.get(), bytes, sizeof bytes, 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            TRY(wait_for(socket_.get(), POLLIN, deadline, "TLS handshake"));
            continue;
        }
        if (size < 0) return sys::system_error("TLS handshake");
        if (size == 0) return Error{Errc::closed, "closed during TLS handshake"};
        std::string out;
        auto fed = tls_->feed({bytes, static_cast<std::size_t>(size)}, in_, out);
        if (!out.empty()) TRY(send_all(out, deadline));
        TRY(std::move(fed));
    }
    return {};
}

Result<void> Stream::start_tls_server(const tls::ServerContext& context, const Deadline& deadline) {
    if (has_input()) return Error{Errc::denied, "plaintext input before the TLS handshake"};
    TRY_ASSIGN(auto engine, tls::Engine::server(context));
    tls_.emplace(std::move(engine));
    return shake_hands(deadline);
}

Result<void> Stream::start_tls_client(const tls::ClientContext& context,
                                      const std::string& hostname, const Deadline& deadline) {
    if (has_input()) return Error{Errc::denied, "plaintext input before the TLS handshake"};
    TRY_ASSIGN(auto engine, tls::Engine::client(context, hostname));
    tls_.emplace(std::move(engine));
    std::string out;
    TRY(tls_->start(out));
    TRY(send_all(out, deadline));
    return shake_hands(deadline);
}

void Stream::finish(const Deadline& deadline) {
    if (!tls_) return;
    std::string out;
    tls_->close(out);
    static_cast<void>(send_all(out, deadline));
}

Result<Stream> connect(const sys::SocketAddress& to, const Deadline& deadline) {
    TRY_ASSIGN(Fd fd, sys::start_connect(to));
    TRY(wait_for(fd.get(), POLLOUT, deadline, "connect to " + to.str()));
    TRY(sys::connect_outcome(fd.get(), to));
    return Stream(std::move(fd));
}

std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
    Endpoint endpoint;
    endpoint.port = default_port;
    if (text.starts_with("unix:")) {
        endpoint.unix_path = text.substr(5);
        return endpoint.unix_path.empty() ? std::nullopt : std::optional(endpoint);
    }
    if (text.starts_with("inet:")) text.remove_prefix(5);
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == text.npos) return std::nullopt;
        endpoint.host = text.substr(1, close - 1);
        port = text.substr(close + 1);
    } else {
        const auto colon = text.find(':');
        endpoint.host = text.substr(0, colon);
        port = colon == text.npos ? std::string_view() : text.substr(colon);
    }
    if (endpoint.host.empty()) return std::nullopt;
    if (port.empty()) return endpoint;
    if (port.front() != ':') return std::nullopt;
    const auto number = sys::parse_port(port.substr(1));
    if (!number) return std::nullopt;
    endpoint.port = *number;
    return endpoint;
}

Result<std::vector<sys::SocketAddress>> resolve(const Endpoint& endpoint) {
    std::vector<sys::SocketAddress> found;
    if (!endpoint.unix_path.empty()) {
        TRY_ASSIGN(auto address, sys::SocketAddress::unix_path(endpoint.unix_path));
        found.push_back(address);
        return found;
    }
    if (auto ip = IpAddress::parse(endpoint.host)) {
        found.push_back(sys::SocketAddress::inet(*ip, endpoint.port));
        return found;
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int failed =
        ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list);
    if (failed != 0) {
        const auto code =
            failed == EAI_NONAME || failed == EAI_NODATA ? Errc::not_found : Errc::temporary;
        return Error{code, cat({endpoint.host, ": ", ::gai_strerror(failed)})};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
    for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
        sockaddr_storage storage{};
        const auto* from = reinterpret_cast<const char*>(entry->ai_addr);
        std::copy(from, from + entry->ai_addrlen, reinterpret_cast<char*>(&storage));
        found.push_back(sys::SocketAddress::from_native(storage, entry->ai_addrlen));
    }
    return found;
}

}  // namespace postern::net
