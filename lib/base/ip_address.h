// IpAddress and IpNetwork: numeric addresses of either family and CIDR blocks. Pure; no name is
// ever looked up. Used by policy (mynetworks), table (cidr), smtp (address literals), net and loop.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

class IpAddress {
  public:
    IpAddress() = default;  // 0.0.0.0
    // "192.0.2.1" or "2001:db8::1" (any RFC 4291 2.2 form); no brackets, no scope, no leading
    // zeros.
    static std::optional<IpAddress> parse(std::string_view text);
    // 4 or 16 bytes in network order; nothing for another length.
    static std::optional<IpAddress> from_bytes(std::string_view bytes);

    bool is_v4() const { return !v6_; }
    bool is_v6() const { return v6_; }
    bool is_loopback() const;  // 127.0.0.0/8, ::1
    bool is_any() const;       // 0.0.0.0, ::
    // The IPv4 address inside ::ffff:a.b.c.d, otherwise the address itself.
    IpAddress unmapped() const;

    // Network order, 4 or 16 bytes; lives as long as this object.
    std::string_view bytes() const;
    int bits() const { return v6_ ? 128 : 32; }
    std::string str() const;  // RFC 5952 form

    auto operator<=>(const IpAddress&) const = default;

  private:
    bool v6_ = false;
    std::array<std::uint8_t, 16> bytes_{};
};

// An address block. As in Postfix's mynetworks, host bits must be zero.
class IpNetwork {
  public:
    // "192.0.2.0/24", "192.0.2.1", "[2001:db8::]/32", "2001:db8::/32".
    static std::optional<IpNetwork> parse(std::string_view text);

    bool contains(const IpAddress& address) const;  // of the same family
    const IpAddress& address() const { return address_; }
    int prefix() const { return prefix_; }
    std::string str() const;

  private:
    IpNetwork(const IpAddress& address, int prefix) : address_(address), prefix_(prefix) {}
    IpAddress address_;
    int prefix_ = 0;
};

}  // namespace postern
