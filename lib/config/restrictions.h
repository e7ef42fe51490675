// The language of smtpd's restriction lists: its words, what each is followed by, and lists parsed.
// policy carries out what stands here, and "postern check" judges a configuration by the same
// table.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::config {

enum class Check : unsigned char {
    permit,
    reject,
    defer,
    defer_if_permit,
    defer_if_reject,
    warn_if_reject,
    sleep,
    permit_mynetworks,
    permit_sasl_authenticated,
    permit_auth_destination,
    permit_inet_interfaces,
    permit_numeric_helo,  // permit_naked_ip_address
    reject_unauth_destination,
    defer_unauth_destination,
    reject_unlisted_recipient,
    reject_unlisted_sender,
    reject_non_fqdn_sender,
    reject_non_fqdn_recipient,
    reject_non_fqdn_helo,
    reject_invalid_helo,
    reject_multi_recipient_bounce,
    reject_plaintext_session,
    reject_sender_login_mismatch,
    reject_authenticated_sender_login_mismatch,
    reject_unauthenticated_sender_login_mismatch,
    reject_known_sender_login_mismatch,
    client_access,
    helo_access,
    sender_access,
    recipient_access,
    etrn_access,
    sasl_access,
    reject_unknown_sender_domain,
    reject_unknown_recipient_domain,
    reject_unknown_client,
    reject_unknown_reverse_client,
    reject_rbl_client,
    reject_maps_rbl,
    permit_dnswl_client,
    reject_rhsbl_client,
    reject_rhsbl_reverse_client,
    reject_rhsbl_helo,
    reject_rhsbl_sender,
    reject_rhsbl_recipient,
    reject_unknown_helo,
    policy_service,
    reject_unverified_recipient,
    reject_unverified_sender,
    permit_tls_clientcerts,
    permit_tls_all_clientcerts,
    permit_mx_backup,
    permit_rhswl_client,
    server_access,  // check_sender_mx_access and its kind
    ccert_access,
    reverse_client_access,
    nothing,  // known, and without effect here: smtpd itself sees to it
    table,    // a bare type:table: the access check of the list that it stands in
    restriction_class,
    mistake,  // an unknown word, or one without what must follow it
};

// What a list is about: the words before "rejected", the thing in angle brackets, and which access
// check a bare type:table stands for.
enum class Subject : unsigned char { client, helo, sender, recipient, data, end_of_data, etrn };

// Of Check::server_access: whose servers, and which.
enum class ServerKind : unsigned char { itself, mail, name };
struct ServerCheck {
    Subject subject = Subject::client;
    ServerKind kind = ServerKind::mail;
    bool reverse = false;  // the client's unverified name
};

// What must follow a word.
enum class Argument : unsigned char { nothing, table, dns_list, seconds, policy_service };

struct RestrictionWord {
    std::string_view name;
    Check check = Check::mistake;
    Argument argument = Argument::nothing;
    ServerCheck servers;
};
std::span<const RestrictionWord> restriction_words();
// Upper and lower case are the same.
const RestrictionWord* find_restriction(std::string_view name);

struct RestrictionItem {
    Check check = Check::mistake;
    std::string name;      // as written
    std::string argument;  // what follows it; of Check::table the table
    ServerCheck servers;
    std::string mistake;  // of Check::mistake: what is wrong, and what would be right
};

using RestrictionItems = std::vector<RestrictionItem>;
using RestrictionClasses = std::map<std::string, RestrictionItems, std::less<>>;

// Never fails: what is wrong becomes a Check::mistake. `is_class` tells the names of
// smtpd_restriction_classes.
RestrictionItems parse_restrictions(std::string_view text,
                                    const std::function<bool(std::string_view)>& is_class);

// No later word of a list is looked at.
bool ends_list(Check check);

// Is there anything in the list that stops relaying for strangers? smtpd_relay_restrictions or
// smtpd_recipient_restrictions must have it.
bool stops_relaying(const RestrictionItems& list, const RestrictionClasses& classes);

inline constexpr std::string_view kOpenRelayText =
    "specify at least one working instance of: reject_unauth_destination, "
    "defer_unauth_destination, reject, defer, defer_if_permit";

}  // namespace postern::config
