#include "cleanup/content.h"

#include <unistd.h>

#include <cerrno>

#include "lib/sys/error.h"
#include "lib/sys/file.h"

namespace postern::cleanup {
namespace {

constexpr std::size_t kChunk = 64 << 10;

}  // namespace

Content::Content(loop::Loop& loop, sys::Fs& fs, Fd fd, Handler handler)
    : loop_(loop), fs_(fs), fd_(std::move(fd)), handler_(std::move(handler)) {}

Result<std::shared_ptr<Content>> Content::open(loop::Loop& loop, sys::Fs& fs, Fd fd,
                                               Handler handler) {
    TRY_ASSIGN(const sys::FileInfo info, fs.info(fd.get()));
    const bool pipe = info.kind == sys::FileInfo::Kind::fifo;
    if (!pipe && info.kind != sys::FileInfo::Kind::regular)
        return Error{Errc::invalid, "content is neither a pipe nor a file"};
    auto content = std::make_shared<Content>(loop, fs, std::move(fd), std::move(handler));
    if (!pipe) return content;
    TRY(sys::set_nonblocking(content->fd_.get()));
    content->watch_ = std::make_unique<loop::Watch>(loop, content->fd_.get(),
                                                    [self = content.get()] { self->read_pipe(); });
    return content;
}

void Content::start() { is_pipe() ? watch_->want_read(true) : read_file(); }

void Content::close() {
    watch_.reset();
    fd_.reset();
}

void Content::read_pipe() {
    const auto self = shared_from_this();
    char buffer[kChunk];
    const ssize_t n = ::read(fd_.get(), buffer, sizeof buffer);
    if (n > 0) return handler_.on_bytes({buffer, static_cast<std::size_t>(n)});
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    const Error error = sys::system_error("read message content");
    close();
    n < 0 ? handler_.on_failed(error) : handler_.on_end();
}

// A plain file is always readable: a portion per turn of the loop, so that others are served as
// well.
void Content::read_file() {
    const auto self = shared_from_this();
    auto bytes = fs_.read_at(fd_.get(), offset_, kChunk);
    if (!bytes || bytes->empty()) {
        close();
        return bytes ? handler_.on_end() : handler_.on_failed(bytes.error());
    }
    offset_ += bytes->size();
    handler_.on_bytes(*bytes);
    loop_.post([weak = weak_from_this()] {
        if (const auto content = weak.lock()) content->read_file();
    });
}

}  // namespace postern::cleanup
