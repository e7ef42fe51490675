#include "imapd/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "lib/sys/client_send.h"
#include "lib/sys/error.h"

namespace postern::imapd {
namespace {

constexpr std::size_t kReadSize = 16384;
constexpr std::size_t kCompressedReadSize = 2048;  // may become a thousand times as much
constexpr std::size_t kBufferSize = 32768;         // gathered before a write
constexpr std::size_t kDirectSize = 16384;         // larger pieces are not copied into the buffer

int milliseconds(const Deadline& deadline) {
    const auto left = deadline.left().count();
    return static_cast<int>(std::min<std::int64_t>(left, std::numeric_limits<int>::max()));
}

bool would_block(int number) {
    return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

}  // namespace

Connection::Connection(Fd socket, std::string pending, Fd stop)
    : socket_(std::move(socket)), stop_(std::move(stop)), in_(std::move(pending)) {}

Result<std::string_view> Connection::input(const Deadline& deadline) {
    if (has_input()) return std::string_view(in_).substr(head_);
    in_.clear();
    head_ = 0;
    for (;;) {
        std::array<char, kReadSize> chunk;
        const std::size_t size = compression_ ? kCompressedReadSize : chunk.size();
        const ssize_t count = ::recv(socket_.get(), chunk.data(), size, MSG_DONTWAIT);
        if (count > 0) {
            bytes_in_ += static_cast<std::size_t>(count);
            TRY(take({chunk.data(), static_cast<std::size_t>(count)}));
            if (!in_.empty()) return std::string_view(in_);
            continue;
        }
        if (count == 0) return Error{Errc::closed, "client closed the connection"};
        if (!would_block(errno))
            return Error{Errc::closed, sys::system_error("read from client").what};
        TRY(sys::wait_ready(socket_.get(), sys::Ready::read, stop_.get(), deadline));
    }
}

Result<void> Connection::take(std::string_view bytes) {
    if (!compression_) {
        in_ = bytes;
        return {};
    }
    TRY_ASSIGN(in_, compression_->in.expand(bytes));
    return {};
}

Result<void> Connection::compress() {
    TRY_ASSIGN(Deflater out, Deflater::make());
    TRY_ASSIGN(Inflater in, Inflater::make());
    compression_ = Compression{std::move(out), std::move(in)};
    const std::string read_already = in_.substr(head_);
    head_ = 0;
    return take(read_already);
}

Result<void> Connection::send(std::string_view bytes, Millis patience) {
    std::string compressed;
    if (compression_ && !bytes.empty()) {
        TRY_ASSIGN(compressed, compression_->out.compress(bytes));
        bytes = compressed;
    }
    const std::size_t size = bytes.size();
    auto sent = sys::send_to_client(socket_.get(), bytes, stop_.get(), patience);
    bytes_out_ += size - bytes.size();
    return sent;
}

Connection::Woken Connection::wait(int other, const Deadline& deadline) {
    if (has_input()) return Woken::input;
    // poll(2) passes over descriptors of -1
    std::array<pollfd, 3> all{pollfd{socket_.get(), POLLIN, 0}, pollfd{other, POLLIN, 0},
                              pollfd{stop_.get(), POLLIN, 0}};
    const int ready = ::poll(all.data(), all.size(), milliseconds(deadline));
    if (ready <= 0) return Woken::nothing;
    if (all[2].revents != 0) return Woken::stop;
    return all[0].revents != 0 ? Woken::input : Woken::other;
}

void Output::write(std::string_view bytes) {
    if (bytes.size() >= kDirectSize) {
        flush();
        send(bytes);
        return;
    }
    buffer_ += bytes;
    if (buffer_.size() >= kBufferSize) flush();
}

void Output::flush() {
    send(buffer_);
    buffer_.clear();
}

void Output::send(std::string_view bytes) {
    if (!failed_ && !connection_.send(bytes, patience_)) failed_ = true;
}

}  // namespace postern::imapd
