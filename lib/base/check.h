// POSTERN_CHECK: for what cannot happen unless the program is wrong. Logs file and line to standard
// error and aborts; master starts a new process. Never for anything that a peer, a file or a
// neighbour can cause.
#pragma once

namespace postern {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

// Called with the text of a failed check before the process aborts; log installs one. Null by default.
using CheckReporter = void (*)(const char* text);
void set_check_reporter(CheckReporter reporter);

}  // namespace postern

#define POSTERN_CHECK(condition) \
    (static_cast<bool>(condition) ? static_cast<void>(0) : ::postern::check_failed(#condition, __FILE__, __LINE__))
