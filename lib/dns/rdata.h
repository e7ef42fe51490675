// Record data in wire form (RFC 1035 3.3) made readable. Pure; what is malformed gives nothing.
#pragma once

#include <optional>
#include <string_view>

#include "lib/dns/resolver.h"

namespace postern::dns {

// One uncompressed record's data. Host names of MX, SRV and PTR records must be names that could be
// asked for (or the root, which gives "": null MX).
std::optional<Record> parse_rdata(RecordType type, std::string_view data);

}  // namespace postern::dns
