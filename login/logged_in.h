// LoggedIn: a client that a worker has taken over, and what login keeps of it.
#pragma once

#include <string>

#include "lib/base/fd.h"
#include "lib/ipc/messages/login.h"
#include "lib/ipc/messages/sessions.h"

namespace postern::login {

struct LoggedIn {
    ipc::Handoff handoff;
    ipc::SessionFacts facts;
    std::string about;     // for the log
    Fd connection;         // to the worker
    Fd dismissal;          // an eventfd that the worker watches (ipc::Handoff)
    bool relayed = false;  // a ClientSession of this process goes on all the while
};

}  // namespace postern::login
