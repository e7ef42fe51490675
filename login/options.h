// What login needs of the configuration, read once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/ip_address.h"
#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/service/key_files.h"
#include "lib/service/sasl_mechanisms.h"
#include "lib/tls/context.h"

#include "login/login_engine.h"

namespace postern::login {

// What a client, and a user from there, may have at once; 0: any number.
struct Limits {
    std::size_t pending = 0;  // connections without a login
    std::size_t connections = 0, connection_rate = 0;
    std::size_t of_user = 0;  // sessions
    Seconds pop3_login_delay{0};
    int v4_bits = 32, v6_bits = 128;    // of an address that make a client
    std::vector<IpNetwork> exceptions;  // clients without limits

    bool of_clients() const { return pending > 0 || connections > 0 || connection_rate > 0; }
    bool except(const IpAddress& address) const;
};

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
    std::string service;  // the listening service, for who asks
    std::string anvil_path = "private/anvil";
    Limits limits;
    std::optional<tls::ServerContext> tls;
};

Result<Options> read_options(const config::Config& config, const std::string& service,
                             const service::KeyFiles& keys = {});

}  // namespace postern::login
