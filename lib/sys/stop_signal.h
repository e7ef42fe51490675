// SIGTERM as a descriptor, for processes that serve one user straight-line and want to say goodbye
// when the system stops: what blocks on the client blocks on this as well.
#pragma once

#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/unix_socket.h"

namespace postern::sys {

// From here on SIGTERM does not end this process; the descriptor becomes readable instead, and
// stays so (nobody reads it).
Result<Fd> stop_signal();

// One descriptor for both: becomes readable when the system stops, or when an operator dismisses
// this session, of which `dismissal` tells. Both must stay open.
Result<Fd> stop_or_dismissal(int signal, int dismissal);

// Blocks SIGTERM, so that one that comes between fork() and stop_signal() is not lost; the parent
// unblocks it again.
void block_stop_signal(bool block);

// As wait_ready(), but ends with Errc::closed when `stop` (-1: none) becomes readable first.
Result<void> wait_ready(int fd, Ready ready, int stop, const Deadline& deadline);
// Whether the signal has come (or the session is dismissed).
bool is_stopped(int stop);
// Of a stop that has come: an operator wants this session to end.
bool is_dismissed(int stop);
// The same for people: "Server shutting down" or its like.
std::string_view stop_reason(int stop);

}  // namespace postern::sys
