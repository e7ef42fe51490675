// A spare: a process of a forking service that was forked before there is a connection for it. It
// waits at the listening sockets itself, so that a connection wakes who will serve it. Spare and
// parent hold the ends of a tie: the spare says through it that it has taken a connection; the
// parent lets go of it when it wants no spare any more, and so does the kernel when it is gone.
#pragma once

#include <sys/types.h>

#include "lib/base/fd.h"

#include "lib/service/child.h"

namespace postern::service {

struct Spare {
    pid_t pid;
    Fd tie;
};

// For people who look at the processes: "imapd waiting", or "imapd" again. A child begins with the
// name that its parent had when it forked.
void name_process(const Child& child, bool waiting);
// In the spare: a connection from somebody who may call. Empty when it shall end.
Fd wait_for_connection(Child& child, int tie);
void tell_taken(Fd tie);
// In the parent, of a tie that is readable.
bool has_taken(int tie);

}  // namespace postern::service
