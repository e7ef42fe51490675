// What counts as one client in limits: an address, or the network that it is in.
#pragma once

#include <string>
#include <string_view>

namespace postern {

// The network of so many bits, "2001:db8::/64", that the address is in; the address itself where it
// has no more bits, and any other text as it is.
std::string client_range(std::string_view address, int v4_bits, int v6_bits);

}  // namespace postern
