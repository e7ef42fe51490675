// receive_override_options: what a service that takes mail leaves out, usually because the message comes
// back from a content filter and had it all before.
#pragma once

#include "lib/config/config.h"

namespace postern::config {

struct ReceiveOverrides {
    bool no_unknown_recipient_checks = false;  // of policy, beyond restrictions that say so
    bool no_address_mappings = false;          // aliases, canonical addresses, copies
    bool no_header_body_checks = false;
    bool no_milters = false;

    // Errc::invalid names a word that is none of these.
    static Result<ReceiveOverrides> read(const Config& config);
};

}  // namespace postern::config
