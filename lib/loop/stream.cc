// The stream, see stream.h. Both directions are plain contiguous buffers with a head offset: lines
// and message bytes are handed out as views, and what a reply batch queued leaves in one system
// call.
#include "lib/loop/stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "lib/base/check.h"
#include "lib/sys/error.h"
#include "lib/sys/socket.h"

namespace postern::loop {
namespace {

constexpr std::size_t kReadSize = 64 * 1024;
// A buffer of this size may stay while a stream idles.
constexpr std::size_t kKeep = 256;

void release(std::string& buffer, std::size_t& head) {
    head = 0;
    if (buffer.capacity() > kKeep) {
        std::string().swap(buffer);
    } else {
        buffer.clear();
    }
}

}  // namespace

Stream::Stream(Loop& loop, Fd socket, StreamHandler& handler)
    : loop_(loop), handler_(handler), socket_(std::move(socket)) {
    watch_socket();
    watch_->want_read(true);
}

std::unique_ptr<Stream> Stream::connecting(Loop& loop, Fd socket, std::string name,
                                           StreamHandler& handler) {
    auto stream = std::make_unique<Stream>(loop, std::move(socket), handler);
    stream->connecting_ = true;
    stream->name_ = std::move(name);
    stream->update_interest();
    return stream;
}

Stream::~Stream() {
    if (gone_) *gone_ = true;
    if (self_) *self_ = nullptr;
    watch_.reset();  // before the descriptor is closed
}

void Stream::watch_socket() {
    watch_ = std::make_unique<Watch>(
        loop_, socket_.get(), [this] { on_readable(); }, [this] { on_writable(); });
}

// --- Input ---

Stream::Line Stream::take_line(std::size_t limit) {
    const auto waiting = input();
    const auto end = waiting.find('\n');
    if (end == waiting.npos) {
        // A CR at the end may be the first half of the line's own end, and does not count then.
        if (skipping_ || waiting.size() > limit + (waiting.ends_with('\r') ? 1 : 0)) {
            skipping_ = true;
            consume(waiting.size());
        }
        return {};
    }
    Line line;
    line.text = waiting.substr(0, end);
    line.crlf = line.text.ends_with('\r');
    if (line.crlf) line.text.remove_suffix(1);
    line.kind = skipping_ || line.text.size() > limit ? Line::Kind::too_long : Line::Kind::line;
    skipping_ = false;
    consume(end + 1);
    return line;
}

void Stream::consume(std::size_t count) {
    POSTERN_CHECK(count <= in_.size() - in_head_);
    in_head_ += count;
    // The views that we gave out stay valid: the buffer itself changes only when the loop reads.
    if (!watch_->wants_read()) update_interest();
}

void Stream::release_input() {
    if (in_head_ == 0 && !in_.empty()) return;
    if (in_head_ == in_.size()) {
        release(in_, in_head_);
    } else {
        in_.erase(0, in_head_);
        in_head_ = 0;
    }
}

void Stream::set_input_limit(std::size_t bytes) {
    input_limit_ = bytes;
    update_interest();
}

void Stream::pause_reading() {
    paused_ = true;
    update_interest();
}

void Stream::resume_reading() {
    paused_ = false;
    update_interest();
}

void Stream::update_interest() {
    if (over_ || self_ || !watch_) return;
    const bool has_room = in_.size() - in_head_ < input_limit_;
    watch_->want_read(!connecting_ && !eof_ && !closing_ && (!paused_ || (tls_ && !secured())) &&
                      has_room);
    watch_->want_write(connecting_ || blocked_);
}

Result<void> Stream::read_some() {
    char bytes[kReadSize];
    const ssize_t size = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (size < 0) {
        if (errno == EAGAIN || errno == EINTR) return {};
        return sys::system_error("read");
    }
    if (size == 0) {
        eof_ = true;
        if (tls_ && !tls_->established()) return Error{Errc::closed, "closed during TLS handshake"};
        return {};
    }
    return take_in({bytes, static_cast<std::size_t>(size)});
}

Result<void> Stream::take_in(std::string_view bytes) {
    release_input();
    if (!tls_) {
        in_.append(bytes);
        return {};
    }
    TRY(tls_->feed(bytes, in_, out_));
    if (tls_->peer_closed()) eof_ = true;
    return {};
}

void Stream::on_readable() {
    const std::size_t before = in_.size() - in_head_;
    auto read = read_some();
    if (!read) {
        static_cast<void>(send_some());  // a TLS alert, if there is one
        return end(std::move(read).error());
    }
    const bool news = eof_ || in_.size() - in_head_ > before;
    if (tls_ && !told_secured_ && tls_->established()) {
        told_secured_ = true;
        bool gone = false;
        gone_ = &gone;
        handler_.on_secured();
        if (gone) return;
        gone_ = nullptr;
    }
    if (news && !closing_ && !over_ && !deliver_input()) return;
    settle();
}

bool Stream::deliver_input() {
    bool gone = false;
    gone_ = &gone;
    handler_.on_input();
    if (gone) return false;
    gone_ = nullptr;
    return true;
}

bool Stream::settle() {
    if (over_) return true;
    flush();
    update_interest();
    return true;
}

// --- Output ---

void Stream::write(std::string_view bytes) {
    if (closing_ || over_) return;
    (tls_ ? plain_ : out_).append(bytes);
}

std::size_t Stream::queued() const { return out_.size() - out_head_ + plain_.size(); }

void Stream::encrypt_pending() {
    if (!tls_ || plain_.empty() || !tls_->established()) return;
    auto written = tls_->write(plain_, out_);
    std::size_t none = 0;
    release(plain_, none);
    if (!written) end_later(std::move(written).error());
}

Result<void> Stream::send_some() {
    encrypt_pending();
    while (out_head_ < out_.size()) {
        const ssize_t sent =
            ::send(socket_.get(), out_.data() + out_head_, out_.size() - out_head_, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) {
                out_.erase(0, std::exchange(out_head_, 0));
                blocked_ = true;
                return {};
            }
            return sys::system_error("write");
        }
        out_head_ += static_cast<std::size_t>(sent);
    }
    if (!out_.empty()) release(out_, out_head_);
    blocked_ = false;
    return {};
}

