// What this host tells about itself, for the computed defaults: its name and its addresses.
#pragma once

#include <string>
#include <vector>

namespace postern::config {

struct InterfaceAddress {
    std::string address;  // "192.0.2.2", "fd00::2"
    int prefix = 0;       // length of the network part
    bool ipv6 = false;
};

class Host {
  public:
    virtual ~Host() = default;
    virtual std::string name() const = 0;  // as gethostname(2) tells it
    virtual std::vector<InterfaceAddress> addresses()
        const = 0;  // interfaces that are up; IPv4 first
};

class SystemHost final : public Host {
  public:
    std::string name() const override;
    std::vector<InterfaceAddress> addresses() const override;
    static const SystemHost& instance();
};

}  // namespace postern::config
