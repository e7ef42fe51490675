// The few parameters that the depths of libraries obey without being handed a configuration: names
// of ports, limits of tables. A process sets them once, when it has read its configuration.
#pragma once

#include <cstddef>
#include <optional>

#include "lib/base/result.h"

#include "lib/config/config.h"

namespace postern::config {

struct ProcessWide {
    std::size_t socketmap_reply_limit = 100'000;  // socketmap_max_reply_size
    bool table_failure_is_fatal = false;          // daemon_table_open_error_is_fatal
};

const ProcessWide& process_wide();
// Also known_tcp_ports. Errc::invalid: something of it is malformed and left out.
Result<void> set_process_wide(const Config& config);

// Told by who opens tables, when table_failure_is_fatal. The process ends soon afterwards, with the
// first one that was told.
void tell_table_failure(const Error& why);
std::optional<Error> table_failure();

}  // namespace postern::config
