#include "lib/config/host.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "lib/base/strings.h"

namespace postern::config {
namespace {

int count_bits(const unsigned char* bytes, std::size_t size) {
    int bits = 0;
    for (std::size_t i = 0; i < size; i++) bits += std::popcount(bytes[i]);
    return bits;
}

// The binary address inside a socket address, for the families IPv4 and IPv6.
const void* address_bytes(const sockaddr* address) {
    // sockaddr is meant to be read as the structure of its family.
    if (address->sa_family == AF_INET6) {
        return &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    }
    return &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
}

}  // namespace

std::string SystemHost::name() const {
    std::array<char, 256> buffer{};
    if (gethostname(buffer.data(), buffer.size() - 1) != 0) return "localhost";
    return to_lower(std::string_view(buffer.data()));
}

std::vector<InterfaceAddress> SystemHost::addresses() const {
    std::vector<InterfaceAddress> found;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return found;
    for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr || at->ifa_netmask == nullptr || !(at->ifa_flags & IFF_UP))
            continue;
        bool ipv6 = at->ifa_addr->sa_family == AF_INET6;
        if (!ipv6 && at->ifa_addr->sa_family != AF_INET) continue;
        std::array<char, INET6_ADDRSTRLEN> text{};
        inet_ntop(at->ifa_addr->sa_family, address_bytes(at->ifa_addr), text.data(), text.size());
        // The mask's family field may be unset, so the address decides how it is read.
        std::size_t offset =
            ipv6 ? offsetof(sockaddr_in6, sin6_addr) : offsetof(sockaddr_in, sin_addr);
        const auto* mask = reinterpret_cast<const unsigned char*>(at->ifa_netmask) + offset;
        found.push_back({text.data(), count_bits(mask, ipv6 ? 16 : 4), ipv6});
    }
    freeifaddrs(list);
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.ipv6 < b.ipv6; });
    return found;
}

const SystemHost& SystemHost::instance() {
    static const SystemHost host;
    return host;
}

}  // namespace postern::config
