// Certificates for the names that a server answers to (tls_server_sni_maps): what the TLS servers
// (smtpd, login) look up while a client shakes hands. The tables hold private keys: master hands
// their contents over, as it does with key files.
#pragma once

#include <functional>
#include <string>

#include "lib/base/lookup.h"
#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/service/key_files.h"

namespace postern::service {

// As tls::ServerOptions::identity_for; null where no table is configured. Looked up: the name, then
// its parents (".example.com"). A value that is no certificate with its key is warned of and fails.
// Errc::invalid: a table of a type that cannot be handed over.
Result<std::function<Lookup<std::string>(const std::string& name)>> certificates_by_name(
    const config::Config& config, const KeyFiles& keys);

}  // namespace postern::service
