// What local users may do: see and flush the queue, submit mail, and with which sender.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace postern::commands {

// Who called this program: the login name, or where the user database knows none "uid:1000".
std::string caller_name();

// authorized_submit_users and its kind: "static:anyone", "root, alice", "!mallory,
// hash:/etc/users",
// "/etc/users". Fails when a table does. A caller without a name is "unknown" here, as in Postfix.
Result<bool> is_authorized(std::string_view list);

// local_login_sender_maps: for each login name the senders that it may use, as they are given: "*",
// "<>" (whatever empty_key is), "@domain", or addresses, with or without domain. Address extensions
// do not count.
struct SenderRules {
    std::string maps = "static:*";
    std::string empty_key = "<>";
    std::string recipient_delimiter;
    bool everybody_may() const { return maps == "static:*"; }
};
Result<bool> may_send_as(const SenderRules& rules, std::string_view login, std::string_view sender);

}  // namespace postern::commands
