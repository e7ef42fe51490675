// NextHop: where a message goes, as transport tables and relayhost write it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::forwarder {

struct NextHop {
    enum class Kind : unsigned char {
        domain,    // example.test, example.test:2525: its MX hosts
        host,      // [mx.example.test]:2525, [192.0.2.1], [2001:db8::1]: that host only
        unix_path  // unix:/run/lmtp (LMTP)
    };
    Kind kind = Kind::domain;
    std::string name;        // domain, host or numeric address without brackets, or path
    std::uint16_t port = 0;  // 0: the default
    std::string service;     // what stands for the port: "submission", "587"; empty: the default
    std::string text;        // as it was written
};

// One destination. With mx = false a name without brackets is a host too (LMTP).
// Errc::invalid says what is wrong with it.
Result<NextHop> parse_next_hop(std::string_view text, bool mx = true);
// A list of destinations, tried in turn: separated by commas or white space.
Result<std::vector<NextHop>> parse_next_hops(std::string_view text, bool mx = true);

}  // namespace postern::forwarder
