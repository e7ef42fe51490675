#include "lib/service/sasl_mechanisms.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sasl/passwd_file.h"

namespace postern::service {

sasl::Mechanisms sasl_mechanisms(const config::Config& config) {
    std::vector<std::string> unknown;
    auto mechanisms = sasl::Mechanisms::parse(config.get(param::auth_mechanisms), unknown);
    for (const auto& name : unknown)
        log::warning("", cat({"auth_mechanisms: no mechanism ", printable(name, 40),
                              " here; it is not offered"}));
    return mechanisms;
}

CertificateName certificate_name(const config::Config& config) {
    return config.get(param::auth_certificate_username) == "email" ? CertificateName::email
                                                                   : CertificateName::common_name;
}

std::string certificate_user(CertificateName which, const tls::Info& info) {
    if (!info.peer_certificate || !info.peer_verified) return {};
    const std::string none;
    const std::string& name = which == CertificateName::common_name ? info.peer_name
                              : info.peer_emails.empty()            ? none
                                                                    : info.peer_emails.front();
    return sasl::is_user_name(name) ? name : none;
}

}  // namespace postern::service
