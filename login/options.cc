#include "login/options.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/service/client_networks.h"
#include "lib/service/server_tls.h"

namespace postern::login {
namespace {

service::ServerTls tls_settings(const config::Config& config) {
    service::ServerTls s;
    s.missing = "login_tls_cert_file is not set";
    s.chain_files = config.get(param::login_tls_chain_files);
    s.cert_file = config.get(param::login_tls_cert_file);
    s.key_file = config.get(param::login_tls_key_file);
    if (s.key_file.empty()) s.key_file = s.cert_file;
    // With nothing of its own it has what smtpd has.
    if (s.chain_files.empty() && s.cert_file == config.get(param::smtpd_tls_cert_file))
        s.chain_files = config.get(param::smtpd_tls_chain_files);
    s.protocols = config.get(param::login_tls_protocols);
    s.cipher_grade = config.get(param::login_tls_ciphers);
    s.excluded_ciphers = config.get(param::login_tls_exclude_ciphers);
    s.excluded_ciphers.emplace_back("aNULL");  // who sends a password must know to whom
    s.ask_client_certificate = config.get(param::login_tls_ask_ccert);
    s.trusted_ca_file = config.get(param::login_tls_CAfile);
    s.trusted_ca_path = config.get(param::login_tls_CApath);
    s.verify_depth = static_cast<int>(config.get(param::login_tls_ccert_verifydepth));
    return s;
}

Result<void> read_tls(const config::Config& config, const service::KeyFiles& keys,
                      Options& options) {
    const auto level = config.get(param::login_tls_security_level);
    options.wrapper_mode = config.get(param::login_tls_wrappermode);
    options.tls_required = level == "encrypt";
    if (level == "none" && !options.wrapper_mode) return {};
    auto context = service::make_server_context(config, keys, tls_settings(config));
    if (context) {
        options.tls.emplace(*std::move(context));
        return {};
    }
    if (options.tls_required || options.wrapper_mode)
        return std::move(context).error().within("TLS");
    log::warning("", "TLS is not offered: " + context.error().what);
    return {};
}

Limits read_limits(const config::Config& config) {
    Limits limits;
    limits.pending = config.get(param::login_client_pending_limit);
    limits.connections = config.get(param::login_client_connection_count_limit);
    limits.connection_rate = config.get(param::login_client_connection_rate_limit);
    limits.of_user = config.get(param::login_user_connection_count_limit);
    limits.pop3_login_delay =
        std::chrono::duration_cast<Seconds>(Millis(config.get(param::pop3_login_delay)));
    limits.v4_bits = static_cast<int>(config.get(param::login_client_ipv4_prefix_length));
    limits.v6_bits = static_cast<int>(config.get(param::login_client_ipv6_prefix_length));
    limits.exceptions = service::networks_of(
        config.get(param::login_client_event_limit_exceptions), "login_client_event_limit_exceptions");
    return limits;
}

// What login_protocol says, else what the service's name or port begins with.
Result<ipc::AuthProtocol> protocol_of(const config::Config& config, const std::string& service) {
    const std::string chosen = config.get(param::login_protocol);
    const std::string_view name =
        chosen.empty() ? std::string_view(service) : std::string_view(chosen);
    const std::string_view port = name.substr(name.rfind(':') + 1);
    if (port.starts_with("imap") || port == "143" || port == "993") return ipc::AuthProtocol::imap;
    if (port.starts_with("pop3") || port == "110" || port == "995") return ipc::AuthProtocol::pop3;
    return Error{
        Errc::invalid,
        cat({"service ", service, ": set login_protocol to imap or pop3 (-o in master.cf)"}), 0};
}

}  // namespace

bool Limits::except(const IpAddress& address) const {
    return service::is_in(exceptions, address);
}

Result<Options> read_options(const config::Config& config, const std::string& service,
                             const service::KeyFiles& keys) {
    Options options;
    TRY_ASSIGN(options.protocol, protocol_of(config, service));
    options.worker_path =
        options.protocol == ipc::AuthProtocol::imap ? "private/imapd" : "private/pop3d";
    options.greeting = config.get(param::login_greeting);
    options.plaintext_allowed = !config.get(param::disable_plaintext_auth);
    options.mechanisms = service::sasl_mechanisms(config);
    options.ask_client_certificate = config.get(param::login_tls_ask_ccert);
    options.certificate_name = service::certificate_name(config);
    if (options.mechanisms.wants_certificates() && !options.ask_client_certificate)
        log::warning(
            "", "auth_mechanisms has external, but login_tls_ask_ccert = no: it is not offered");
    options.login_timeout = config.get(param::login_timeout);
    options.client_limit = config.get(param::login_client_limit);
    options.service = service;
    options.limits = read_limits(config);
    TRY(read_tls(config, keys, options));
    return options;
}

}  // namespace postern::login