void Stream::flush() {
    if (in_head_ == in_.size()) release_input();
    if (over_ || connecting_ || blocked_ || queued() == 0) return;
    auto sent = send_some();
    if (!sent) return end_later(std::move(sent).error());
    if (blocked_) update_interest();
}

void Stream::on_writable() {
    if (connecting_) {
        auto made = sys::connect_outcome(socket_.get(), sys::SocketAddress());
        if (!made) return end(sys::system_error("connect to " + name_, made.error().sys));
        connecting_ = false;
        bool gone = false;
        gone_ = &gone;
        handler_.on_connected();
        if (gone) return;
        gone_ = nullptr;
        settle();
        return;
    }
    auto sent = send_some();
    if (!sent) return end(std::move(sent).error());
    if (blocked_) return;
    update_interest();
    if (closing_) return end(std::nullopt);
    bool gone = false;
    gone_ = &gone;
    handler_.on_drained();
    if (gone) return;
    gone_ = nullptr;
    settle();
}

void Stream::close_after_flush() {
    if (closing_ || over_) return;
    encrypt_pending();
    if (secured()) tls_->close(out_);
    closing_ = true;
    release(in_, in_head_);
    std::size_t none = 0;
    release(plain_, none);  // of a handshake that will never be done
    if (connecting_) return end_later(std::nullopt);
    flush();
    update_interest();
    if (!blocked_) end_later(std::nullopt);
}

void Stream::end(std::optional<Error> error) {
    if (over_) return;
    over_ = true;
    watch_->want_read(false);
    watch_->want_write(false);
    if (!error && !eof_) {
        // What the peer sent and nobody will read must go, or the kernel answers with a reset that
        // may overtake our last reply.
        char bytes[4096];
        int rounds = 16;
        while (rounds > 0 && ::recv(socket_.get(), bytes, sizeof bytes, 0) > 0) --rounds;
    }
    handler_.on_closed(error ? &*error : nullptr);
}

void Stream::end_later(std::optional<Error> error) {
    if (self_) return;  // posted already
    self_ = std::make_shared<Stream*>(this);
    watch_->want_read(false);
    loop_.post([self = self_, error = std::move(error)]() mutable {
        if (*self) (*self)->end(std::move(error));
    });
}

// --- TLS ---

Result<void> Stream::start_tls_server(const tls::ServerContext& context) {
    if (!input().empty()) return Error{Errc::denied, "plaintext input before the TLS handshake"};
    TRY_ASSIGN(auto engine, tls::Engine::server(context));
    tls_.emplace(std::move(engine));
    update_interest();
    return {};
}

Result<void> Stream::start_tls_client(const tls::ClientContext& context,
                                      const std::string& hostname, const tls::Dane* dane) {
    if (!input().empty()) return Error{Errc::denied, "plaintext input before the TLS handshake"};
    TRY_ASSIGN(auto engine, tls::Engine::client(context, hostname, dane));
    tls_.emplace(std::move(engine));
    TRY(tls_->start(out_));
    update_interest();
    return {};
}

Fd Stream::detach(std::string& pending) {
    POSTERN_CHECK(!tls_ && queued() == 0);
    pending.assign(input());
    over_ = true;
    watch_->want_read(false);
    watch_->want_write(false);
    watch_.reset();
    return std::move(socket_);
}

}  // namespace postern::loop
