// What is known of a recipient, for the $names in forward_path and command_execution_directory and
// for the environment of commands. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/ipc/messages/deliver.h"

#include "local/messages.h"

namespace postern::local {

struct UserFacts {
    std::string user, home, shell;  // empty for an alias
    std::string recipient;          // the whole address
    std::string local, domain;      // its two parts
    std::string extension;          // "list" of user+list; without the delimiter
    std::string delimiter;          // the one that was found
};
UserFacts facts_of(const Target& target, const std::string& delimiters);

// The text with its $names. Characters outside `allowed` become '_' in what is inserted. Nothing
// when a name without a value stands there plainly ($extension of a recipient without one).
std::optional<std::string> expand_facts(std::string_view text, const UserFacts& facts,
                                        std::string_view allowed);

// forward_path's files for this recipient, in order.
std::vector<std::string> forward_candidates(std::string_view forward_path, const UserFacts& facts,
                                            std::string_view allowed);

// EXTENSION HOME LOCAL LOGNAME RECIPIENT SENDER SHELL USER DOMAIN ORIGINAL_RECIPIENT CLIENT_…
// SASL_…: what a command learns in its environment. Addresses are filtered by `allowed`.
std::vector<std::string> command_environment(const UserFacts& facts,
                                             const ipc::DeliverRequest& request,
                                             const ipc::DeliverRecipient& recipient,
                                             std::string_view allowed);

}  // namespace postern::local
