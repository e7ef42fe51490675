// What the end of a command means for the mail that it was to deliver: local's "|command" and
// pipe(8).
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/verdict.h"
#include "lib/sys/command.h"

namespace postern::queue {

// `shown`: the command as an administrator wrote it, for the texts. `delivered`: the text of a
// success, "delivered to command: /usr/bin/procmail". An exit status of sysexits.h decides, unless
// the output begins with an enhanced status code ("4.2.2 mailbox full"); death by a signal is tried
// again; the time limit is final.
Verdict command_verdict(const Result<sys::CommandResult>& result, std::string_view shown,
                        std::string_view delivered);

}  // namespace postern::queue
