// TLS of an SMTP server as main.cf wants it, whatever the parameters are called: smtpd has
// smtpd_tls_*, postscreen tlsproxy_tls_*.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/service/key_files.h"
#include "lib/tls/context.h"

namespace postern::service {

struct ServerTls {
    std::string missing;                   // what to say when no certificate is named
    std::vector<std::string> chain_files;  // when empty: the two pairs
    std::string cert_file, key_file, eccert_file, eckey_file;
    std::vector<std::string> protocols, excluded_ciphers;
    std::string cipher_grade;
    Seconds session_lifetime{3600};
    // What is wanted of clients' certificates.
    bool ask_client_certificate = false;
    std::string trusted_ca_file, trusted_ca_path, fingerprint_digest;
    int verify_depth = 9;
};

// With what is the same for all servers: cipher lists of the grades, groups, certificates by name.
Result<tls::ServerContext> make_server_context(const config::Config& config, const KeyFiles& keys,
                                               const ServerTls& settings);

}  // namespace postern::service
