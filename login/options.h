// What login needs of the configuration, read once.
#pragma once

#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/service/key_files.h"
#include "lib/service/sasl_mechanisms.h"
#include "lib/tls/context.h"

#include "login/login_engine.h"

namespace postern::login {

struct Options {
    ipc::AuthProtocol protocol = ipc::AuthProtocol::imap;
    std::string auth_path = "private/postern-auth";
    std::string worker_path = "private/imapd";
    std::string greeting = "Postern ready.";
    bool wrapper_mode = false;  // TLS begins with the connection
    bool tls_required = false;  // no login without TLS, from nowhere
    bool plaintext_allowed =
        false;  // passwords in the clear from anywhere; otherwise from this host only
    sasl::Mechanisms mechanisms;
    bool ask_client_certificate = false;
    service::CertificateName certificate_name = service::CertificateName::common_name;
    Millis login_timeout{180'000};
    Millis auth_timeout{60'000};
    Millis handoff_timeout{30'000};
    std::size_t client_limit = 1000;
    std::optional<tls::ServerContext> tls;
};

Result<Options> read_options(const config::Config& config, const std::string& service,
                             const service::KeyFiles& keys = {});

}  // namespace postern::login
