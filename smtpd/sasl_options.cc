#include "smtpd/sasl_options.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/net/stream.h"
#include "lib/sasl/dovecot_client.h"

namespace postern::smtpd {
namespace {

// smtpd_sasl_path for Dovecot: a socket relative to the queue directory, or inet:host:port. Names
// of hosts are looked up once, here.
Result<sys::SocketAddress> sasl_server_address(const std::string& path) {
    const bool inet = path.starts_with("inet:");
    const auto endpoint =
        net::parse_endpoint(inet || path.starts_with("unix:") ? path : "unix:" + path, 0);
    if (!endpoint || (inet && endpoint->port == 0))
        return Error{Errc::invalid,
                     cat({"smtpd_sasl_path = ", path, ": neither a path nor inet:host:port"})};
    auto found = net::resolve(*endpoint);
    if (!found) return std::move(found).error().within("smtpd_sasl_path");
    return found->front();
}

void read_dovecot(const config::Config& config, Options& options) {
    Options::SaslServer server;
    server.name = config.get(param::smtpd_sasl_path);
    auto address = sasl_server_address(server.name);
    if (!address) {
        options.engine.auth_enabled = false;
        log::warning("", cat({address.error().what, "; AUTH is not offered"}));
        return;
    }
    server.address = *address;
    options.engine.auth_relayed = true;
    options.sasl_server = std::move(server);
}

// With our own auth service: what is offered at best must be something.
void read_own(const config::Config& config, Options& options) {
    options.mechanisms = service::sasl_mechanisms(config);
    options.certificate_name = service::certificate_name(config);
    const sasl::Security best{.channel_binding = true, .certificate = true};
    if (options.mechanism_names(false, {}).empty()) options.engine.auth_tls_only = true;
    if (!options.mechanism_names(true, best).empty()) return;
    options.engine.auth_enabled = false;
    log::warning("", "smtpd_sasl_tls_security_options leaves no mechanism: AUTH is not offered");
}

}  // namespace

std::string Options::mechanism_names(bool secured, const sasl::Security& security) const {
    std::vector<sasl::DovecotMechanism> all;
    for (const auto* one : mechanisms.all()) {
        if (!mechanisms.offers(one->name, true, security)) continue;
        auto& added = all.emplace_back();
        added.name = one->name;
        for (const auto trait : split_words(one->traits)) added.traits.emplace_back(trait);
    }
    return sasl::permitted_mechanisms(all, secured ? sasl_tls_rules : sasl_rules, sasl_filter);
}

void read_sasl(const config::Config& config, Options& options) {
    if (!options.engine.auth_enabled) return;
    options.sasl_rules = config.get(param::smtpd_sasl_security_options);
    options.sasl_tls_rules = config.get(param::smtpd_sasl_tls_security_options);
    options.sasl_filter = config.get(param::smtpd_sasl_mechanism_filter);
    for (const auto& word : sasl::foreign_filter_words(options.sasl_filter))
        log::warning("", cat({"smtpd_sasl_mechanism_filter: ", word,
                              ": tables are not asked here, only names"}));
    const auto type = config.get(param::smtpd_sasl_type);
    if (type == "postern") return read_own(config, options);
    if (type == "dovecot") return read_dovecot(config, options);
    options.engine.auth_enabled = false;
    log::warning("",
                 "smtpd_sasl_type = cyrus: there is no Cyrus SASL here, and AUTH is not offered; "
                 "use \"postern\" for the users of auth_passwd_file, or \"dovecot\"");
}

}  // namespace postern::smtpd
