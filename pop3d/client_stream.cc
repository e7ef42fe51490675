#include "pop3d/client_stream.h"

#include <sys/socket.h>

#include <cerrno>

#include "lib/sys/client_send.h"
#include "lib/sys/error.h"

namespace postern::pop3d {
namespace {

constexpr std::size_t kChunk = 8192;

bool must_wait(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

Result<std::string_view> ClientStream::read_some(const Deadline& deadline) {
    buffer_.resize(kChunk);
    for (;;) {
        const ssize_t n = ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (n >= 0) return std::string_view(buffer_).substr(0, static_cast<std::size_t>(n));
        if (!must_wait(errno)) return sys::system_error("read from client");
        TRY(sys::wait_ready(socket_.get(), sys::Ready::read, stop_.get(), deadline));
    }
}

Result<void> ClientStream::write(std::string_view bytes, Millis patience) {
    return sys::send_to_client(socket_.get(), bytes, stop_.get(), patience);
}

}  // namespace postern::pop3d
