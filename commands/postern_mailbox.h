// postern mailbox: looks at a user's mailbox and brings mail in and out. As root it acts as the
// owner of the mailbox, so that every file that it makes is the user's.
//   postern mailbox list|status|check|rebuild|search|export|import WHOSE ...
#pragma once

#include <span>
#include <string>

#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::commands {

// The exit status: 0 done, 1 refused or failed (said on standard error), 2 wrong usage.
int mailbox_command(std::span<const std::string> arguments, const config::Config& config);

// Where the mailbox of a user is: by auth_passwd_file, else by the system's account and
// mailbox_path. A name with a slash is a Maildir itself. Errc::not_found. `inbox_file`: the mbox
// that is the INBOX, or empty.
Result<std::string> find_mailbox(const std::string& whose, const config::Config& config,
                                 std::string* inbox_file = nullptr);

}  // namespace postern::commands
