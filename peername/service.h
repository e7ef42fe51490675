// The conversations of peername: a question, the answer, the end.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "lib/ipc/loop_channel.h"
#include "lib/loop/loop.h"

#include "peername/name_finder.h"

namespace postern::peername {

class Conversations {
  public:
    static constexpr std::size_t kMax = 5000;

    Conversations(loop::Loop& loop, NameFinder& finder, std::function<void()> session_ended)
        : loop_(loop), finder_(finder), session_ended_(std::move(session_ended)) {}
    void serve(Fd socket);

  private:
    class Conversation;
    void end(Conversation* conversation);

    loop::Loop& loop_;
    NameFinder& finder_;
    std::function<void()> session_ended_;
    std::map<Conversation*, std::shared_ptr<Conversation>> all_;
};

}  // namespace postern::peername
