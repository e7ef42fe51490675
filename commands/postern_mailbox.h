// postern mailbox: looks at a user's mailbox and brings mail in and out. As root it acts as the
// user, so that every file that it makes is his, and no link leads to what is not.
//   postern mailbox list|status|check|rebuild|search|export|import WHOSE ...
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>

#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::commands {

// The exit status: 0 done, 1 refused or failed (said on standard error), 2 wrong usage.
int mailbox_command(std::span<const std::string> arguments, const config::Config& config);

// Where a mailbox is, and as whom root works there.
struct MailboxPlace {
    std::string maildir;
    std::string inbox_file = {};  // the mbox that is the INBOX, or empty
    struct Owner {
        uid_t uid = 0;
        gid_t gid = 0;
    };
    // For root. Nothing: a Maildir was named, and whose it is tells its directory.
    std::optional<Owner> owner = {};
};

// A user's: by auth_passwd_file, else by the system's account and mailbox_path. A name with a slash
// is a Maildir itself. Errc::not_found.
Result<MailboxPlace> find_mailbox(const std::string& whose, const config::Config& config);

}  // namespace postern::commands
