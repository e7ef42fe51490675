// Which SASL mechanisms the configuration wants: auth_mechanisms.
#pragma once

#include <string>

#include "lib/config/config.h"
#include "lib/sasl/mechanisms.h"
#include "lib/tls/engine.h"

namespace postern::service {

// What cannot be offered is named in the log, and left out.
sasl::Mechanisms sasl_mechanisms(const config::Config& config);

// auth_certificate_username: which name in a client's certificate is that of a user.
enum class CertificateName : unsigned char { common_name, email };
CertificateName certificate_name(const config::Config& config);
// The user whom the peer's certificate names; empty when it has shown none, or none that is
// trusted, or none that names anybody.
std::string certificate_user(CertificateName which, const tls::Info& info);

}  // namespace postern::service
