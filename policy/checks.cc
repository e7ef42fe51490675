// The single restrictions: networks, destinations, listed addresses, names, logins, DNS.
#include <algorithm>

#include "lib/base/strings.h"
#include "lib/table/address_lookup.h"
#include "lib/table/source.h"

#include "policy/evaluation.h"

namespace postern::policy {
namespace {

using table::DomainClass;

bool valid_hostname(std::string_view name) {
    if (name.empty() || name.size() > 255) return false;
    bool numeric = true;
    for (const auto label : split(name, '.')) {
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
            return false;
        for (const char c : label) {
            if (!is_alnum(c) && c != '-' && c != '_') return false;
            numeric = numeric && is_digit(c);
        }
    }
    return !numeric;
}

// For other hosts to act upon: RFC 5321 2.3.11 gives '@', '%' and '!' in a local part no meaning,
// old software does.
bool routed(std::string_view local) { return local.find_first_of("@%!") != std::string_view::npos; }

// 192.0.2.1 -> 1.2.0.192, IPv6 by nibbles.
std::string reversed(const IpAddress& address) {
    std::string out;
    const auto bytes = address.bytes();
    for (auto at = bytes.rbegin(); at != bytes.rend(); ++at) {
        const auto byte = static_cast<unsigned char>(*at);
        if (address.is_v4()) {
            out += cat({std::to_string(byte), "."});
        } else {
            constexpr std::string_view kHex = "0123456789abcdef";
            out += {kHex[byte & 15], '.', kHex[byte >> 4], '.'};
        }
    }
    return out;
}

}  // namespace

Decision Evaluation::permit_networks() {
    const auto address = IpAddress::parse(question_.client_address);
    if (!address) return Decision::dunno();
    auto inside = engine_.mynetworks_.matches_client(address->unmapped(), question_.client_name);
    if (!inside) return lookup_failure(inside.error(), subject_);
    return *inside ? Decision::permit() : Decision::dunno();
}

Decision Evaluation::permit_destination() {
    const auto parts = table::split_address(recipient_);
    auto domain_class = engine_.domains_.classify(parts.domain);
    if (!domain_class) return lookup_failure(domain_class.error(), Subject::recipient);
    if (*domain_class == DomainClass::other) return Decision::dunno();
    if (*domain_class == DomainClass::relay && routed(parts.local)) return Decision::dunno();
    return Decision::permit();
}

Decision Evaluation::guard_destination(bool permanently) {
    const Decision decision = permit_destination();
    if (decision.refused()) return decision;
    if (decision.kind == Decision::Kind::permit) return Decision::dunno();
    const int code =
        permanently ? options_.relay_domains_reject_code : options_.relay_domains_reject_code - 100;
    return refuse(code, "5.7.1", cat({"<", question_.recipient, ">: Relay access denied"}));
}

Decision Evaluation::unlisted(ListedAddresses::Whose whose) {
    const bool sender = whose == ListedAddresses::Whose::sender;
    const auto& address = sender ? sender_ : recipient_;
    if (address.empty()) return Decision::dunno();  // the null sender is nobody's
    const Subject subject = sender ? Subject::sender : Subject::recipient;
    auto unknown = engine_.listed_.check(address, whose);
    if (!unknown) return lookup_failure(unknown.error(), subject);
    if (!*unknown) return Decision::dunno();
    return rejected((*unknown)->code, sender ? "5.1.0" : "5.1.1", subject, (*unknown)->text);
}

Decision Evaluation::fqdn_address(const std::string& address, Subject subject) {
    if (address.empty()) return Decision::dunno();
    const auto domain = table::split_address(address).domain;
    const bool full =
        domain.find('.') != std::string::npos || (!domain.empty() && domain.front() == '[');
    if (full || (subject == Subject::recipient && iequals(address, "postmaster")))
        return Decision::dunno();
    return rejected(options_.non_fqdn_reject_code, "5.5.2", subject,
                    "need fully-qualified address");
}

Decision Evaluation::helo_name(bool fqdn) {
    const std::string& helo = question_.helo;
    if (helo.empty()) return Decision::dunno();
    const bool literal = table::parse_address_literal(helo).has_value();
    if (!literal && !valid_hostname(helo)) {
        return rejected(options_.invalid_hostname_reject_code, "5.5.2", Subject::helo,
                        "Invalid name");
    }
    if (!fqdn || literal || helo.find('.') != std::string::npos) return Decision::dunno();
    return rejected(options_.non_fqdn_reject_code, "5.5.2", Subject::helo,
                    "need fully-qualified hostname");
}

Decision Evaluation::plaintext() const {
    if (!question_.tls_protocol.empty()) return Decision::dunno();
    return Decision::refuse(
        make_reply(options_.plaintext_reject_code, "5.7.1", "Session encryption is required"));
}

// Does the sender address belong to somebody else than the one who logged in?
Decision Evaluation::login_mismatch(Check check) {
    const std::string& login = question_.sasl_username;
    if (sender_.empty()) return Decision::dunno();
    if (check == Check::reject_authenticated_sender_login_mismatch && login.empty())
        return Decision::dunno();
    if (check == Check::reject_unauthenticated_sender_login_mismatch && !login.empty())
        return Decision::dunno();
    auto owners = table::find_first(engine_.sender_logins_,
                                    table::mailbox_keys(sender_, options_.recipient_delimiter));
    if (owners.failed()) return lookup_failure(owners.error(), Subject::sender);
    if (owners.not_found()) {
        if (login.empty() || check == Check::reject_known_sender_login_mismatch)
            return Decision::dunno();
        return rejected(553, "5.7.1", Subject::sender, cat({"not owned by user ", login}));
    }
    if (login.empty()) return rejected(553, "5.7.1", Subject::sender, "not logged in");
    for (const auto& owner : table::split_list(owners->value)) {
        if (iequals(owner, login)) return Decision::dunno();
    }
    return rejected(553, "5.7.1", Subject::sender, cat({"not owned by user ", login}));
}

Decision Evaluation::unknown_domain(const std::string& address, Subject subject) {
    const auto domain = table::split_address(address).domain;
    if (domain.empty() || domain.front() == '[') return Decision::dunno();
    auto domain_class = engine_.domains_.classify(domain);
    if (!domain_class) return lookup_failure(domain_class.error(), subject);
    if (*domain_class != DomainClass::other) return Decision::dunno();
    auto known = engine_.names_->receives_mail(domain);
    if (known.found()) return Decision::dunno();
    const std::string_view status = subject == Subject::sender ? "5.1.8" : "5.1.2";
    return rejected(450, status, subject, "Domain not found");
}

Decision Evaluation::unknown_client(bool verified) {
    const auto address = IpAddress::parse(question_.client_address);
    if (!address) return Decision::dunno();
    auto name = engine_.names_->name_of(*address, verified);
    if (name.found()) return Decision::dunno();
    return refuse(450, "4.7.25",
                  cat({"Client host rejected: cannot find your ", verified ? "" : "reverse ",
                       "hostname, [", question_.client_address, "]"}));
}

// "list.example" or "list.example=127.0.0.[2;4..6]"; the latter's pattern in its exact form only.
Decision Evaluation::blocklisted(const std::string& spec) {
    const auto address = IpAddress::parse(question_.client_address);
    if (!address) return Decision::dunno();
    const auto parts = split_once(spec, '=');
    const std::string list(parts ? parts->first : spec);
    if (parts && !IpAddress::parse(parts->second)) {
        return server_error(cat({"reject_rbl_client: filter not supported yet: ", spec}));
    }
    auto listed = engine_.names_->address(reversed(address->unmapped()) + list);
    if (listed.failed()) {
        // An unreachable list lets mail pass, as in Postfix; it is no reason to stop all of it.
        return Decision::dunno();
    }
    if (listed.not_found() || (parts && *listed != parts->second)) return Decision::dunno();
    auto why = engine_.names_->text(reversed(address->unmapped()) + list);
    return refuse(554, "5.7.1",
                  cat({"Service unavailable; Client host [", question_.client_address,
                       "] blocked using ", list, why.found() ? "; " + *why : std::string()}));
}

}  // namespace postern::policy
