// Configuration to options, see options.h.
#include "smtpd/options.h"

#include <algorithm>

#include "lib/base/ip_address.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/disk_space.h"
#include "lib/sys/file.h"

namespace postern::smtpd {
namespace {

constexpr std::size_t kMaxHostsFile = 4 << 20;

// queue_minfree, as cleanup keeps to it; said at MAIL, before anybody sends the text for nothing.
bool has_room(std::uint64_t minimum, std::uint64_t size) {
    const std::uint64_t need = std::max(minimum, size);
    const auto available = sys::free_space(".");
    if (!available || *available >= need) return true;
    log::warning("", cat({"not enough free space in mail queue: ", std::to_string(*available),
                          " bytes < ", std::to_string(need)}));
    return false;
}

smtp::ServerOptions engine_options(const config::Config& config) {
    smtp::ServerOptions engine;
    engine.hostname = config.get(param::myhostname);
    engine.banner = config.get(param::smtpd_banner);
    engine.size_limit = config.get(param::message_size_limit);
    std::uint64_t minimum = config.get(param::queue_minfree);
    if (minimum == 0) minimum = engine.size_limit / 2 * 3;
    engine.room_for = [minimum](std::uint64_t size) { return has_room(minimum, size); };
    engine.recipient_limit = config.get(param::smtpd_recipient_limit);
    engine.recipient_overshoot = config.get(param::smtpd_recipient_overshoot_limit);
    engine.soft_error_limit = static_cast<int>(config.get(param::smtpd_soft_error_limit));
    engine.hard_error_limit = static_cast<int>(config.get(param::smtpd_hard_error_limit));
    engine.junk_command_limit = static_cast<int>(config.get(param::smtpd_junk_command_limit));
    engine.helo_required = config.get(param::smtpd_helo_required);
    engine.auth_enabled = config.get(param::smtpd_sasl_auth_enable);
    engine.auth_tls_only = config.get(param::smtpd_tls_auth_only);
    engine.auth_for_broken_clients = config.get(param::broken_sasl_auth_clients);
    engine.vrfy_enabled = !config.get(param::disable_vrfy_command);
    engine.ask_early = !config.get(param::smtpd_delay_reject);
    engine.ask_data = !config.get(param::smtpd_data_restrictions).empty();
    engine.ask_end_of_data = !config.get(param::smtpd_end_of_data_restrictions).empty();
    engine.noop_commands = config.get(param::smtpd_noop_commands);
    engine.hidden_keywords = config.get(param::smtpd_discard_ehlo_keywords);
    // Postfix's default ends with a pattern for "no letter first", which is a syntax error anyway.
    const std::string forbidden = config.get(param::smtpd_forbidden_commands);
    engine.forbidden_commands.clear();
    for (auto word : split_words(forbidden, ", \t\r\n")) {
        if (std::all_of(word.begin(), word.end(), is_alnum))
            engine.forbidden_commands.emplace_back(word);
    }
    return engine;
}

Result<tls::ServerContext> make_tls(const config::Config& config, const service::KeyFiles& keys,
                                    bool mandatory) {
    tls::ServerOptions options;
    const auto chains = config.get(param::smtpd_tls_chain_files);
    const auto certificate =
        chains.empty() ? config.get(param::smtpd_tls_cert_file) : chains.front();
    const auto key = chains.empty() ? config.get(param::smtpd_tls_key_file) : chains.front();
    if (certificate.empty()) return Error{Errc::invalid, "smtpd_tls_cert_file is not set"};
    TRY_ASSIGN(options.certificate_pem, keys.read(certificate));
    TRY_ASSIGN(options.key_pem, keys.read(key));
    const auto protocols = mandatory ? config.get(param::smtpd_tls_mandatory_protocols)
                                     : config.get(param::smtpd_tls_protocols);
    TRY_ASSIGN(const auto versions, tls::parse_versions(join(protocols, " ")));
    options.minimum = versions.minimum;
    options.maximum = versions.maximum;
    auto context = tls::ServerContext::make(options);
    if (!context) return std::move(context).error().within(certificate);
    return context;
}

// Sets up TLS as smtpd_tls_security_level and smtpd_tls_wrappermode want it.
Result<void> read_tls(const config::Config& config, const service::KeyFiles& keys,
                      Options& options) {
    const auto level = config.get(param::smtpd_tls_security_level);
    options.wrapper_mode = config.get(param::smtpd_tls_wrappermode);
    const bool required = level == "encrypt" || options.wrapper_mode;
    const bool offered =
        required || level == "may" || (level.empty() && config.get(param::smtpd_use_tls));
    if (!offered) return {};
    auto context = make_tls(config, keys, required);
    if (!context && required) return std::move(context).error().within("TLS");
    if (!context) {
        log::warning("", "TLS is not offered: " + context.error().what);
        return {};
    }
    options.tls.emplace(std::move(context).value());
    options.engine.tls_available = true;
    options.engine.tls_required = required;
    return {};
}

}  // namespace

std::map<std::string, std::string> loopback_names(std::string_view hosts_file) {
    std::map<std::string, std::string> names;
    for (auto line : split(hosts_file, '\n')) {
        const auto words = split_words(line.substr(0, line.find('#')));
        if (words.size() < 2) continue;
        const auto address = IpAddress::parse(words[0]);
        if (address && address->is_loopback() && words[1].size() <= 255) {
            names.emplace(address->str(), printable(words[1]));
        }
    }
    return names;
}

Result<Options> read_options(const config::Config& config, const std::string& service,
                             const service::KeyFiles& keys) {
    Options options;
    options.service = service;
    options.engine = engine_options(config);
    options.command_timeout = config.get(param::smtpd_timeout);
    options.starttls_timeout = config.get(param::smtpd_starttls_timeout);
    options.error_sleep = config.get(param::smtpd_error_sleep_time);
    options.cleanup_timeout = config.get(param::ipc_timeout);
    options.client_limit = config.get(param::smtpd_client_limit);
    options.line_limit = config.get(param::line_length_limit);
    options.log_port = config.get(param::smtpd_client_port_logging);
    options.tls_loglevel = static_cast<int>(config.get(param::smtpd_tls_loglevel));
    options.cleanup_path = "public/" + config.get(param::cleanup_service_name);
    for (const auto& word : config.get(param::receive_override_options)) {
        if (word == "no_address_mappings") options.no_address_mappings = true;
        if (word == "no_header_body_checks") options.no_header_body_checks = true;
        if (word == "no_milters") options.no_milters = true;
    }
    options.content_filter = config.get(param::content_filter);
    TRY(read_tls(config, keys, options));
    options.name_lookup = config.get(param::smtpd_peername_lookup);
    if (options.name_lookup) {
        auto hosts = sys::read_file("/etc/hosts", kMaxHostsFile);
        if (hosts) options.host_names = loopback_names(*hosts);
    }
    return options;
}

}  // namespace postern::smtpd
