// Nudger: tells qmgr about new queue files over a connection that is kept. A nudge that is lost
// (qmgr restarts, the socket is full) costs time only: qmgr scans incoming/ as well.
#pragma once

#include <memory>
#include <string>

#include "lib/base/ids.h"
#include "lib/ipc/loop_channel.h"
#include "lib/loop/loop.h"

namespace postern::cleanup {

class Nudger {
  public:
    Nudger(loop::Loop& loop, std::string socket) : loop_(loop), socket_(std::move(socket)) {}

    void nudge(const QueueId& file);

  private:
    bool connect();

    loop::Loop& loop_;
    std::string socket_;
    std::unique_ptr<ipc::LoopChannel> channel_;
};

}  // namespace postern::cleanup
