// Accounts: which uid, home and mailbox a local user name means. Mail users are auth's; all others
// are the system's. Asked by the root parent; the answers are cached for a moment, because under
// load the same few names come again and again.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/lookup.h"

#include "local/options.h"

namespace postern::local {

// Where deliveries run: as whom, and confined to which folder.
struct Place {
    std::string user;  // for supplementary groups; empty: none
    uid_t uid = 0;
    gid_t gid = 0;      // a spool directory's group where the mailbox is there
    gid_t own_gid = 0;  // the user's, for his commands
    std::string folder;
    std::string also;          // a second folder: the spool directory
    std::string name() const;  // the same for the same place
};

struct Account {
    Place place;
    std::string mailbox;  // with a trailing / a Maildir, otherwise a file
    std::string user, home, shell;
    std::string command;  // mailbox_command
    std::string quota_rule;
    bool is_system = false;  // of the system's database, not a mail user
};

class Accounts {
  public:
    Accounts(const Options& options, std::string auth_socket)
        : options_(options), auth_(std::move(auth_socket)) {}

    // Fails, with words for the sender, when the account exists and cannot be delivered to at
    // present.
    Lookup<Account> find(const std::string& user);

  private:
    struct Entry {
        Account account;
        SteadyTime until;
    };
    Lookup<Account> mail_user(const std::string& user);
    Lookup<Account> system_user(const std::string& user);
    Result<void> into_spool(Account& account) const;
    static Result<void> into_file(Account& account, const std::string& file);
    static Result<void> may_lock_in(const std::string& folder, std::string_view parameter,
                                    Account& account);

    const Options& options_;
    std::string auth_;
    std::map<std::string, Entry, std::less<>> cache_;
};

}  // namespace postern::local
