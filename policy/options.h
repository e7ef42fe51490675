// What policy takes from main.cf and from one smtpd entry of master.cf, as plain values.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/config/character_set.h"
#include "lib/config/config.h"
#include "lib/config/verify_sender.h"
#include "lib/table/address_class.h"
#include "lib/table/address_lookup.h"

#include "policy/delegation.h"

namespace postern::policy {

struct Options {
    // The restriction lists as they stand in main.cf.
    std::string client_restrictions, helo_restrictions, sender_restrictions;
    std::string relay_restrictions =
        "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination";
    std::string recipient_restrictions, data_restrictions, end_of_data_restrictions;
    std::string etrn_restrictions;
    std::map<std::string, std::string, std::less<>> classes;  // smtpd_restriction_classes
    bool delay_reject = true;
    bool soft_bounce = false;  // what would be refused for good is refused for now
    bool relay_before_recipient = true;
    std::string told_permits;  // smtpd_log_access_permit_actions
    bool reject_unlisted_recipient = true, reject_unlisted_sender = false;

    std::string mynetworks;
    table::Parents mynetworks_parents = table::Parents::plain;
    table::ClassLists domains;
    table::Completion completion;
    std::string recipient_delimiter;
    bool access_parents_plain = true;  // parent_domain_matches_subdomains has smtpd_access_maps
    std::string null_access_lookup_key = "<>";

    // passwdfile:$auth_passwd_file is not in the list but in the flag: MailUsers stands for it, as
    // policy may not read that file.
    bool mail_users_listed = false;
    std::string local_recipient_maps, virtual_alias_maps, virtual_mailbox_maps,
        relay_recipient_maps;
    std::string canonical_maps, sender_canonical_maps, recipient_canonical_maps;
    std::string relocated_maps;
    std::string sender_login_maps;
    std::string mx_backup_networks;  // permit_mx_backup_networks
    table::Parents mx_backup_parents = table::Parents::plain;
    bool allow_untrusted_routing = false;
    bool routing_in_quotes = true;  // resolve_dequoted_address
    // unknown_address_tempfail_action, unknown_helo_hostname_tempfail_action: not only if nobody
    // else refuses
    bool unknown_address_defers_now = false, unknown_helo_defers_now = false;
    std::string relay_clientcerts;  // by fingerprint
    bool show_user_unknown_table_name = true;
    // Whom to ask whether a mailbox has room; empty: the mail goes to another program's.
    bool quota_at_recipient = false;
    std::string local_agent, virtual_agent;

    int access_map_reject_code = 554, access_map_defer_code = 450, defer_code = 450;
    int reject_code = 554, relay_domains_reject_code = 554, non_fqdn_reject_code = 504;
    int invalid_hostname_reject_code = 501, unknown_local_recipient_reject_code = 550;
    int unknown_virtual_alias_reject_code = 550, unknown_virtual_mailbox_reject_code = 550;
    int unknown_relay_recipient_reject_code = 550, multi_recipient_bounce_reject_code = 550;
    int plaintext_reject_code = 450;
    int unknown_address_reject_code = 450, unknown_client_reject_code = 450;
    int unknown_hostname_reject_code = 450, maps_rbl_reject_code = 554;
    std::vector<std::string> maps_rbl_domains;                     // what reject_maps_rbl asks
    config::CharacterSet expansion = config::CharacterSet::all();  // smtpd_expansion_filter
    std::string default_rbl_reply =
        "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using "
        "$rbl_domain${rbl_reason?; $rbl_reason}";
    std::string rbl_reply_maps;
    std::string dns_reply_filter;  // tables
    DelegationOptions delegation;  // check_policy_service
    // reject_unverified_recipient, reject_unverified_sender
    struct Unverified {
        int defer_code = 450, reject_code = 450;
        std::string reason;      // instead of the probed server's
        bool defer_now = false;  // tempfail_action: not only if nobody else refuses
    };
    Unverified unverified_recipient, unverified_sender;
    unsigned verify_poll_count = 3;
    Seconds verify_poll_delay{3};
    config::VerifySender verify_sender;
};

Options options_from(const config::Config& config);

}  // namespace postern::policy
