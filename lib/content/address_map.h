// map_address: an address through tables like canonical(5), virtual(5) and generic(5): which forms
// of it are looked up, and what becomes of the result. Used by route for mail that comes in and by
// the SMTP client for mail that goes out. Pure but for the tables.
#pragma once

#include <string>
#include <vector>

#include "lib/base/lookup.h"
#include "lib/table/address_lookup.h"
#include "lib/table/maps.h"

namespace postern::content {

struct AddressMapRules {
    std::string delimiters;  // recipient_delimiter
    table::Completion completion;
    bool propagate = false;   // an extension that the table does not mention goes into the result
    bool own_domain = false;  // the user's name alone is looked up, too
};

// The results of one lookup, complete; nothing when the address is in no table. "@other.example"
// in a table is the same user in another domain.
Lookup<std::vector<std::string>> map_address(table::Maps& maps, const std::string& address,
                                             const AddressMapRules& rules);

}  // namespace postern::content
