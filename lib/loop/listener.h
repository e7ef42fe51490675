// Listener: accepts connections from a listening socket that may be shared with other processes.
#pragma once

#include <functional>

#include "lib/base/fd.h"
#include "lib/sys/socket.h"

#include "lib/loop/loop.h"

namespace postern::loop {

class Listener {
  public:
    using OnAccept = std::function<void(Fd socket, const sys::SocketAddress& peer)>;

    // Does not own the descriptor: it is usually inherited. Starts accepting at once.
    Listener(Loop& loop, int fd, OnAccept on_accept);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // A process that serves all it can lets its neighbours take the next connection.
    void pause();
    void resume();

  private:
    void on_readable();

    int fd_;
    OnAccept on_accept_;
    bool paused_ = false;
    Watch watch_;
    Timer retry_;  // out of descriptors: look again later instead of spinning
};

}  // namespace postern::loop
