#include "forwarder/options.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/config/host.h"
#include "lib/log/log.h"
#include "lib/sys/port.h"
#include "lib/table/status_filter.h"

#include "forwarder/next_hop.h"
#include "forwarder/server_rules.h"

namespace postern::forwarder {
namespace {

bool contains(const std::vector<std::string>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

// Addresses at which mail for this system arrives: a better MX host than these is needed, or none.
std::vector<IpAddress> own_addresses(const config::Config& config) {
    std::vector<IpAddress> own;
    auto add = [&own](std::string_view text) {
        if (auto address = IpAddress::parse(text)) own.push_back(*address);
    };
    auto interfaces = config.get(param::inet_interfaces);
    for (const std::string& interface : interfaces) add(interface);
    if (contains(interfaces, "all") || contains(interfaces, "loopback-only")) {
        bool all = contains(interfaces, "all");
        for (const auto& found : config::SystemHost::instance().addresses()) {
            auto address = IpAddress::parse(found.address);
            if (address && (all || address->is_loopback())) own.push_back(*address);
        }
    }
    for (const std::string& proxy : config.get(param::proxy_interfaces)) add(proxy);
    return own;
}

void read_timeouts(Options& options, const config::Config& config) {
    options.connect =
        config.get(options.lmtp ? param::lmtp_connect_timeout : param::smtp_connect_timeout);
    options.helo = config.get(options.lmtp ? param::lmtp_lhlo_timeout : param::smtp_helo_timeout);
    options.starttls =
        config.get(options.lmtp ? param::lmtp_starttls_timeout : param::smtp_starttls_timeout);
    options.mail = config.get(options.lmtp ? param::lmtp_mail_timeout : param::smtp_mail_timeout);
    options.rcpt = config.get(options.lmtp ? param::lmtp_rcpt_timeout : param::smtp_rcpt_timeout);
    options.data_init =
        config.get(options.lmtp ? param::lmtp_data_init_timeout : param::smtp_data_init_timeout);
    options.data_xfer =
        config.get(options.lmtp ? param::lmtp_data_xfer_timeout : param::smtp_data_xfer_timeout);
    options.data_done =
        config.get(options.lmtp ? param::lmtp_data_done_timeout : param::smtp_data_done_timeout);
    options.rset = config.get(options.lmtp ? param::lmtp_rset_timeout : param::smtp_rset_timeout);
    options.xforward =
        config.get(options.lmtp ? param::lmtp_xforward_timeout : param::smtp_xforward_timeout);
    options.quit = config.get(options.lmtp ? param::lmtp_quit_timeout : param::smtp_quit_timeout);
}

void read_workarounds(Options& options, const config::Config& config) {
    const bool lmtp = options.lmtp;
    options.pix = parse_pix_workarounds(
        join(config.get(lmtp ? param::lmtp_pix_workarounds : param::smtp_pix_workarounds), " "),
        lmtp ? "lmtp_pix_workarounds" : "smtp_pix_workarounds");
    options.pix_maps = join(
        config.get(lmtp ? param::lmtp_pix_workaround_maps : param::smtp_pix_workaround_maps), ", ");
    options.pix_delay = config.get(lmtp ? param::lmtp_pix_workaround_delay_time
                                        : param::smtp_pix_workaround_delay_time);
    options.pix_threshold = config.get(lmtp ? param::lmtp_pix_workaround_threshold_time
                                            : param::smtp_pix_workaround_threshold_time);
    options.probe_at_data = config.get(lmtp ? param::lmtp_address_verify_target
                                            : param::smtp_address_verify_target) == "data";
    options.quote_envelope =
        config.get(lmtp ? param::lmtp_quote_rfc821_envelope : param::smtp_quote_rfc821_envelope);
    options.sasl.dummy_mail_auth =
        config.get(lmtp ? param::lmtp_send_dummy_mail_auth : param::smtp_send_dummy_mail_auth);
    options.tls_block_early_reply = config.get(lmtp ? param::lmtp_tls_block_early_mail_reply
                                                    : param::smtp_tls_block_early_mail_reply);
    options.per_request_deadline =
        config.get(lmtp ? param::lmtp_per_request_deadline : param::smtp_per_request_deadline);
    options.min_data_rate = static_cast<std::uint64_t>(
        config.get(lmtp ? param::lmtp_min_data_rate : param::smtp_min_data_rate));
}

// Errc::invalid for an address to connect from that is none.
Result<void> read_bind_addresses(Options& options, const config::Config& config) {
    const bool lmtp = options.lmtp;
    options.bind_address = config.get(lmtp ? param::lmtp_bind_address : param::smtp_bind_address);
    options.bind_address6 =
        config.get(lmtp ? param::lmtp_bind_address6 : param::smtp_bind_address6);
    options.bind_enforce =
        config.get(lmtp ? param::lmtp_bind_address_enforce : param::smtp_bind_address_enforce);
    const auto fits = [](const std::string& text, bool v4) {
        const auto address = IpAddress::parse(text);
        return text.empty() || (address && address->is_v4() == v4);
    };
    const std::string_view protocol = lmtp ? "lmtp" : "smtp";
    if (!fits(options.bind_address, true))
        return Error{Errc::invalid, cat({"bad ", protocol, "_bind_address parameter: ",
                                         options.bind_address, " (no IPv4 address)"})};
    if (!fits(options.bind_address6, false))
        return Error{Errc::invalid, cat({"bad ", protocol, "_bind_address6 parameter: ",
                                         options.bind_address6, " (no IPv6 address)"})};
    return {};
}

void read_srv(Options& options, const config::Config& config) {
    options.srv_services = config.get(param::use_srv_lookup);
    options.ignore_srv_error = config.get(param::ignore_srv_lookup_error);
    options.srv_fallback = config.get(param::allow_srv_lookup_fallback);
}

// Errc::invalid for resolver options that are none, and for a probe that asks for nothing.
Result<void> read_dns(Options& options, const config::Config& config) {
    const bool lmtp = options.lmtp;
    options.reply_filter_dns =
        config.text(lmtp ? "lmtp_dns_reply_filter" : "smtp_dns_reply_filter");
    const std::string name = lmtp ? "lmtp_dns_resolver_options" : "smtp_dns_resolver_options";
    for (const auto& word :
         config.get(lmtp ? param::lmtp_dns_resolver_options : param::smtp_dns_resolver_options)) {
        if (iequals(word, "res_defnames")) {
            options.search.bare_names = true;
        } else if (iequals(word, "res_dnsrch")) {
            options.search.all_names = true;
        } else {
            return Error{Errc::invalid,
                         cat({name, ": \"", word, "\" is none of res_defnames, res_dnsrch"})};
        }
    }
    options.dnssec_probe = config.get(param::dnssec_probe);
    const auto parts = split_once(options.dnssec_probe, ':');
    if (!options.dnssec_probe.empty() &&
        (!parts || !dns::type_named(parts->first) || parts->second.empty())) {
        return Error{Errc::invalid, cat({"dnssec_probe: \"", options.dnssec_probe,
                                         "\" is no record type and name, as \"ns:.\""})};
    }
    options.tlsa_of_insecure_hosts =
        config.get(lmtp ? param::lmtp_tls_force_insecure_host_tlsa_lookup
                        : param::smtp_tls_force_insecure_host_tlsa_lookup);
    options.cname_names_server = config.get(lmtp ? param::lmtp_cname_overrides_servername
                                                 : param::smtp_cname_overrides_servername);
    options.balance =
        config.get(lmtp ? param::lmtp_balance_inet_protocols : param::smtp_balance_inet_protocols);
    return {};
}

void read_addressing(Options& options, const config::Config& config) {
    // The newer parameter wins where it is set.
    const std::string level =
        config.get(options.lmtp ? param::lmtp_dns_support_level : param::smtp_dns_support_level);
    options.dns_lookups =
        level.empty() ? !config.get(param::disable_dns_lookups) : level != "disabled";
    // The system's own way ("native") has /etc/hosts, the DNS has not.
    const auto ways = config.get(options.lmtp ? param::lmtp_host_lookup : param::smtp_host_lookup);
    if (options.dns_lookups && !contains(ways, "native")) options.resolver.hosts.clear();
    options.ignore_mx_error = config.get(param::ignore_mx_lookup_error);
    options.defer_without_mx_address =
        config.get(options.lmtp ? param::lmtp_defer_if_no_mx_address_found
                                : param::smtp_defer_if_no_mx_address_found);
    auto protocols = config.get(param::inet_protocols);
    bool all = contains(protocols, "all");
    options.ask_ipv4 = all || contains(protocols, "ipv4");
    options.ask_ipv6 = all || contains(protocols, "ipv6");
    std::string prefer =
        config.get(options.lmtp ? param::lmtp_address_preference : param::smtp_address_preference);
    if (prefer == "ipv4") options.prefer = Options::Prefer::ipv4;
    if (prefer == "ipv6") options.prefer = Options::Prefer::ipv6;
    options.randomize = config.get(options.lmtp ? param::lmtp_randomize_addresses
                                                : param::smtp_randomize_addresses);
    options.address_limit =
        config.get(options.lmtp ? param::lmtp_mx_address_limit : param::smtp_mx_address_limit);
    options.session_limit =
        config.get(options.lmtp ? param::lmtp_mx_session_limit : param::smtp_mx_session_limit);
    options.own_addresses = own_addresses(config);
    for (auto relay : split_words(
             config.get(options.lmtp ? param::lmtp_fallback_relay : param::smtp_fallback_relay),
             " \t\r\n,")) {
        options.fallback_relays.emplace_back(relay);
    }
    options.resolver.forwarders = config.get(param::dns_forwarders);
    if (level == "dnssec") options.resolver.trust_anchor = config.get(param::dns_trust_anchor_file);
}

void read_tls_reports(Options& options, const config::Config& config, bool lmtp) {
    if (!config.get(lmtp ? param::lmtp_tlsrpt_enable : param::smtp_tlsrpt_enable)) return;
    options.tls_report_socket =
        config.get(lmtp ? param::lmtp_tlsrpt_socket_name : param::smtp_tlsrpt_socket_name);
    options.report_resumed_tls = !config.get(lmtp ? param::lmtp_tlsrpt_skip_reused_handshakes
                                                  : param::smtp_tlsrpt_skip_reused_handshakes);
    if (options.tls_report_socket.empty())
        log::warning("", cat({lmtp ? "lmtp" : "smtp",
                              "_tlsrpt_socket_name is empty: nothing is "
                              "told about TLS, although ",
                              lmtp ? "lmtp" : "smtp", "_tlsrpt_enable = yes"}));
}

}  // namespace

Result<Options> Options::from(const config::Config& config, bool lmtp,
                              const service::KeyFiles& keys) {
    Options options;
    options.lmtp = lmtp;
    options.assume_final = lmtp && config.get(param::lmtp_assume_final);
    options.own_name = config.get(param::myhostname);
    options.helo_name = config.get(lmtp ? param::lmtp_lhlo_name : param::smtp_helo_name);
    TRY_ASSIGN(options.tls, TlsSettings::from(config, lmtp, keys));
    TRY_ASSIGN(options.sasl, SaslSettings::from(config, lmtp, keys));
    options.outgoing = OutgoingSettings::from(config, lmtp);
    read_tls_reports(options, config, lmtp);
    options.convert_8bit = !config.get(param::disable_mime_output_conversion);
    options.tls_wrapper =
        config.get(lmtp ? param::lmtp_tls_wrappermode : param::smtp_tls_wrappermode);
    if (options.tls_wrapper && options.tls.level < smtp::TlsLevel::encrypt) {
        return Error{Errc::invalid,
                     cat({lmtp ? "lmtp" : "smtp", "_tls_wrappermode = yes needs ",
                          lmtp ? "lmtp" : "smtp", "_tls_security_level = encrypt or stronger"})};
    }
    options.tls_loglevel =
        static_cast<int>(config.get(lmtp ? param::lmtp_tls_loglevel : param::smtp_tls_loglevel));
    options.note_starttls_offer = config.get(lmtp ? param::lmtp_tls_note_starttls_offer
                                                  : param::smtp_tls_note_starttls_offer);
    options.ignored_extensions =
        config.get(lmtp ? param::lmtp_discard_lhlo_keywords : param::smtp_discard_ehlo_keywords);
    options.ignored_extension_maps = config.text(lmtp ? "lmtp_discard_lhlo_keyword_address_maps"
                                                      : "smtp_discard_ehlo_keyword_address_maps");
    options.reply_filter = config.text(lmtp ? "lmtp_reply_filter" : "smtp_reply_filter");
    if (!lmtp) {
        options.always_ehlo = config.get(param::smtp_always_send_ehlo);
        options.never_ehlo = config.get(param::smtp_never_send_ehlo);
    }
    read_workarounds(options, config);
    const auto classes = config.get(param::notify_classes);
    options.tell_protocol = std::any_of(classes.begin(), classes.end(),
                                        [](const auto& one) { return iequals(one, "protocol"); });
    const std::string filter = lmtp ? "lmtp_delivery_status_filter" : "smtp_delivery_status_filter";
    options.status_filter = table::StatusFilter::function(config.text(filter), filter);
    options.bounce_service = config.get(param::bounce_service_name);
    std::string port = config.get(lmtp ? param::lmtp_tcp_port : param::smtp_tcp_port);
    TRY_ASSIGN(options.default_port, sys::parse_port(port));
    options.default_service = port;
    read_srv(options, config);
    TRY(read_dns(options, config));
    read_timeouts(options, config);
    read_addressing(options, config);
    TRY(read_bind_addresses(options, config));
    options.line_limit =
        config.get(lmtp ? param::lmtp_line_length_limit : param::smtp_line_length_limit);
    options.skip_5xx_greeting =
        config.get(lmtp ? param::lmtp_skip_5xx_greeting : param::smtp_skip_5xx_greeting);
    options.skip_quit_response =
        config.get(lmtp ? param::lmtp_skip_quit_response : param::smtp_skip_quit_response);
    options.send_xforward =
        config.get(lmtp ? param::lmtp_send_xforward_command : param::smtp_send_xforward_command);
    options.cache = config.get(lmtp ? param::lmtp_connection_cache_on_demand
                                    : param::smtp_connection_cache_on_demand) ||
                    !config
                         .get(lmtp ? param::lmtp_connection_cache_destinations
                                   : param::smtp_connection_cache_destinations)
                         .empty();
    options.cache_time = config.get(lmtp ? param::lmtp_connection_cache_time_limit
                                         : param::smtp_connection_cache_time_limit);
    options.reuse_time = config.get(lmtp ? param::lmtp_connection_reuse_time_limit
                                         : param::smtp_connection_reuse_time_limit);
    options.reuse_count = config.get(lmtp ? param::lmtp_connection_reuse_count_limit
                                          : param::smtp_connection_reuse_count_limit);
    return options;
}

}  // namespace postern::forwarder
