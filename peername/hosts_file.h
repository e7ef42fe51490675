// The names that /etc/hosts gives to addresses. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/ip_address.h"

namespace postern::peername {

class HostsFile {
  public:
    // Lines that are not "address name ..." are passed over; the first line with an address wins.
    static HostsFile parse(std::string_view text);

    std::optional<std::string> name_of(const IpAddress& address) const;

  private:
    std::map<std::string, std::string> names_;  // by the address's usual text
};

}  // namespace postern::peername
