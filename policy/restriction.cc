#include "policy/restriction.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "lib/base/strings.h"
#include "lib/table/source.h"

namespace postern::policy {
namespace {

enum class Takes : unsigned char { nothing, table, word };

struct Known {
    std::string_view name;
    Check check;
    Takes takes = Takes::nothing;
};

constexpr auto kKnown = std::to_array<Known>({
    {"permit", Check::permit},
    {"reject", Check::reject},
    {"defer", Check::defer},
    {"defer_if_permit", Check::defer_if_permit},
    {"defer_if_reject", Check::defer_if_reject},
    {"warn_if_reject", Check::warn_if_reject},
    {"sleep", Check::sleep, Takes::word},
    {"permit_mynetworks", Check::permit_mynetworks},
    {"permit_sasl_authenticated", Check::permit_sasl_authenticated},
    {"permit_auth_destination", Check::permit_auth_destination},
    {"permit_inet_interfaces", Check::permit_inet_interfaces},
    {"reject_unauth_destination", Check::reject_unauth_destination},
    {"check_relay_domains", Check::reject_unauth_destination},
    {"defer_unauth_destination", Check::defer_unauth_destination},
    {"reject_unlisted_recipient", Check::reject_unlisted_recipient},
    {"check_recipient_maps", Check::reject_unlisted_recipient},
    {"reject_unlisted_sender", Check::reject_unlisted_sender},
    {"reject_non_fqdn_sender", Check::reject_non_fqdn_sender},
    {"reject_non_fqdn_recipient", Check::reject_non_fqdn_recipient},
    {"reject_non_fqdn_helo_hostname", Check::reject_non_fqdn_helo},
    {"reject_non_fqdn_hostname", Check::reject_non_fqdn_helo},
    {"reject_invalid_helo_hostname", Check::reject_invalid_helo},
    {"reject_invalid_hostname", Check::reject_invalid_helo},
    {"reject_multi_recipient_bounce", Check::reject_multi_recipient_bounce},
    {"reject_plaintext_session", Check::reject_plaintext_session},
    {"reject_sender_login_mismatch", Check::reject_sender_login_mismatch},
    {"reject_authenticated_sender_login_mismatch",
     Check::reject_authenticated_sender_login_mismatch},
    {"reject_unauthenticated_sender_login_mismatch",
     Check::reject_unauthenticated_sender_login_mismatch},
    {"reject_known_sender_login_mismatch", Check::reject_known_sender_login_mismatch},
    {"check_client_access", Check::client_access, Takes::table},
    {"check_helo_access", Check::helo_access, Takes::table},
    {"check_sender_access", Check::sender_access, Takes::table},
    {"check_recipient_access", Check::recipient_access, Takes::table},
    {"check_etrn_access", Check::etrn_access, Takes::table},
    {"check_sasl_access", Check::sasl_access, Takes::table},
    {"reject_unknown_sender_domain", Check::reject_unknown_sender_domain},
    {"reject_unknown_recipient_domain", Check::reject_unknown_recipient_domain},
    {"reject_unknown_client_hostname", Check::reject_unknown_client},
    {"reject_unknown_client", Check::reject_unknown_client},
    {"reject_unknown_reverse_client_hostname", Check::reject_unknown_reverse_client},
    {"reject_maps_rbl", Check::reject_maps_rbl},
    {"reject_rbl_client", Check::reject_rbl_client, Takes::word},
    // smtpd notices commands that come too early.
    {"reject_unauth_pipelining", Check::nothing},
    {"permit_tls_clientcerts", Check::permit_tls_clientcerts},
    {"permit_tls_all_clientcerts", Check::permit_tls_all_clientcerts},
    {"check_policy_service", Check::policy_service, Takes::word},
    {"reject_rhsbl_client", Check::reject_rhsbl_client, Takes::word},
    {"reject_rhsbl_helo", Check::reject_rhsbl_helo, Takes::word},
    {"reject_rhsbl_sender", Check::reject_rhsbl_sender, Takes::word},
    {"reject_rhsbl_recipient", Check::reject_rhsbl_recipient, Takes::word},
    {"reject_rhsbl_reverse_client", Check::reject_rhsbl_reverse_client, Takes::word},
    {"permit_dnswl_client", Check::permit_dnswl_client, Takes::word},
    {"permit_rhswl_client", Check::permit_rhswl_client, Takes::word},
    {"permit_mx_backup", Check::permit_mx_backup},
    {"reject_unknown_helo_hostname", Check::reject_unknown_helo},
    {"reject_unknown_hostname", Check::reject_unknown_helo},
    {"reject_unknown_forward_client_hostname", Check::unsupported},
    {"reject_unverified_sender", Check::reject_unverified_sender},
    {"reject_unverified_recipient", Check::reject_unverified_recipient},
    {"check_ccert_access", Check::ccert_access, Takes::table},
    {"check_reverse_client_hostname_access", Check::reverse_client_access, Takes::table},
});

// "check_sender_mx_access" and its kind: about whose servers.
std::optional<ServerCheck> server_check(std::string_view name) {
    constexpr std::pair<std::string_view, Subject> kSubjects[] = {
        {"check_client_", Subject::client},
        {"check_reverse_client_hostname_", Subject::client},
        {"check_helo_", Subject::helo},
        {"check_sender_", Subject::sender},
        {"check_recipient_", Subject::recipient}};
    constexpr std::pair<std::string_view, ServerKind> kKinds[] = {{"a_access", ServerKind::itself},
                                                                  {"mx_access", ServerKind::mail},
                                                                  {"ns_access", ServerKind::name}};
    for (const auto& [prefix, subject] : kSubjects) {
        for (const auto& [suffix, kind] : kKinds) {
            if (iequals(name, cat({prefix, suffix})))
                return ServerCheck{subject, kind, prefix.starts_with("check_reverse")};
        }
    }
    return std::nullopt;
}

bool looks_like_table(std::string_view word) { return word.find(':') != std::string_view::npos; }

void set_table(Restriction& restriction, std::string spec) {
    restriction.argument = std::move(spec);
    restriction.maps = std::make_shared<table::Maps>(table::Maps::open(restriction.argument));
}

// Braces group a check with its argument: "{ check_sender_access hash:/x }".
std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (auto& part : table::split_list(text)) {
        // A policy service's own attributes stay together.
        const bool keep = !words.empty() && iequals(words.back(), "check_policy_service");
        if (part.front() != '{' || keep) {
            words.push_back(std::move(part));
            continue;
        }
        auto inner = table::strip_braces(part);
        for (auto& word : table::split_list(inner ? *inner : part))
            words.push_back(std::move(word));
    }
    return words;
}

}  // namespace

