// Processes: local's own children, each at the other end of a channel. A child that died is
// replaced when it is needed next; the idlest one makes room when there are too many.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/ipc/channel.h"

namespace postern::local {

class Processes {
  public:
    // In the child; `inherited` are the descriptors that get() was told to keep.
    using Body = std::function<void(ipc::Channel& parent, std::vector<Fd>& inherited)>;
    static constexpr std::size_t kMaxProcesses = 100;

    // The channel to the child of that name, which runs `body` and exits when that returns. Forks
    // it when there is none.
    Result<ipc::Channel*> get(const std::string& name, const Body& body,
                              const std::vector<int>& keep = {});
    // The child of that name is no use any more: the next get() makes a new one.
    void forget(const std::string& name) { children_.erase(name); }
    // Collects the dead.
    void reap();

    // Forks a child outside the pool that runs `body` and exits.
    static Result<pid_t> fork_once(const std::function<void()>& body);

  private:
    struct Child {
        pid_t pid = -1;
        ipc::Channel channel;  // closing it ends the child, after the jobs that it has
        SteadyTime last_used;
    };
    void make_room();
    std::map<std::string, Child> children_;
};

// In a child: keeps the log and these descriptors, under the numbers that are returned; closes all
// else that the daemon was born with or holds (listening sockets, qmgr's connections, other
// children's channels).
std::vector<Fd> keep_only(const std::vector<int>& descriptors);

}  // namespace postern::local
