#include "lib/service/client_networks.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::service {

std::vector<IpNetwork> networks_of(const std::vector<std::string>& words,
                                   std::string_view parameter) {
    std::vector<IpNetwork> networks;
    for (const auto& word : words) {
        if (const auto network = IpNetwork::parse(word)) {
            networks.push_back(*network);
        } else {
            log::warning("", cat({parameter, ": \"", printable(word, 100),
                                  "\" is no address and no network; it excepts nobody"}));
        }
    }
    return networks;
}

bool is_in(const std::vector<IpNetwork>& networks, const IpAddress& address) {
    return std::any_of(networks.begin(), networks.end(), [&](const IpNetwork& network) {
        return network.contains(address.unmapped());
    });
}

}  // namespace postern::service
