// Configuration to options, see options.h.
#include "smtpd/options.h"

#include <algorithm>

#include "lib/base/ip_address.h"
#include "lib/base/client_range.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/net/stream.h"
#include "lib/service/server_tls.h"
#include "lib/sys/disk_space.h"
#include "lib/sys/file.h"

#include "smtpd/sasl_options.h"

namespace postern::smtpd {
namespace {

constexpr std::size_t kMaxHostsFile = 4 << 20;

// queue_minfree, as cleanup keeps to it; said at MAIL, before anybody sends the text for nothing.
bool has_room(sys::FreeSpace& space, std::uint64_t minimum, std::uint64_t size) {
    const std::uint64_t need = std::max(minimum, size);
    const auto available = space.bytes();
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
    engine.room_for = [minimum, space = std::make_shared<sys::FreeSpace>(".")](std::uint64_t size) {
        return has_room(*space, minimum, size);
    };
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
    engine.verp_filter = config.get(param::verp_delimiter_filter);
    engine.verp_delimiters = config.get(param::default_verp_delimiters);
    engine.bare_newline_code =
        static_cast<int>(config.get(param::smtpd_forbid_bare_newline_reject_code));
    engine.note_bare_newlines = iequals(config.get(param::smtpd_forbid_bare_newline), "note");
    engine.soft_bounce = config.get(param::soft_bounce);
    engine.dsn = true;  // unless smtpd_discard_ehlo_keywords hides it
    engine.smtputf8 = config.get(param::smtputf8_enable);
    engine.strict_smtputf8 = engine.smtputf8 && config.get(param::strict_smtputf8);
    engine.mt_priority = config.get(param::smtpd_mt_priority);
    engine.future_release_limit =
        std::chrono::duration_cast<Seconds>(config.get(param::smtpd_future_release_limit));
    engine.ask_early = !config.get(param::smtpd_delay_reject);
    engine.ask_data = !config.get(param::smtpd_data_restrictions).empty();
    engine.ask_end_of_data = !config.get(param::smtpd_end_of_data_restrictions).empty();
    engine.strict_envelopes = config.get(param::strict_rfc821_envelopes);
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

// What smtpd_tls_* say; with mandatory TLS some have a parameter of their own.
service::ServerTls tls_settings(const config::Config& config, bool mandatory) {
    service::ServerTls s;
    s.missing = "smtpd_tls_cert_file is not set";
    s.chain_files = config.get(param::smtpd_tls_chain_files);
    s.cert_file = config.get(param::smtpd_tls_cert_file);
    s.key_file = config.get(param::smtpd_tls_key_file);
    s.eccert_file = config.get(param::smtpd_tls_eccert_file);
    s.eckey_file = config.get(param::smtpd_tls_eckey_file);
    s.protocols = mandatory ? config.get(param::smtpd_tls_mandatory_protocols)
                            : config.get(param::smtpd_tls_protocols);
    s.excluded_ciphers = config.get(param::smtpd_tls_exclude_ciphers);
    if (mandatory) {
        for (auto& word : config.get(param::smtpd_tls_mandatory_exclude_ciphers))
            s.excluded_ciphers.push_back(std::move(word));
    }
    s.cipher_grade = mandatory ? config.get(param::smtpd_tls_mandatory_ciphers)
                               : config.get(param::smtpd_tls_ciphers);
    s.session_lifetime =
        std::chrono::duration_cast<Seconds>(config.get(param::smtpd_tls_session_cache_timeout));
    const bool required = config.get(param::smtpd_tls_req_ccert);
    if (required && !mandatory)
        log::warning("", "Can't require client certs unless TLS is required");
    s.ask_client_certificate = required || config.get(param::smtpd_tls_ask_ccert);
    s.trusted_ca_file = config.get(param::smtpd_tls_CAfile);
    s.trusted_ca_path = config.get(param::smtpd_tls_CApath);
    s.verify_depth = static_cast<int>(config.get(param::smtpd_tls_ccert_verifydepth));
    if (s.ask_client_certificate)
        s.fingerprint_digest = config.get(param::smtpd_tls_fingerprint_digest);
    return s;
}

// smtpd_upstream_proxy_protocol.
Result<void> read_upstream_proxy(const config::Config& config, Options& options) {
    const std::string protocol(trim(config.get(param::smtpd_upstream_proxy_protocol)));
    if (!protocol.empty() && protocol != "haproxy")
        return Error{Errc::invalid, cat({"smtpd_upstream_proxy_protocol = ", protocol,
                                         ": only \"haproxy\" is known"})};
    options.upstream_proxy = !protocol.empty();
    options.proxy_timeout = config.get(param::smtpd_upstream_proxy_timeout);
    return {};
}

// smtpd_proxy_filter: host:port, inet:host:port or unix:path. Names of hosts are looked up once,
// here.
Result<void> read_proxy(const config::Config& config, Options& options) {
    const std::string name(trim(config.get(param::smtpd_proxy_filter)));
    if (name.empty()) return {};
    const bool typed = name.starts_with("inet:") || name.starts_with("unix:");
    const bool is_path = name.starts_with("unix:");
    const bool port_only = name.find(':') == std::string::npos;
    const auto endpoint =
        net::parse_endpoint(typed ? name : cat({"inet:", port_only ? "localhost:" : "", name}), 0);
    if (!endpoint || (!is_path && endpoint->port == 0))
        return Error{Errc::invalid,
                     cat({"smtpd_proxy_filter = ", name, ": neither host:port nor unix:path"})};
    auto found = net::resolve(*endpoint);
    if (!found) return std::move(found).error().within("smtpd_proxy_filter");
    ProxyOptions proxy;
    proxy.name = name;
    proxy.address = found->front();
    proxy.helo_name = config.get(param::smtpd_proxy_ehlo);
    proxy.timeout = config.get(param::smtpd_proxy_timeout);
    proxy.hostname = config.get(param::myhostname);
    proxy.mail_name = config.get(param::mail_name);
    options.proxy = std::move(proxy);
    return {};
}

// Sets up TLS as smtpd_tls_security_level and smtpd_tls_wrappermode want it.
Result<void> read_tls(const config::Config& config, const service::KeyFiles& keys,
                      Options& options) {
    const auto level = config.get(param::smtpd_tls_security_level);
    options.wrapper_mode = config.get(param::smtpd_tls_wrappermode);
    const bool enforced = level.empty() && config.get(param::smtpd_enforce_tls);
    const bool required = level == "encrypt" || enforced || options.wrapper_mode;
    const bool offered =
        required || level == "may" || (level.empty() && config.get(param::smtpd_use_tls));
    if (!offered) return {};
    auto context = service::make_server_context(config, keys, tls_settings(config, required));
    if (!context && required) return std::move(context).error().within("TLS");
    if (!context) {
        log::warning("", "TLS is not offered: " + context.error().what);
        return {};
    }
    options.tls.emplace(std::move(context).value());
    options.engine.tls_available = true;
    options.engine.tls_required = required;
    options.require_client_certificate = required && config.get(param::smtpd_tls_req_ccert);
    options.ask_client_certificate =
        options.require_client_certificate || config.get(param::smtpd_tls_ask_ccert);
    return {};
}

// Where every word is an address or a network they are compared here, otherwise policy does it.
bool read_exceptions(const std::vector<std::string>& words, std::vector<IpNetwork>& networks) {
    for (const auto& word : words) {
        const auto network = IpNetwork::parse(word);
        if (!network) return false;
        networks.push_back(*network);
    }
    return true;
}

// local_header_rewrite_clients. Whether some word of it is for policy to judge.
bool read_rewriting(const config::Config& config, Options& options) {
    bool asks = false;
    options.rewrite_own = false;
    for (const auto& word : config.get(param::local_header_rewrite_clients)) {
        if (iequals(word, "permit_inet_interfaces")) {
            options.rewrite_own = true;
        } else if (iequals(word, "permit_sasl_authenticated")) {
            options.rewrite_authenticated = true;
        } else if (iequals(word, "permit_mynetworks") || word.find(':') != std::string::npos) {
            asks = true;
        } else if (!iequals(word, "check_address_map")) {
            log::warning("", cat({"parameter local_header_rewrite_clients: \"", word,
                                  "\" is not supported and permits nobody"}));
        }
    }
    return asks;
}

// smtpd_forbid_bare_newline. Whether the exclusions are for policy to judge.
bool read_bare_newlines(const config::Config& config, Options& options) {
    const std::string mode = config.get(param::smtpd_forbid_bare_newline);
    options.refuse_bare_newlines = iequals(mode, "reject");
    options.all_may_omit_cr = iequals(mode, "no");
    if (options.all_may_omit_cr) return false;
    const bool plain = read_exceptions(config.get(param::smtpd_forbid_bare_newline_exclusions),
                                       options.omitting_cr);
    if (!plain) options.omitting_cr.clear();
    return !plain;
}

void read_client_rules(const config::Config& config, Options& options) {
    auto& limits = options.limits;
    limits.connections = config.get(param::smtpd_client_connection_count_limit);
    limits.connection_rate = config.get(param::smtpd_client_connection_rate_limit);
    limits.messages = config.get(param::smtpd_client_message_rate_limit);
    limits.recipients = config.get(param::smtpd_client_recipient_rate_limit);
    limits.tls_sessions = config.get(param::smtpd_client_new_tls_session_rate_limit);
    limits.auth = config.get(param::smtpd_client_auth_rate_limit);
    limits.v4_bits = static_cast<int>(config.get(param::smtpd_client_ipv4_prefix_length));
    limits.v6_bits = static_cast<int>(config.get(param::smtpd_client_ipv6_prefix_length));
    const bool plain =
        read_exceptions(config.get(param::smtpd_client_event_limit_exceptions), limits.exceptions);
    if (!plain) limits.exceptions.clear();
    const bool asks_rewriting = read_rewriting(config, options);
    const auto set = [](const auto& value) { return !value.empty(); };
    const bool asks_bare_newlines = read_bare_newlines(config, options);
    const bool asks_verp =
        !read_exceptions(config.get(param::smtpd_authorized_verp_clients), options.verp_clients);
    if (asks_verp) options.verp_clients.clear();
    options.ask_client = asks_rewriting || asks_bare_newlines || asks_verp ||
                         (limits.any() && !plain) ||
                         set(config.get(param::smtpd_authorized_xclient_hosts)) ||
                         set(config.get(param::smtpd_authorized_xforward_hosts)) ||
                         set(config.get(param::debug_peer_list)) ||
                         set(config.get(param::smtpd_discard_ehlo_keyword_address_maps)) ||
                         set(config.get(param::smtpd_sasl_exceptions_networks));
    if (!read_exceptions(config.get(param::smtpd_privileged_clients), options.privileged_clients)) {
        log::warning("",
                     "smtpd_privileged_clients: only addresses and networks; none is privileged");
        options.privileged_clients.clear();
    }
    options.forbid_pipelining = config.get(param::smtpd_forbid_unauth_pipelining);
    options.debug_level = config.get(param::debug_peer_level);
    options.command_filter = set(config.get(param::smtpd_command_filter));
    options.reject_footer = config.get(param::smtpd_reject_footer);
    options.reject_footer_maps = set(config.get(param::smtpd_reject_footer_maps));
}

}  // namespace

bool Options::Limits::any() const {
    return connections + connection_rate + messages + recipients + tls_sessions + auth > 0;
}

std::string Options::Limits::range_of(const std::string& address) const {
    return client_range(address, v4_bits, v6_bits);
}

bool Options::Limits::excepts(const std::string& address) const {
    const auto ip = IpAddress::parse(address);
    return ip && std::any_of(exceptions.begin(), exceptions.end(), [&](const IpNetwork& network) {
               return network.contains(ip->unmapped());
           });
}

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
    options.request_deadline = iequals(config.get(param::smtpd_per_request_deadline), "yes");
    options.least_data_rate = config.get(param::smtpd_min_data_rate);
    options.history_lines = config.get(param::smtpd_history_flush_threshold);
    options.hide_client = config.get(param::smtpd_hide_client_session);
    auto expansion = config::CharacterSet::parse(config.get(param::smtpd_expansion_filter));
    if (!expansion) return std::move(expansion).error().within("smtpd_expansion_filter");
    options.expansion = *expansion;
    TRY(read_upstream_proxy(config, options));
    options.error_sleep = config.get(param::smtpd_error_sleep_time);
    options.cleanup_timeout = config.get(param::ipc_timeout);
    options.client_limit = config.get(param::smtpd_client_limit);
    options.line_limit = config.get(param::line_length_limit);
    options.log_port = config.get(param::smtpd_client_port_logging);
    options.tls_loglevel = static_cast<int>(config.get(param::smtpd_tls_loglevel));
    options.qmgr_path = "public/" + config.get(param::queue_service_name);
    options.cleanup_path = "public/" + config.get(param::cleanup_service_name);
    TRY_ASSIGN(options.overrides, config::ReceiveOverrides::read(config));
    options.content_filter = config.get(param::content_filter);
    options.notices = {
        .classes = classes_in(config.get(param::notify_classes)),
        .recipient = config.get(param::error_notice_recipient),
        .sender = cat({config.get(param::double_bounce_sender), "@", config.get(param::myorigin)}),
        .mail_name = config.get(param::mail_name),
        .myhostname = config.get(param::myhostname)};
    const std::string milter_list = config.get(param::smtpd_milters);
    const auto milters = trim(milter_list);
    const bool by_client = !config.get(param::smtpd_milter_maps).empty();
    options.milters =
        ((!milters.empty() && milters != "DISABLE") || by_client) && !options.overrides.no_milters;
    options.policy_early = options.engine.ask_early;
    options.engine.ask_early = options.policy_early || options.milters;
    TRY(read_tls(config, keys, options));
    TRY(read_proxy(config, options));
    options.auth_line_limit =
        std::max<std::size_t>(options.line_limit, config.get(param::smtpd_sasl_response_limit));
    read_sasl(config, options);
    read_client_rules(config, options);
    options.name_login = config.get(param::smtpd_sasl_authenticated_header);
    options.tls_received_header = config.get(param::smtpd_tls_received_header);
    options.name_lookup = config.get(param::smtpd_peername_lookup);
    if (options.name_lookup) {
        auto hosts = sys::read_file("/etc/hosts", kMaxHostsFile);
        if (hosts) options.host_names = loopback_names(*hosts);
    }
    return options;
}

}  // namespace postern::smtpd
