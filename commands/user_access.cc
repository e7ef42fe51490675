#include "commands/user_access.h"

#include <unistd.h>

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/sys/users.h"
#include "lib/table/address_lookup.h"
#include "lib/table/maps.h"
#include "lib/table/match_list.h"
#include "lib/table/source.h"

namespace postern::commands {
namespace {

std::string without_extension(std::string_view address, std::string_view delimiter) {
    const auto parts = table::split_address(address);
    const auto split = table::split_extension(parts.local, delimiter);
    const std::string& local = split ? split->user : parts.local;
    return parts.domain.empty() ? local : cat({local, "@", parts.domain});
}

bool allows(std::string_view pattern, const std::string& sender, const SenderRules& rules) {
    if (pattern == "*") return true;
    if (sender.empty()) return pattern == rules.empty_key;
    if (pattern.starts_with('@'))
        return iequals(pattern, sender.substr(std::min(sender.rfind('@'), sender.size())));
    return iequals(pattern, sender);
}

}  // namespace

std::string caller_name() {
    auto user = sys::find_user(::getuid());
    return user.found() ? user->name : cat({"uid:", std::to_string(::getuid())});
}

Result<bool> is_authorized(std::string_view list) {
    if (trim(list) == "static:anyone") return true;
    const std::string name = caller_name();
    return table::MatchList::parse(list, table::Parents::none)
        .matches_name(name.starts_with("uid:") ? "unknown" : name);
}

Result<bool> may_send_as(const SenderRules& rules, std::string_view login,
                         std::string_view sender) {
    const auto found = table::Maps::open(rules.maps).find(login);
    if (found.failed()) return found.error();
    if (found.not_found()) return false;
    const std::string plain = without_extension(sender, rules.recipient_delimiter);
    const auto patterns = table::split_list(*found);
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return allows(pattern, plain, rules); });
}

}  // namespace postern::commands
