// Lists of clients' addresses and networks, for programs that open no tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"

namespace postern::service {

// The addresses and networks among the words of a parameter that excepts clients. A word that is
// neither, such as a table that mynetworks may name, is warned of: it excepts nobody here.
std::vector<IpNetwork> networks_of(const std::vector<std::string>& words,
                                   std::string_view parameter);
bool is_in(const std::vector<IpNetwork>& networks, const IpAddress& address);

}  // namespace postern::service
