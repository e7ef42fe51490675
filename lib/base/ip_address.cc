// Numeric addresses and CIDR blocks, see ip_address.h. The C library's inet_pton and inet_ntop do
// the text forms: both are pure and strict.
#include "lib/base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "lib/base/strings.h"

namespace postern {
namespace {

constexpr std::size_t kLongestText = INET6_ADDRSTRLEN;

// Whether the first `bits` bits of both are the same.
bool same_prefix(std::string_view a, std::string_view b, int bits) {
    const auto whole = static_cast<std::size_t>(bits / 8);
    if (a.substr(0, whole) != b.substr(0, whole)) return false;
    const int rest = bits % 8;
    if (rest == 0) return true;
    const auto difference = static_cast<unsigned char>(a[whole] ^ b[whole]);
    return (difference >> (8 - rest)) == 0;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.empty() || text.size() >= kLongestText) return std::nullopt;
    char terminated[kLongestText] = {};
    std::copy(text.begin(), text.end(), terminated);
    IpAddress address;
    address.v6_ = text.find(':') != text.npos;
    if (text.find('\0') != text.npos) return std::nullopt;
    if (inet_pton(address.v6_ ? AF_INET6 : AF_INET, terminated, address.bytes_.data()) != 1) {
        return std::nullopt;
    }
    return address;
}

std::optional<IpAddress> IpAddress::from_bytes(std::string_view bytes) {
    if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
    IpAddress address;
    address.v6_ = bytes.size() == 16;
    std::memcpy(address.bytes_.data(), bytes.data(), bytes.size());
    return address;
}

bool IpAddress::is_loopback() const {
    if (!v6_) return bytes_[0] == 127;
    return bytes_[15] == 1 &&
           std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto b) { return b == 0; });
}

bool IpAddress::is_any() const {
    return std::all_of(bytes_.begin(), bytes_.end(), [](auto b) { return b == 0; });
}

IpAddress IpAddress::unmapped() const {
    static constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff",
                                              12);  // RFC 4291 2.5.5.2
    if (!v6_ || bytes().substr(0, kMapped.size()) != kMapped) return *this;
    return *from_bytes(bytes().substr(kMapped.size()));
}

std::string_view IpAddress::bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), v6_ ? std::size_t{16} : std::size_t{4}};
}

std::string IpAddress::str() const {
    char text[kLongestText] = {};
    const char* end = inet_ntop(v6_ ? AF_INET6 : AF_INET, bytes_.data(), text, sizeof text);
    return end ? std::string(text) : std::string();
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
    auto address_text = text;
    std::optional<std::string_view> prefix_text;
    if (auto parts = split_once(text, '/')) {
        address_text = parts->first;
        prefix_text = parts->second;
    }
    if (address_text.size() >= 2 && address_text.front() == '[' && address_text.back() == ']') {
        address_text = address_text.substr(1, address_text.size() - 2);
    }
    auto address = IpAddress::parse(address_text);
    if (!address) return std::nullopt;
    int prefix = address->bits();
    if (prefix_text) {
        auto number = parse_number<int>(*prefix_text);
        if (!number || *number < 0 || *number > prefix) return std::nullopt;
        prefix = *number;
    }
    const auto bytes = address->bytes();
    for (int bit = prefix; bit < address->bits(); ++bit) {
        const auto byte = static_cast<unsigned char>(bytes[static_cast<std::size_t>(bit / 8)]);
        if ((byte >> (7 - bit % 8)) & 1)
            return std::nullopt;  // a host bit: most likely a typing error
    }
    return IpNetwork(*address, prefix);
}

bool IpNetwork::contains(const IpAddress& address) const {
    return address.is_v6() == address_.is_v6() &&
           same_prefix(address.bytes(), address_.bytes(), prefix_);
}

std::string IpNetwork::str() const { return cat({address_.str(), "/", std::to_string(prefix_)}); }

}  // namespace postern
