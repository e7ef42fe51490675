#include "postscreen/options.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/service/server_tls.h"

namespace postern::postscreen {
namespace {

Action action_of(const std::string& word) {
    if (word == "drop") return Action::drop;
    return word == "enforce" ? Action::enforce : Action::ignore;
}

// These texts are not expanded, but their defaults are those of smtpd.
std::string as_smtpd(std::string text, std::string_view name, std::string smtpd) {
    return text == name ? std::move(smtpd) : std::move(text);
}

Seconds whole(Millis time) { return std::chrono::duration_cast<Seconds>(time); }

Result<void> read_lists(Options& o, const config::Config& config) {
    for (const auto& word : config.get(param::postscreen_dnsbl_sites)) {
        auto list = DnsList::parse(word);
        if (!list) return std::move(list).error().within("parameter postscreen_dnsbl_sites");
        o.dns_lists.push_back(*std::move(list));
    }
    o.list_threshold = static_cast<int>(config.get(param::postscreen_dnsbl_threshold));
    const std::string allow = config.get(param::postscreen_dnsbl_allowlist_threshold);
    const auto number = parse_number<int>(trim(allow));
    if (!number || *number > 0)
        return Error{Errc::invalid,
                     cat({"parameter postscreen_dnsbl_allowlist_threshold: bad value \"", allow,
                          "\": expected a negative number, or 0"})};
    o.allow_threshold = *number;
    o.lists = {!o.dns_lists.empty(), action_of(config.get(param::postscreen_dnsbl_action)),
               whole(config.get(param::postscreen_dnsbl_max_ttl))};
    o.list_min_lifetime = whole(config.get(param::postscreen_dnsbl_min_ttl));
    o.list_timeout = config.get(param::postscreen_dnsbl_timeout);
    o.reply_map = config.text("postscreen_dnsbl_reply_map");
    return {};
}

void read_tests(Options& o, const config::Config& config) {
    o.greet_wait = config.get(param::postscreen_greet_wait);
    o.greet = {o.greet_wait > Millis{0}, action_of(config.get(param::postscreen_greet_action)),
               whole(config.get(param::postscreen_greet_ttl))};
    o.teaser = config.text("postscreen_greet_banner");
    o.pipelining = {config.get(param::postscreen_pipelining_enable),
                    action_of(config.get(param::postscreen_pipelining_action)),
                    whole(config.get(param::postscreen_pipelining_ttl))};
    o.non_smtp = {config.get(param::postscreen_non_smtp_command_enable),
                  action_of(config.get(param::postscreen_non_smtp_command_action)),
                  whole(config.get(param::postscreen_non_smtp_command_ttl))};
    o.bare_newline = {config.get(param::postscreen_bare_newline_enable),
                      action_of(config.get(param::postscreen_bare_newline_action)),
                      whole(config.get(param::postscreen_bare_newline_ttl))};
}

void read_session(Options& o, const config::Config& config) {
    o.clients_per_address = config.get(param::postscreen_client_connection_count_limit);
    o.under_test = config.get(param::postscreen_pre_queue_limit);
    o.waiting_for_server = config.get(param::postscreen_post_queue_limit);
    o.command_limit = config.get(param::postscreen_command_count_limit);
    o.command_time = config.get(param::postscreen_command_time_limit);
    for (const auto& word : config.get(param::postscreen_forbidden_commands))
        o.forbidden_commands.push_back(to_upper(word));
    for (const auto& word : config.get(param::postscreen_discard_ehlo_keywords))
        o.hidden_keywords.push_back(to_upper(word));
    o.hidden_keyword_maps = config.text("postscreen_discard_ehlo_keyword_address_maps");
    o.helo_required = config.get(param::postscreen_helo_required);
    o.no_vrfy = config.get(param::postscreen_disable_vrfy_command);
    o.message_size_limit = config.get(param::message_size_limit);
}

service::ServerTls tls_settings(const config::Config& config, bool mandatory) {
    service::ServerTls s;
    s.missing = "tlsproxy_tls_cert_file is not set";
    s.chain_files = config.get(param::tlsproxy_tls_chain_files);
    s.cert_file = config.get(param::tlsproxy_tls_cert_file);
    s.key_file = config.get(param::tlsproxy_tls_key_file);
    s.eccert_file = config.get(param::tlsproxy_tls_eccert_file);
    s.eckey_file = config.get(param::tlsproxy_tls_eckey_file);
    s.protocols = mandatory ? config.get(param::tlsproxy_tls_mandatory_protocols)
                            : config.get(param::tlsproxy_tls_protocols);
    s.excluded_ciphers = config.get(param::tlsproxy_tls_exclude_ciphers);
    if (mandatory) {
        for (auto& word : config.get(param::tlsproxy_tls_mandatory_exclude_ciphers))
            s.excluded_ciphers.push_back(std::move(word));
    }
    s.cipher_grade = mandatory ? config.get(param::tlsproxy_tls_mandatory_ciphers)
                               : config.get(param::tlsproxy_tls_ciphers);
    return s;
}

// As smtpd: TLS that is only offered must not keep the service from starting.
Result<void> read_tls(Options& o, const config::Config& config, const service::KeyFiles& keys) {
    const std::string level = config.get(param::postscreen_tls_security_level);
    o.tls_required =
        level == "encrypt" || (level.empty() && config.get(param::postscreen_enforce_tls));
    o.offers_tls = o.tls_required || level == "may" ||
                   (level.empty() && config.get(param::postscreen_use_tls));
    o.tls_loglevel = static_cast<int>(config.get(param::tlsproxy_tls_loglevel));
    if (!o.offers_tls) return {};
    auto context = service::make_server_context(config, keys, tls_settings(config, o.tls_required));
    if (!context && o.tls_required)
        return std::move(context).error().within("postscreen_tls_security_level");
    o.offers_tls = context.has_value();
    if (context)
        o.tls.emplace(std::move(context).value());
    else
        log::warning("", "TLS is not offered: " + context.error().what);
    return {};
}

}  // namespace

Result<Options> Options::from(const config::Config& config, const service::KeyFiles& keys) {
    Options o;
    TRY(read_tls(o, config, keys));
    o.hostname = config.text("myhostname");
    o.smtpd_banner = config.text("smtpd_banner");
    o.access_list = config.get(param::postscreen_access_list);
    o.mynetworks = config.text("mynetworks");
    o.allowlist_interfaces = config.text("postscreen_allowlist_interfaces");
    o.denylist_action = action_of(config.get(param::postscreen_denylist_action));
    o.respectful = config.get(param::respectful_logging);
    read_tests(o, config);
    TRY(read_lists(o, config));
    o.forwarders = config.get(param::dns_forwarders);
    o.cache_map = config.text("postscreen_cache_map");
    o.cache_retention = whole(config.get(param::postscreen_cache_retention_time));
    o.cache_cleanup = whole(config.get(param::postscreen_cache_cleanup_interval));
    read_session(o, config);
    o.command_filter = config.text("postscreen_command_filter");
    o.reject_footer_maps = config.text("postscreen_reject_footer_maps");
    o.reject_footer = as_smtpd(config.get(param::postscreen_reject_footer), "$smtpd_reject_footer",
                               config.get(param::smtpd_reject_footer));
    auto expansion = config::CharacterSet::parse(
        as_smtpd(config.get(param::postscreen_expansion_filter), "$smtpd_expansion_filter",
                 config.get(param::smtpd_expansion_filter)));
    if (!expansion)
        return std::move(expansion).error().within("parameter postscreen_expansion_filter");
    o.expansion = *expansion;
    const std::string proxy(trim(config.text("postscreen_upstream_proxy_protocol")));
    if (!proxy.empty() && proxy != "haproxy")
        return Error{Errc::invalid,
                     cat({"parameter postscreen_upstream_proxy_protocol: bad value \"", proxy,
                          "\": expected haproxy"})};
    o.haproxy = !proxy.empty();
    o.proxy_timeout = config.get(param::postscreen_upstream_proxy_timeout);
    o.smtpd_path = "private/" + config.text("smtpd_service_name");
    return o;
}

}  // namespace postern::postscreen
