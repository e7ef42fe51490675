// "postern who" and "postern kick": sessions of IMAP and POP3, and of SMTP clients that logged in,
// as anvil knows them. For root, or the user that everything runs as.
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/ipc/messages/sessions.h"

namespace postern::commands {

struct WhoRequest {
    ipc::SessionFilter filter;
    bool json = false;
};

// [-j] [-p protocol] [-a address[/bits]] [-s session] [user]. `may_print`: -j is allowed.
Result<WhoRequest> parse_who(const std::vector<std::string>& words, bool may_print);
// A line for people; one JSON object.
std::string who_line(const ipc::SessionFacts& facts);
std::string who_json(const ipc::SessionFacts& facts);

Result<int> who(const config::Config& config, const std::vector<std::string>& words);
Result<int> kick(const config::Config& config, const std::vector<std::string>& words);

}  // namespace postern::commands