RestrictionList parse_restrictions(std::string_view text,
                                   const std::function<bool(std::string_view)>& is_class) {
    RestrictionList list;
    const auto words = words_of(text);
    for (std::size_t at = 0; at < words.size(); ++at) {
        Restriction one;
        one.name = words[at];
        const auto* known = std::find_if(kKnown.begin(), kKnown.end(),
                                         [&](const Known& k) { return iequals(k.name, one.name); });
        const auto servers = server_check(one.name);
        if (is_class(one.name)) {
            one.check = Check::restriction_class;
        } else if (servers) {
            one.check = Check::unknown;  // "need map type:name"
            if (at + 1 < words.size() && looks_like_table(words[at + 1])) {
                one.check = Check::server_access;
                one.servers = *servers;
                set_table(one, words[++at]);
            }
        } else if (known != kKnown.end()) {
            const bool has_argument = at + 1 < words.size();
            one.check =
                known->takes != Takes::nothing && !has_argument ? Check::unknown : known->check;
            if (known->takes == Takes::word && has_argument) one.argument = words[++at];
            if (known->takes == Takes::table && has_argument) {
                if (known->check == Check::unsupported) {
                    one.argument = words[++at];
                } else if (looks_like_table(words[at + 1])) {
                    set_table(one, words[++at]);
                } else {
                    one.check = Check::unknown;  // "need map type:name"
                }
            }
        } else if (looks_like_table(one.name)) {
            one.check = Check::table;
            set_table(one, one.name);
        }
        list.push_back(std::move(one));
    }
    return list;
}

bool stops_relaying(const RestrictionList& list) {
    for (const auto& one : list) {
        switch (one.check) {
            case Check::reject_unauth_destination:
            case Check::defer_unauth_destination:
            case Check::reject:
            case Check::defer:
            case Check::defer_if_permit: return true;
            // Behind warn_if_reject or an unconditional permit nothing stops anybody.
            case Check::warn_if_reject:
            case Check::permit: return false;
            default: break;
        }
    }
    return false;
}

}  // namespace postern::policy
