// What a master.cf entry listens on, and the sockets for it.
#pragma once

#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/config/config.h"

namespace postern::master {

struct Endpoint {
    std::string name;  // "127.0.0.1:2525" as bound, or "private/policy"
    Fd socket;
};

// Opens all of an entry's sockets. inet: the entry's host, or else inet_interfaces; names are
// looked up now. Errors name the entry and the address.
Result<std::vector<Endpoint>> open_endpoints(const config::MasterEntry& entry,
                                             const config::Config& config);

// The sockets of inet endpoints that were closed, by their names: the same addresses and ports.
Result<std::vector<Endpoint>> open_again(const std::vector<std::string>& names);

// What open_endpoints would bind, as one text: two entries with the same text can share sockets
// over a reload.
std::string endpoint_plan(const config::MasterEntry& entry, const config::Config& config);

// "private/policy" or "public/cleanup", relative to queue_directory.
std::string socket_path(const config::MasterEntry& entry);

}  // namespace postern::master
