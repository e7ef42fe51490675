// Restriction lists: "permit_mynetworks, check_sender_access hash:/x, reject" -> parsed, once per
// service.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/table/maps.h"

namespace postern::policy {

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
    unsupported,  // known to Postfix, not to us yet
    unknown,
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

struct Restriction {
    Check check = Check::unknown;
    std::string name;                   // as written
    std::string argument;               // table, list, number
    std::shared_ptr<table::Maps> maps;  // of an access check
    ServerCheck servers;
};
using RestrictionList = std::vector<Restriction>;

// Never fails: words without a meaning become Check::unknown, which refuses with a configuration
// error when its turn comes. `is_class` tells the names of smtpd_restriction_classes.
RestrictionList parse_restrictions(std::string_view text,
                                   const std::function<bool(std::string_view)>& is_class);

// Is there anything in the list that stops relaying for strangers?
bool stops_relaying(const RestrictionList& list);

}  // namespace postern::policy
