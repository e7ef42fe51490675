#include "lib/config/receive_overrides.h"

#include "lib/base/strings.h"

namespace postern::config {

Result<ReceiveOverrides> ReceiveOverrides::read(const Config& config) {
    ReceiveOverrides overrides;
    for (const auto& word : config.get(param::receive_override_options)) {
        if (word == "no_unknown_recipient_checks")
            overrides.no_unknown_recipient_checks = true;
        else if (word == "no_address_mappings")
            overrides.no_address_mappings = true;
        else if (word == "no_header_body_checks")
            overrides.no_header_body_checks = true;
        else if (word == "no_milters")
            overrides.no_milters = true;
        else
            return Error{Errc::invalid,
                         cat({"receive_override_options: \"", printable(word),
                              "\" is not one of no_unknown_recipient_checks, no_address_mappings, "
                              "no_header_body_checks, no_milters"})};
    }
    return overrides;
}

}  // namespace postern::config
