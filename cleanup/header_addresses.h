// Completes the addresses in a header field of a local submission: "root" becomes "root@$myorigin".
#pragma once

#include <string>
#include <string_view>

#include "cleanup/options.h"

namespace postern::cleanup {

// Whether fields of this name (lower case) hold addresses that are completed.
bool has_addresses(std::string_view lower_name);

// The field's body with completed addresses; everything else stays as it was, byte by byte.
std::string complete_addresses(std::string_view body, const Options& options);

// A whole envelope address: "root" -> "root@origin".
std::string complete_address(std::string_view address, const Options& options);
// Whether complete_address would change nothing, and nothing in it needs rewrite's attention.
bool is_complete(std::string_view address, const Options& options);

}  // namespace postern::cleanup
