// The single restrictions: networks, destinations, listed addresses, names, logins, DNS.
#include <algorithm>
#include <map>

#include "lib/base/strings.h"
#include "lib/config/dns_list.h"
#include "lib/config/expand.h"
#include "lib/log/log.h"
#include "lib/mail/address.h"
#include "lib/table/address_lookup.h"
#include "lib/table/source.h"

#include "policy/evaluation.h"

namespace postern::policy {
namespace {

using table::DomainClass;

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

// For other hosts to act upon: RFC 5321 2.3.11 gives '@', '%' and '!' in a local part no meaning,
// old software does.
bool Evaluation::is_routed(std::string_view local) const {
    bool quoted = false;
    for (std::size_t at = 0; at < local.size(); ++at) {
        if (local[at] == '\\')
            ++at;
        else if (local[at] == '"')
            quoted = !quoted;
        if (at == local.size()) break;
        const bool counts = !quoted || options_.routing_in_quotes;
        if (counts && std::string_view("@%!").find(local[at]) != std::string_view::npos)
            return true;
    }
    return false;
}

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
    if (*domain_class == DomainClass::relay && is_routed(parts.local) &&
        !options_.allow_untrusted_routing)
        return Decision::dunno();
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
    // A server that was sent a probe may ask back whether its sender takes mail.
    if (options_.verify_sender.is_one(address, engine_.clock_.now())) return Decision::dunno();
    const Subject subject = sender ? Subject::sender : Subject::recipient;
    auto unknown = engine_.listed_.check(address, whose);
    if (!unknown) return lookup_failure(unknown.error(), subject);
    if (!*unknown) return Decision::dunno();
    const std::string_view usual = sender ? "5.1.0" : "5.1.1";
    return rejected((*unknown)->code, (*unknown)->status.empty() ? usual : (*unknown)->status,
                    subject, (*unknown)->text);
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
    if (!literal && !mail::is_host_name(helo)) {
        return rejected(options_.invalid_hostname_reject_code, "5.5.2", Subject::helo,
                        "Invalid name");
    }
    if (!fqdn || literal || helo.find('.') != std::string::npos) return Decision::dunno();
    return rejected(options_.non_fqdn_reject_code, "5.5.2", Subject::helo,
                    "need fully-qualified hostname");
}

// permit_naked_ip_address, which knows no difference between an honest client and a liar; as in
// Postfix it is carried out all the same, and told of.
Decision Evaluation::numeric_helo() {
    log::warning(
        trace(),
        "restriction \"permit_naked_ip_address\" is obsolete; use \"permit_mynetworks\" or "
        "\"permit_sasl_authenticated\" instead");
    const std::string& helo = question_.helo;
    const bool numeric = !helo.empty() && helo.find_first_not_of("0123456789.:") == helo.npos;
    if (!numeric) return Decision::dunno();
    if (IpAddress::parse(helo)) return Decision::permit();
    return rejected(options_.invalid_hostname_reject_code, "5.5.2", Subject::helo,
                    "invalid ip address");
}

Decision Evaluation::plaintext() const {
    if (!question_.tls_protocol.empty()) return Decision::dunno();
    return Decision::refuse(
        make_reply(options_.plaintext_reject_code, "5.7.1", "Session encryption is required"));
}

// Known by its fingerprint: who has signed it does not matter.
Decision Evaluation::permit_certificate() {
    for (const auto& fingerprint : {question_.certificate_fingerprint, question_.key_fingerprint}) {
        if (fingerprint.empty()) continue;
        const auto known = engine_.client_certificates_.find(fingerprint);
        if (known.failed()) return lookup_failure(known.error(), Subject::client);
        if (known.found()) return Decision::permit();
    }
    return Decision::dunno();
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
    if (known.failed()) {
        return not_known_now(options_.unknown_address_defers_now,
                             subject == Subject::sender ? "4.1.8" : "4.1.2", subject,
                             "Domain not found");
    }
    return rejected(options_.unknown_address_reject_code, status, subject, "Domain not found");
}

Decision Evaluation::unknown_client(bool verified) {
    const auto address = IpAddress::parse(question_.client_address);
    if (!address) return Decision::dunno();
    auto name = engine_.names_->name_of(*address, verified);
    if (name.found()) return Decision::dunno();
    return refuse(name.failed() ? 450 : options_.unknown_client_reject_code, "4.7.25",
                  cat({"Client host rejected: cannot find your ", verified ? "" : "reverse ",
                       "hostname, [", question_.client_address, "]"}));
}

Decision Evaluation::blocklisted(const std::string& spec, bool permit) {
    const auto address = IpAddress::parse(question_.client_address);
    if (!address) return Decision::dunno();
    const auto list = config::DnsListName::parse(spec);
    if (!list) return server_error(cat({"DNS list ", spec, ": ", list.error().what}));
    const std::string name = reversed(address->unmapped()) + list->domain;
    // An unreachable list lets mail pass, as in Postfix; it is no reason to stop all of it.
    auto entry = engine_.names_->address(name);
    if (!entry.found() || !list->filter.counts(*entry)) return Decision::dunno();
    if (permit) return Decision::permit();
    auto why = engine_.names_->text(name);
    return listed(spec, list->domain, Subject::client, question_.client_address,
                  why.found() ? *why : std::string());
}

// reject_maps_rbl, which reject_rbl_client has taken the place of.
Decision Evaluation::blocklisted_by_maps() {
    log::warning(trace(),
                 "restriction \"reject_maps_rbl\" is obsolete; use \"reject_rbl_client "
                 "domain-name\" instead");
    for (const auto& domain : options_.maps_rbl_domains) {
        const Decision decision = blocklisted(domain, false);
        if (!decision.undecided()) return decision;
    }
    return Decision::dunno();
}

// What a client hears that is on a list: rbl_reply_maps or default_rbl_reply, "554 5.7.1 text with
// $names"; as in Postfix a reply that is none is told of, and the usual words stand.
Decision Evaluation::listed(const std::string& spec, const std::string& domain, Subject subject,
                            const std::string& what, const std::string& why) {
    struct Values final : config::Names {
        std::optional<std::string> raw(std::string_view name) const override {
            const auto at = all.find(name);
            if (at == all.end()) return std::nullopt;
            return set->filtered(at->second);
        }
        const config::CharacterSet* set = nullptr;
        std::map<std::string, std::string, std::less<>> all;
    };
    const auto& q = question_;
    Values values;
    values.set = &options_.expansion;
    values.all = {{"rbl_code", std::to_string(options_.maps_rbl_reject_code)},
                  {"rbl_class", std::string(class_of(subject))},
                  {"rbl_what", what},
                  {"rbl_domain", domain},
                  {"rbl_reason", why},
                  {"rbl_txt", why},
                  {"client", name_of(Subject::client)},
                  {"client_address", q.client_address},
                  {"client_name", q.client_name},
                  {"reverse_client_name", q.reverse_name},
                  {"helo_name", q.helo},
                  {"sender", q.sender},
                  {"recipient", q.recipient}};
    auto found = engine_.rbl_replies_.find(spec);
    if (found.not_found() && spec != domain) found = engine_.rbl_replies_.find(domain);
    if (found.failed()) return lookup_failure(found.error(), subject);
    const auto text = config::expand(found.found() ? *found : options_.default_rbl_reply, values,
                                     config::Recursion::none);
    const auto code = text ? parse_number<int>(std::string_view(*text).substr(0, 3)) : std::nullopt;
    if (!code || *code < 400 || *code > 599) {
        log::warning(trace(), cat({"bad reply for DNS list ", domain, ": ",
                                   text ? printable(*text, 200) : text.error().what}));
        return refuse(options_.maps_rbl_reject_code, "5.7.1", "Service unavailable");
    }
    auto [status, words] = split_reply_status(trim(std::string_view(*text).substr(3)),
                                              *code < 500 ? "4.7.1" : "5.7.1");
    return refuse(*code, status, std::move(words));
}

Decision Evaluation::listed_domain(const Restriction& one) {
    const auto list = config::DnsListName::parse(one.argument);
    if (!list) return server_error(cat({"DNS list ", one.argument, ": ", list.error().what}));
    Subject subject = Subject::client;
    std::string what = question_.client_name, domain = what;
    if (one.check == Check::reject_rhsbl_reverse_client) what = domain = question_.reverse_name;
    if (one.check == Check::reject_rhsbl_helo) {
        subject = Subject::helo;
        what = domain = question_.helo;
    }
    if (one.check == Check::reject_rhsbl_sender || one.check == Check::reject_rhsbl_recipient) {
        subject = one.check == Check::reject_rhsbl_sender ? Subject::sender : Subject::recipient;
        what = subject == Subject::sender ? sender_ : recipient_;
        domain = table::split_address(what).domain;
    }
    const bool permits = one.check == Check::permit_rhswl_client;
    // Names only: there is nothing to look up for an address literal or a client without a name.
    if (domain.empty() || domain == "unknown" || domain.front() == '[' || IpAddress::parse(domain))
        return Decision::dunno();
    const std::string name = cat({domain, ".", list->domain});
    auto entry = engine_.names_->address(name);
    if (!entry.found() || !list->filter.counts(*entry)) return Decision::dunno();
    if (permits) return Decision::permit();
    auto why = engine_.names_->text(name);
    return listed(one.argument, list->domain, subject, what, why.found() ? *why : std::string());
}

Decision Evaluation::unknown_helo() {
    const std::string& helo = question_.helo;
    if (helo.empty() || table::parse_address_literal(helo)) return Decision::dunno();
    auto known = engine_.names_->receives_mail(helo);
    if (known.found()) return Decision::dunno();
    if (known.failed())
        return not_known_now(options_.unknown_helo_defers_now, "4.7.1", Subject::helo,
                             "Host not found");
    return rejected(options_.unknown_hostname_reject_code, "4.7.1", Subject::helo,
                    "Host not found");
}

// As Postfix: asked again a few times while a probe is under way, then the client shall come back.
Decision Evaluation::unverified(Subject subject) {
    const bool sender = subject == Subject::sender;
    const auto& address = sender ? sender_ : recipient_;
    if (address.empty()) return Decision::dunno();
    if (engine_.verifier_ == nullptr) return server_error("no service for address verification");
    const auto& rules = sender ? options_.unverified_sender : options_.unverified_recipient;
    auto answer = engine_.verifier_->ask(address);
    for (unsigned asked = 1; answer && answer->status == ipc::AddressStatus::unknown &&
                             asked < options_.verify_poll_count;
         ++asked) {
        engine_.verifier_->pause(options_.verify_poll_delay);
        answer = engine_.verifier_->ask(address);
    }
    if (!answer) log::warning(trace(), answer.error().what);
    if (answer && answer->status == ipc::AddressStatus::deliverable) return Decision::dunno();
    const bool bounced = answer && answer->status == ipc::AddressStatus::undeliverable;
    const int code = bounced ? rules.reject_code : rules.defer_code;
    const std::string_view status = sender ? "5.1.7" : "5.1.1";
    std::string why = answer ? answer->text : "address verification problem";
    if (answer && !rules.reason.empty()) why = rules.reason;
    why = cat({code < 500 ? "unverified" : "undeliverable", " address: ", printable(why, 250)});
    if (code >= 500 || rules.defer_now || warn_only_) return rejected(code, status, subject, why);
    doubt(code, status, subject, why);
    return Decision::dunno();
}

// What the DNS cannot tell now it may tell later: a doubt, or a refusal for now at once.
Decision Evaluation::not_known_now(bool defer_now, std::string_view status, Subject subject,
                                   std::string_view why) {
    if (defer_now || warn_only_) return rejected(450, status, subject, why);
    doubt(450, status, subject, why);
    return Decision::dunno();
}

Decision Evaluation::ask_policy_service(const Restriction& one, int depth) {
    auto target = DelegationTarget::parse(one.argument, options_.delegation);
    if (!target) return server_error(target.error().what);
    const std::string action = engine_.delegation_.ask(*target, question_);
    const Subject subject = subject_;
    return access_result(action, subject, depth, target->address);
}

}  // namespace postern::policy
