// Certificates that we make ourselves: for a first start, for tests, for `postern tls
// new-server-cert`.
#pragma once

#include <string>

#include "lib/base/result.h"

namespace postern::tls {

struct CertificatePair {
    std::string certificate_pem;
    std::string key_pem;
};

// A self-signed certificate for one host name: P-256 key, SHA-256, valid from now for `days`.
Result<CertificatePair> make_self_signed(const std::string& hostname, int days = 3650);

}  // namespace postern::tls
