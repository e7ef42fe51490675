#include "lib/service/sasl_mechanisms.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::service {

sasl::Mechanisms sasl_mechanisms(const config::Config& config) {
    std::vector<std::string> unknown;
    auto mechanisms = sasl::Mechanisms::parse(config.get(param::auth_mechanisms), unknown);
    for (const auto& name : unknown)
        log::warning("", cat({"auth_mechanisms: no mechanism ", printable(name, 40),
                              " here; it is not offered"}));
    return mechanisms;
}

}  // namespace postern::service
