#include "lib/base/client_range.h"

#include "lib/base/ip_address.h"
#include "lib/base/strings.h"

namespace postern {

std::string client_range(std::string_view address, int v4_bits, int v6_bits) {
    const auto ip = IpAddress::parse(address);
    if (!ip) return std::string(address);
    const int bits = ip->is_v4() ? v4_bits : v6_bits;
    if (bits >= ip->bits()) return ip->str();
    std::string bytes(ip->bytes());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const int keep = bits - static_cast<int>(i) * 8;
        if (keep >= 8) continue;
        const int mask = keep <= 0 ? 0 : 0xFF << (8 - keep);
        bytes[i] = static_cast<char>(bytes[i] & mask);
    }
    return cat({IpAddress::from_bytes(bytes)->str(), "/", std::to_string(bits)});
}

}  // namespace postern
