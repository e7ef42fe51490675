#include "lib/sys/unix_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/sys/error.h"

namespace postern::sys {
namespace {

constexpr std::size_t kMaxDescriptors = 16;
constexpr int kPacketSocket = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // An empty path, or one with a NUL, would name something else: an abstract socket, a shorter
    // path.
    if (path.empty() || path.find('\0') != std::string::npos)
        return Error{Errc::invalid, "socket \"" + printable(path) + "\": not a path"};
    if (path.size() >= sizeof address.sun_path)
        return Error{Errc::invalid, "socket " + path + ": path longer than 107 bytes"};
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

const sockaddr* as_sockaddr(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

Result<std::pair<Fd, Fd>> pair_of(int type) {
    int ends[2];
    if (::socketpair(AF_UNIX, type, 0, ends) != 0) return system_error("socketpair");
    return std::pair(Fd(ends[0]), Fd(ends[1]));
}

std::vector<Fd> take_descriptors(msghdr& message) {
    std::vector<Fd> taken;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
            taken.emplace_back(fd);
        }
    }
    return taken;
}

// What is not a socket was put there by somebody for another purpose.
Result<void> remove_socket(const std::string& path) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) {
        if (errno == ENOENT) return {};
        return system_error("socket " + path);
    }
    if (!S_ISSOCK(st.st_mode))
        return Error{Errc::invalid, "socket " + path + ": there is something else"};
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return system_error("unlink socket " + path);
    return {};
}

}  // namespace

Result<Fd> listen_unix(const std::string& path, mode_t mode, int backlog) {
    TRY_ASSIGN(const sockaddr_un address, address_of(path));
    Fd fd(::socket(AF_UNIX, kPacketSocket, 0));
    if (!fd) return system_error("socket " + path);
    TRY(remove_socket(path));
    if (::bind(fd.get(), as_sockaddr(address), sizeof address) != 0)
        return system_error("bind " + path);
    if (::chmod(path.c_str(), mode) != 0) return system_error("chmod " + path);
    if (::listen(fd.get(), backlog) != 0) return system_error("listen " + path);
    return fd;
}

Result<Fd> try_connect_unix(const std::string& path) {
    TRY_ASSIGN(const sockaddr_un address, address_of(path));
    Fd fd(::socket(AF_UNIX, kPacketSocket, 0));
    if (!fd) return system_error("socket for " + path);
    if (::connect(fd.get(), as_sockaddr(address), sizeof address) != 0)
        return system_error("connect to " + path);
    return fd;
}

Result<Fd> connect_unix(const std::string& path, const Deadline& deadline) {
    constexpr int kRetryMillis = 5;
    for (;;) {
        auto fd = try_connect_unix(path);
        if (fd || !would_block(fd.error())) return fd;
        if (deadline.passed())
            return Error{Errc::timeout, "connect to " + path + ": service is busy"};
        // A full backlog gives no event to wait for (connect(2), EAGAIN on Unix sockets).
        ::poll(nullptr, 0, kRetryMillis);
    }
}

Result<std::pair<Fd, Fd>> packet_pair() { return pair_of(kPacketSocket); }

Result<std::pair<Fd, Fd>> stream_pair() {
    return pair_of(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
}

Result<void> send_packet(int socket, std::string_view bytes, std::span<const int> descriptors) {
    POSTERN_CHECK(descriptors.size() <= kMaxDescriptors);
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(c), descriptors.data(), descriptors.size_bytes());
    }
    for (;;) {
        if (::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return {};
        if (errno != EINTR) return system_error("send message");
    }
}

Result<ReceivedPacket> receive_packet(int socket, std::size_t max_bytes,
                                      std::size_t max_descriptors) {
    // One buffer per thread (tests play both sides in one process), as large as the largest packet;
    // only what arrived is copied out. Not filled: thousands of processes have one, of which few
    // ever see a page beyond the first.
    static thread_local std::unique_ptr<char[]> buffer;
    static thread_local std::size_t room = 0;
    if (room < max_bytes) {
        buffer = std::make_unique_for_overwrite<char[]>(max_bytes);
        room = max_bytes;
    }
    iovec part{buffer.get(), max_bytes};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t n = 0;
    do {
        n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return system_error("receive message");
    ReceivedPacket packet{{}, take_descriptors(message)};
    if (n == 0 && packet.descriptors.empty())
        return Error{Errc::closed, "receive message: connection closed"};
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return Error{Errc::invalid, "receive message: longer than allowed"};
    if (packet.descriptors.size() > max_descriptors)
        return Error{Errc::invalid, "receive message: surplus descriptors"};
    packet.bytes.assign(buffer.get(), static_cast<std::size_t>(n));
    ::explicit_bzero(buffer.get(), static_cast<std::size_t>(n));  // it may have been a password
    return packet;
}

Result<PeerCredentials> peer_credentials(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return system_error("peer credentials");
    return PeerCredentials{credentials.uid, credentials.gid, credentials.pid};
}

Result<void> wait_ready(int fd, Ready ready, const Deadline& deadline) {
    pollfd p{fd, static_cast<short>(ready == Ready::read ? POLLIN : POLLOUT), 0};
    for (;;) {
        const auto left = std::min<std::int64_t>(deadline.left().count(), 1'000'000'000);
        const int n = ::poll(&p, 1, static_cast<int>(left));
        if (n > 0) return {};
        if (n == 0 && deadline.passed()) return Error{Errc::timeout, "no answer in time"};
        if (n < 0 && errno != EINTR) return system_error("poll");
    }
}

bool would_block(const Error& error) { return error.sys == EAGAIN; }

}  // namespace postern::sys
