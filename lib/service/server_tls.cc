#include "lib/service/server_tls.h"

#include <utility>

#include "lib/base/strings.h"
#include "lib/service/server_names.h"

namespace postern::service {
namespace {

Result<void> read_identities(const KeyFiles& keys, const ServerTls& settings,
                             tls::ServerOptions& options) {
    std::vector<std::pair<std::string, std::string>> pairs;  // certificate, key
    const auto add = [&pairs](const std::string& certificate, const std::string& key) {
        if (!certificate.empty()) pairs.emplace_back(certificate, key);
    };
    for (const auto& chain : settings.chain_files) add(chain, chain);
    if (pairs.empty()) {
        add(settings.cert_file, settings.key_file);
        add(settings.eccert_file, settings.eckey_file);
    }
    if (pairs.empty()) return Error{Errc::invalid, settings.missing};
    for (const auto& [certificate, key] : pairs) {
        tls::Identity identity;
        TRY_ASSIGN(identity.certificate_pem, keys.read(certificate));
        TRY_ASSIGN(identity.key_pem, keys.read(key));
        options.more_identities.push_back(std::move(identity));
    }
    options.certificate_pem = std::move(options.more_identities.front().certificate_pem);
    options.key_pem = std::move(options.more_identities.front().key_pem);
    options.more_identities.erase(options.more_identities.begin());
    return {};
}

// The cipher list of a grade, as tls_high_cipherlist and its like define it.
std::string grade_list(const config::Config& config, std::string_view grade) {
    if (grade == "high") return config.get(param::tls_high_cipherlist);
    if (grade == "low") return config.get(param::tls_low_cipherlist);
    if (grade == "export") return config.get(param::tls_export_cipherlist);
    if (grade == "null") return config.get(param::tls_null_cipherlist);
    return config.get(param::tls_medium_cipherlist);
}

// For key exchange: elliptic curves, then finite fields.
std::string tls_groups(const config::Config& config) {
    auto groups = config.get(param::tls_eecdh_auto_curves);
    if (groups.empty()) return {};
    for (auto& group : config.get(param::tls_ffdhe_auto_groups)) groups.push_back(std::move(group));
    return join(groups, ":");
}

}  // namespace

Result<tls::ServerContext> make_server_context(const config::Config& config, const KeyFiles& keys,
                                               const ServerTls& settings) {
    tls::ServerOptions options;
    TRY(read_identities(keys, settings, options));
    TRY_ASSIGN(const auto versions, tls::parse_versions(join(settings.protocols, " ")));
    options.minimum = versions.minimum;
    options.maximum = versions.maximum;
    options.ciphers =
        tls::cipher_list(grade_list(config, settings.cipher_grade), settings.excluded_ciphers);
    options.groups = tls_groups(config);
    options.ssl_options = config.get(param::tls_ssl_options);
    options.server_preference = config.get(param::tls_preempt_cipherlist);
    options.session_lifetime = settings.session_lifetime;
    options.ask_client_certificate = settings.ask_client_certificate;
    options.trusted_ca_file = settings.trusted_ca_file;
    options.trusted_ca_path = settings.trusted_ca_path;
    options.append_default_ca = config.get(param::tls_append_default_CA);
    options.verify_depth = settings.verify_depth;
    options.fingerprint_digest = settings.fingerprint_digest;
    TRY(tls::load_configuration(config.get(param::tls_config_file),
                                config.get(param::tls_config_name)));
    TRY_ASSIGN(options.identity_for, certificates_by_name(config, keys));
    auto context = tls::ServerContext::make(options);
    if (!context) return std::move(context).error().within("TLS server");
    return context;
}

}  // namespace postern::service
