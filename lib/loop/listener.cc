// The listener, see listener.h. It takes one connection a turn, so that processes which share the
// socket share its load as well.
#include "lib/loop/listener.h"

#include "lib/sys/socket.h"

namespace postern::loop {
namespace {

constexpr Millis kRetry{500};

}  // namespace

Listener::Listener(Loop& loop, int fd, OnAccept on_accept)
    : fd_(fd),
      on_accept_(std::move(on_accept)),
      watch_(loop, fd, [this] { on_readable(); }),
      retry_(loop, [this] { watch_.want_read(!paused_); }) {
    sys::set_blocking(fd, false);
    watch_.want_read(true);
}

void Listener::pause() {
    paused_ = true;
    watch_.want_read(false);
}

void Listener::resume() {
    paused_ = false;
    if (!retry_.active()) watch_.want_read(true);
}

void Listener::on_readable() {
    auto accepted = sys::accept_from(fd_);
    if (!accepted) {
        watch_.want_read(false);
        retry_.start(kRetry);
        return;
    }
    if (!*accepted) return;
    const OnAccept callback = on_accept_;  // may destroy us
    callback(std::move((*accepted)->fd), (*accepted)->peer);
}

}  // namespace postern::loop
