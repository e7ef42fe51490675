// What a load balancer says of its client before the client's first byte: HAProxy's PROXY protocol,
// version 1 (a line) and version 2 (binary). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/ip_address.h"
#include "lib/base/result.h"

namespace postern::smtp {

struct ProxyLine {
    IpAddress client, server;
    std::uint16_t client_port = 0, server_port = 0;
};

struct ProxyHeader {
    std::size_t size = 0;            // bytes that it takes
    std::optional<ProxyLine> names;  // none: the balancer speaks for itself (a health check)
};
constexpr std::size_t kMaxProxyHeader = 536;

// Nothing: more is needed. An error: it is no such header.
Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view bytes);

}  // namespace postern::smtp
