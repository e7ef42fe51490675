#include "policy/options.h"

#include <algorithm>
#include <chrono>

#include "lib/base/strings.h"
#include "lib/config/receive_overrides.h"
#include "lib/log/log.h"
#include "lib/table/address_options.h"
#include "lib/table/source.h"

namespace postern::policy {
namespace {

bool plain(const config::Config& config, std::string_view parameter) {
    return table::parents_of(config, parameter) == table::Parents::plain;
}

int code(const config::Config& config, config::CountParam param) {
    return static_cast<int>(config.get(param));  // the row's range is 400 to 599
}

void set_lists(Options& o, const config::Config& config) {
    o.client_restrictions = config.text("smtpd_client_restrictions");
    o.helo_restrictions = config.text("smtpd_helo_restrictions");
    o.sender_restrictions = config.text("smtpd_sender_restrictions");
    o.relay_restrictions = config.text("smtpd_relay_restrictions");
    o.recipient_restrictions = config.text("smtpd_recipient_restrictions");
    o.data_restrictions = config.text("smtpd_data_restrictions");
    o.end_of_data_restrictions = config.text("smtpd_end_of_data_restrictions");
    o.etrn_restrictions = config.text("smtpd_etrn_restrictions");
    for (const auto& name : config.get(param::smtpd_restriction_classes))
        o.classes.emplace(name, config.text(name));
}

void set_codes(Options& o, const config::Config& config) {
    o.access_map_reject_code = code(config, param::access_map_reject_code);
    o.access_map_defer_code = code(config, param::access_map_defer_code);
    o.defer_code = code(config, param::defer_code);
    o.reject_code = code(config, param::reject_code);
    o.relay_domains_reject_code = code(config, param::relay_domains_reject_code);
    o.non_fqdn_reject_code = code(config, param::non_fqdn_reject_code);
    o.invalid_hostname_reject_code = code(config, param::invalid_hostname_reject_code);
    o.unknown_local_recipient_reject_code =
        code(config, param::unknown_local_recipient_reject_code);
    o.unknown_virtual_alias_reject_code = code(config, param::unknown_virtual_alias_reject_code);
    o.unknown_virtual_mailbox_reject_code =
        code(config, param::unknown_virtual_mailbox_reject_code);
    o.unknown_relay_recipient_reject_code =
        code(config, param::unknown_relay_recipient_reject_code);
    o.multi_recipient_bounce_reject_code = code(config, param::multi_recipient_bounce_reject_code);
    o.unknown_address_reject_code = code(config, param::unknown_address_reject_code);
    o.unknown_client_reject_code = code(config, param::unknown_client_reject_code);
    o.unknown_hostname_reject_code = code(config, param::unknown_hostname_reject_code);
    o.maps_rbl_domains = config.get(param::maps_rbl_domains);
    // A bad value ends smtpd at its start; here nothing would come through.
    if (auto set = config::CharacterSet::parse(config.get(param::smtpd_expansion_filter)))
        o.expansion = *set;
    o.delegation.max_idle = config.get(param::smtpd_policy_service_max_idle);
    o.delegation.max_ttl = config.get(param::smtpd_policy_service_max_ttl);
    o.delegation.request_limit = config.get(param::smtpd_policy_service_request_limit);
    o.maps_rbl_reject_code = code(config, param::maps_rbl_reject_code);
    o.delegation.timeout = config.get(param::smtpd_policy_service_timeout);
    o.delegation.retry_delay = config.get(param::smtpd_policy_service_retry_delay);
    o.delegation.try_limit =
        std::max<std::size_t>(1, config.get(param::smtpd_policy_service_try_limit));
    o.delegation.default_action = config.get(param::smtpd_policy_service_default_action);
    o.delegation.context = config.get(param::smtpd_policy_service_policy_context);
    o.soft_bounce = config.get(param::soft_bounce);
    o.plaintext_reject_code = code(config, param::plaintext_reject_code);
}

void set_local_recipients(Options& o, const config::Config& config) {
    const std::string own = cat({"passwdfile:", config.get(param::auth_passwd_file)});
    for (const auto& table : table::split_list(config.text("local_recipient_maps"))) {
        if (table == own || table == "proxy:" + own) {
            o.mail_users_listed = true;
        } else {
            o.local_recipient_maps += cat({o.local_recipient_maps.empty() ? "" : ", ", table});
        }
    }
}

// Postfix's words for it; a wrong one is told and means the default.
bool defers_now(const config::Config& config, config::TextParam param, std::string_view name) {
    const std::string action = config.get(param);
    if (action == "defer") return true;
    if (action != "defer_if_permit")
        log::warning("", cat({name, ": \"", printable(action, 40),
                              "\" is neither defer nor defer_if_permit; using the latter"}));
    return false;
}

void set_verification(Options& o, const config::Config& config) {
    o.unverified_recipient = {code(config, param::unverified_recipient_defer_code),
                              code(config, param::unverified_recipient_reject_code),
                              config.get(param::unverified_recipient_reject_reason),
                              defers_now(config, param::unverified_recipient_tempfail_action,
                                         "unverified_recipient_tempfail_action")};
    o.unverified_sender = {code(config, param::unverified_sender_defer_code),
                           code(config, param::unverified_sender_reject_code),
                           config.get(param::unverified_sender_reject_reason),
                           defers_now(config, param::unverified_sender_tempfail_action,
                                      "unverified_sender_tempfail_action")};
    constexpr unsigned kMostPolls = 10;
    const std::string polls = config.get(param::address_verify_poll_count);
    const auto count = parse_number<unsigned>(polls);
    if (!count || *count == 0) {
        log::warning("", cat({"address_verify_poll_count: \"", printable(polls, 40),
                              "\" is no number from 1; using 3"}));
    } else {
        o.verify_poll_count = std::min(*count, kMostPolls);
    }
    o.verify_poll_delay =
        std::chrono::duration_cast<Seconds>(config.get(param::address_verify_poll_delay));
    o.verify_sender = config::VerifySender::from(config);
}

}  // namespace

namespace {

// The service of "local:$myhostname", where that is a delivery agent that knows of quota.
std::string quota_agent(std::string_view transport, std::string_view ours) {
    const auto name = transport.substr(0, transport.find(':'));
    return name == ours ? std::string(name) : std::string();
}

void set_quota(Options& o, const config::Config& config) {
    o.quota_at_recipient = config.get(param::mailbox_quota_at_recipient) &&
                           !config.get(param::mailbox_quota_rule).empty();
    o.local_agent = quota_agent(config.get(param::local_transport), "local");
    o.virtual_agent = quota_agent(config.get(param::virtual_transport), "virtual");
}

}  // namespace

Options options_from(const config::Config& config) {
    Options o;
    set_lists(o, config);
    set_codes(o, config);
    set_verification(o, config);
    set_quota(o, config);
    o.delay_reject = config.get(param::smtpd_delay_reject);
    o.dns_reply_filter = config.text("smtpd_dns_reply_filter");
    o.told_permits = config.text("smtpd_log_access_permit_actions");
    o.relay_before_recipient = config.get(param::smtpd_relay_before_recipient_restrictions);
    // An unknown word is its smtpd's to complain about, which does not start with it.
    const auto overrides = config::ReceiveOverrides::read(config);
    o.reject_unlisted_recipient = config.get(param::smtpd_reject_unlisted_recipient) &&
                                  !(overrides && overrides->no_unknown_recipient_checks);
    o.reject_unlisted_sender = config.get(param::smtpd_reject_unlisted_sender);
    o.mynetworks = config.text("mynetworks");
    o.mynetworks_parents = table::parents_of(config, "mynetworks");
    o.domains = table::class_lists(config);
    o.completion = table::completion(config);
    o.recipient_delimiter = config.get(param::recipient_delimiter);
    o.access_parents_plain = plain(config, "smtpd_access_maps");
    o.null_access_lookup_key = config.get(param::smtpd_null_access_lookup_key);
    set_local_recipients(o, config);
    o.relocated_maps = config.text("relocated_maps");
    o.virtual_alias_maps = config.text("virtual_alias_maps");
    o.virtual_mailbox_maps = config.text("virtual_mailbox_maps");
    o.relay_recipient_maps = config.text("relay_recipient_maps");
    o.canonical_maps = config.text("canonical_maps");
    o.sender_canonical_maps = config.text("sender_canonical_maps");
    o.recipient_canonical_maps = config.text("recipient_canonical_maps");
    o.sender_login_maps = config.text("smtpd_sender_login_maps");
    o.mx_backup_networks = config.text("permit_mx_backup_networks");
    o.mx_backup_parents = table::parents_of(config, "permit_mx_backup_networks");
    o.allow_untrusted_routing = config.get(param::allow_untrusted_routing);
    o.routing_in_quotes = config.get(param::resolve_dequoted_address);
    o.unknown_address_defers_now = defers_now(config, param::unknown_address_tempfail_action,
                                              "unknown_address_tempfail_action");
    o.unknown_helo_defers_now = defers_now(config, param::unknown_helo_hostname_tempfail_action,
                                           "unknown_helo_hostname_tempfail_action");
    o.relay_clientcerts = config.text("relay_clientcerts");
    o.default_rbl_reply = config.get(param::default_rbl_reply);
    o.rbl_reply_maps = config.text("rbl_reply_maps");
    o.show_user_unknown_table_name = config.get(param::show_user_unknown_table_name);
    return o;
}

}  // namespace postern::policy
