#include "lib/content/address_map.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/mail/field_addresses.h"
#include "lib/table/address_list.h"

namespace postern::content {

Lookup<std::vector<std::string>> map_address(table::Maps& maps, const std::string& address,
                                             const AddressMapRules& rules) {
    const auto find = [&](std::string_view form) {
        return table::find_first(maps,
                                 table::rewrite_keys(form, rules.delimiters, rules.own_domain));
    };
    // Tables may have "two words"@x with its quotes, or without.
    const std::string quoted = mail::quoted_address(address);
    Lookup<table::AddressMatch> found = NotFound{};
    if (quoted != address) found = find(quoted);
    if (found.not_found()) found = find(address);
    if (found.failed()) return std::move(found).error();
    if (found.not_found()) return NotFound{};
    std::vector<std::string> results;
    for (auto& result : table::split_addresses(found->value)) {
        if (result.front() == '@')
            result.insert(0, table::split_address(address).local);
        else if (rules.propagate && !found->unmatched_extension.empty())
            result.insert(std::min(result.rfind('@'), result.size()), found->unmatched_extension);
        results.push_back(table::complete_address(table::unquote_local(result), rules.completion));
    }
    if (results.empty()) return Error{Errc::temporary, cat({"empty result for ", address})};
    return results;
}

}  // namespace postern::content
