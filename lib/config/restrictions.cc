#include "lib/config/restrictions.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/base/strings.h"

#include "lib/config/dns_list.h"
#include "lib/config/policy_service.h"
#include "lib/config/spelling.h"
#include "lib/config/value.h"

namespace postern::config {
namespace {

constexpr ServerCheck servers_of(Subject subject, ServerKind kind, bool reverse = false) {
    return {subject, kind, reverse};
}

// By what they look at; names that Postfix calls obsolete stand behind the ones that it wants.
// Long: a table, one row a word.
constexpr auto kWords = std::to_array<RestrictionWord>({
    {"permit", Check::permit},
    {"reject", Check::reject},
    {"defer", Check::defer},
    {"defer_if_permit", Check::defer_if_permit},
    {"defer_if_reject", Check::defer_if_reject},
    {"warn_if_reject", Check::warn_if_reject},
    {"sleep", Check::sleep, Argument::seconds},
    {"check_policy_service", Check::policy_service, Argument::policy_service},
    {"reject_plaintext_session", Check::reject_plaintext_session},
    // smtpd notices commands that come too early.
    {"reject_unauth_pipelining", Check::nothing},

    {"permit_mynetworks", Check::permit_mynetworks},
    {"permit_inet_interfaces", Check::permit_inet_interfaces},
    {"permit_sasl_authenticated", Check::permit_sasl_authenticated},
    {"permit_tls_clientcerts", Check::permit_tls_clientcerts},
    {"permit_tls_all_clientcerts", Check::permit_tls_all_clientcerts},
    {"permit_dnswl_client", Check::permit_dnswl_client, Argument::dns_list},
    {"permit_rhswl_client", Check::permit_rhswl_client, Argument::dns_list},
    {"reject_rbl_client", Check::reject_rbl_client, Argument::dns_list},
    {"reject_rbl", Check::reject_rbl_client, Argument::dns_list},
    {"reject_maps_rbl", Check::reject_maps_rbl},
    {"reject_rhsbl_client", Check::reject_rhsbl_client, Argument::dns_list},
    {"reject_rhsbl_reverse_client", Check::reject_rhsbl_reverse_client, Argument::dns_list},
    {"reject_unknown_client_hostname", Check::reject_unknown_client},
    {"reject_unknown_client", Check::reject_unknown_client},
    {"reject_unknown_reverse_client_hostname", Check::reject_unknown_reverse_client},
    {"check_client_access", Check::client_access, Argument::table},
    {"check_reverse_client_hostname_access", Check::reverse_client_access, Argument::table},
    {"check_ccert_access", Check::ccert_access, Argument::table},
    {"check_sasl_access", Check::sasl_access, Argument::table},
    {"check_client_a_access", Check::server_access, Argument::table,
     servers_of(Subject::client, ServerKind::itself)},
    {"check_client_mx_access", Check::server_access, Argument::table,
     servers_of(Subject::client, ServerKind::mail)},
    {"check_client_ns_access", Check::server_access, Argument::table,
     servers_of(Subject::client, ServerKind::name)},
    {"check_reverse_client_hostname_a_access", Check::server_access, Argument::table,
     servers_of(Subject::client, ServerKind::itself, true)},
    {"check_reverse_client_hostname_mx_access", Check::server_access, Argument::table,
     servers_of(Subject::client, ServerKind::mail, true)},
    {"check_reverse_client_hostname_ns_access", Check::server_access, Argument::table,
     servers_of(Subject::client, ServerKind::name, true)},

    {"permit_naked_ip_address", Check::permit_numeric_helo},
    {"reject_invalid_helo_hostname", Check::reject_invalid_helo},
    {"reject_invalid_hostname", Check::reject_invalid_helo},
    {"reject_non_fqdn_helo_hostname", Check::reject_non_fqdn_helo},
    {"reject_non_fqdn_hostname", Check::reject_non_fqdn_helo},
    {"reject_unknown_helo_hostname", Check::reject_unknown_helo},
    {"reject_unknown_hostname", Check::reject_unknown_helo},
    {"reject_rhsbl_helo", Check::reject_rhsbl_helo, Argument::dns_list},
    {"check_helo_access", Check::helo_access, Argument::table},
    {"check_helo_a_access", Check::server_access, Argument::table,
     servers_of(Subject::helo, ServerKind::itself)},
    {"check_helo_mx_access", Check::server_access, Argument::table,
     servers_of(Subject::helo, ServerKind::mail)},
    {"check_helo_ns_access", Check::server_access, Argument::table,
     servers_of(Subject::helo, ServerKind::name)},

    {"reject_non_fqdn_sender", Check::reject_non_fqdn_sender},
    {"reject_unknown_sender_domain", Check::reject_unknown_sender_domain},
    {"reject_unlisted_sender", Check::reject_unlisted_sender},
    {"reject_unverified_sender", Check::reject_unverified_sender},
    {"reject_sender_login_mismatch", Check::reject_sender_login_mismatch},
    {"reject_authenticated_sender_login_mismatch",
     Check::reject_authenticated_sender_login_mismatch},
    {"reject_unauthenticated_sender_login_mismatch",
     Check::reject_unauthenticated_sender_login_mismatch},
    {"reject_known_sender_login_mismatch", Check::reject_known_sender_login_mismatch},
    {"reject_rhsbl_sender", Check::reject_rhsbl_sender, Argument::dns_list},
    {"check_sender_access", Check::sender_access, Argument::table},
    {"check_sender_a_access", Check::server_access, Argument::table,
     servers_of(Subject::sender, ServerKind::itself)},
    {"check_sender_mx_access", Check::server_access, Argument::table,
     servers_of(Subject::sender, ServerKind::mail)},
    {"check_sender_ns_access", Check::server_access, Argument::table,
     servers_of(Subject::sender, ServerKind::name)},

    {"permit_auth_destination", Check::permit_auth_destination},
    {"permit_mx_backup", Check::permit_mx_backup},
    {"reject_unauth_destination", Check::reject_unauth_destination},
    {"check_relay_domains", Check::reject_unauth_destination},
    {"defer_unauth_destination", Check::defer_unauth_destination},
    {"reject_non_fqdn_recipient", Check::reject_non_fqdn_recipient},
    {"reject_unknown_recipient_domain", Check::reject_unknown_recipient_domain},
    {"reject_unlisted_recipient", Check::reject_unlisted_recipient},
    {"check_recipient_maps", Check::reject_unlisted_recipient},
    {"reject_unverified_recipient", Check::reject_unverified_recipient},
    {"reject_multi_recipient_bounce", Check::reject_multi_recipient_bounce},
    {"reject_rhsbl_recipient", Check::reject_rhsbl_recipient, Argument::dns_list},
    {"check_recipient_access", Check::recipient_access, Argument::table},
    {"check_recipient_a_access", Check::server_access, Argument::table,
     servers_of(Subject::recipient, ServerKind::itself)},
    {"check_recipient_mx_access", Check::server_access, Argument::table,
     servers_of(Subject::recipient, ServerKind::mail)},
    {"check_recipient_ns_access", Check::server_access, Argument::table,
     servers_of(Subject::recipient, ServerKind::name)},

    {"check_etrn_access", Check::etrn_access, Argument::table},
});

bool looks_like_table(std::string_view word) { return word.find(':') != std::string_view::npos; }

// A word off the front of text; braces keep it together.
std::string_view take_word(std::string_view& text) {
    constexpr std::string_view kSeparators = ", \t\r\n\v\f";
    text.remove_prefix(std::min(text.find_first_not_of(kSeparators), text.size()));
    std::size_t end = 0;
    for (int depth = 0; end < text.size(); ++end) {
        if (text[end] == '{') ++depth;
        if (text[end] == '}' && depth > 0) --depth;
        if (depth == 0 && kSeparators.find(text[end]) != kSeparators.npos) break;
    }
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

// Braces group a check with its argument, "{ check_sender_access hash:/x }"; those of a policy
// service's attributes stay.
std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (auto word = take_word(text); !word.empty(); word = take_word(text)) {
        const bool keep = !words.empty() && iequals(words.back(), "check_policy_service");
        const bool grouped = word.size() > 2 && word.front() == '{' && word.back() == '}';
        std::string_view inside = word.substr(0, word.size() - (grouped ? 1 : 0));
        if (grouped) inside.remove_prefix(1);
        if (!grouped || keep) {
            words.emplace_back(word);
            continue;
        }
        for (auto one = take_word(inside); !one.empty(); one = take_word(inside))
            words.emplace_back(one);
    }
    return words;
}

std::string unknown_word(std::string_view name) {
    std::vector<std::string_view> names;
    for (const RestrictionWord& word : kWords) names.push_back(word.name);
    const std::string lower = to_lower(name);
    const auto near = nearest_word(lower, names);
    return cat({"unknown smtpd restriction: \"", printable(name, 200), "\"",
                near ? cat({" (did you mean ", *near, "?)"}) : ""});
}

std::string_view expected(Argument argument) {
    switch (argument) {
        case Argument::table: return "type:table";
        case Argument::dns_list: return "the domain of a DNS list";
        case Argument::seconds: return "a number of seconds";
        case Argument::policy_service: return "inet:host:port or unix:path";
        case Argument::nothing: break;
    }
    return "nothing";
}

// What is wrong with that which follows a word; empty when nothing is.
std::string bad_argument(const RestrictionWord& word, const std::string& argument) {
    const auto bad = [&](std::string_view what) {
        return cat({word.name, ": bad argument \"", printable(argument, 200), "\": ", what});
    };
    const auto needed = [&] { return bad(cat({"expected ", expected(word.argument)})); };
    switch (word.argument) {
        case Argument::table: return looks_like_table(argument) ? "" : needed();
        case Argument::seconds: return parse_number<unsigned>(argument) ? "" : needed();
        case Argument::dns_list: {
            // A word of this language is no domain: the domain has been forgotten.
            if (find_restriction(argument) != nullptr) return needed();
            const auto list = DnsListName::parse(argument);
            return list ? "" : bad(list.error().what);
        }
        case Argument::policy_service: {
            if (find_restriction(argument) != nullptr) return needed();
            const auto service = PolicyService::parse(argument);
            return service ? "" : cat({word.name, ": ", service.error().what});
        }
        case Argument::nothing: break;
    }
    return {};
}

// A known word with what follows it in the list. What is no argument is left to be read as a word.
void take_known(const RestrictionWord& word, RestrictionItem& item,
                const std::vector<std::string>& words, std::size_t& at) {
    item.servers = word.servers;
    item.check = word.check;
    if (word.argument == Argument::nothing) return;
    if (at + 1 == words.size()) {
        item.mistake =
            cat({word.name, ": ", expected(word.argument), " must follow, but the list ends"});
        item.check = Check::mistake;
        return;
    }
    item.mistake = bad_argument(word, words[at + 1]);
    if (!item.mistake.empty()) item.check = Check::mistake;
    if (item.mistake.empty() || find_restriction(words[at + 1]) == nullptr)
        item.argument = words[++at];
}

}  // namespace

std::span<const RestrictionWord> restriction_words() { return kWords; }

const RestrictionWord* find_restriction(std::string_view name) {
    const auto* at = std::find_if(kWords.begin(), kWords.end(), [&](const RestrictionWord& word) {
        return iequals(word.name, name);
    });
    return at == kWords.end() ? nullptr : at;
}

RestrictionItems parse_restrictions(std::string_view text,
                                    const std::function<bool(std::string_view)>& is_class) {
    const auto words = words_of(text);
    RestrictionItems list;
    for (std::size_t at = 0; at < words.size(); ++at) {
        RestrictionItem& item = list.emplace_back();
        item.name = words[at];
        if (is_class(item.name)) {
            item.check = Check::restriction_class;
        } else if (const auto* word = find_restriction(item.name)) {
            take_known(*word, item, words, at);
        } else if (looks_like_table(item.name)) {
            item.check = Check::table;
            item.argument = item.name;
        } else {
            item.mistake = unknown_word(item.name);
        }
    }
    return list;
}

bool ends_list(Check check) {
    return check == Check::permit || check == Check::reject || check == Check::defer;
}

namespace {

enum class Guard : unsigned char { none, stops, lets_pass };
constexpr int kMaxClassDepth = 100;  // classes within classes

Guard guard_of(const RestrictionItems& list, const RestrictionClasses& classes, int depth) {
    if (depth > kMaxClassDepth) return Guard::none;
    for (std::size_t at = 0; at < list.size(); ++at) {
        switch (list[at].check) {
            case Check::reject_unauth_destination:
            case Check::defer_unauth_destination:
            case Check::reject:
            case Check::defer:
            case Check::defer_if_permit: return Guard::stops;
            case Check::permit: return Guard::lets_pass;
            case Check::warn_if_reject: ++at; break;  // whatever follows, it stops nobody
            case Check::restriction_class: {
                const auto own = classes.find(list[at].name);
                if (own == classes.end()) break;
                const Guard guard = guard_of(own->second, classes, depth + 1);
                if (guard != Guard::none) return guard;
                break;
            }
            default: break;
        }
    }
    return Guard::none;
}

}  // namespace

bool stops_relaying(const RestrictionItems& list, const RestrictionClasses& classes) {
    return guard_of(list, classes, 0) == Guard::stops;
}

}  // namespace postern::config
