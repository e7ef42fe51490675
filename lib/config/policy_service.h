// What check_policy_service is followed by: "inet:127.0.0.1:10023", or
// "{ unix:private/spf, timeout=10s, default_action=DUNNO }".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace postern::config {

struct PolicyService {
    std::string address;  // "unix:path", "inet:host:port"
    // Instead of the smtpd_policy_service_* parameters.
    std::optional<Millis> timeout, retry_delay, max_idle, max_ttl;
    std::optional<std::size_t> try_limit, request_limit;
    std::optional<std::string> default_action, context;

    // Errc::invalid names the attribute that is wrong.
    static Result<PolicyService> parse(std::string_view text);
};

}  // namespace postern::config
