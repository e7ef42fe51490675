// Restrictions about the servers of a name: check_*_mx_access and its kind, and permit_mx_backup.
#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/table/address_lookup.h"

#include "policy/evaluation.h"

namespace postern::policy {
namespace {

constexpr std::size_t kMaxServers = 20;  // of one name that are looked at

}  // namespace

// The servers of a domain, best first; of an address literal, that address. A domain without MX
// records is its own mail server (RFC 5321 5.1), and its name servers are those of a parent.
Lookup<std::vector<Names::Server>> Evaluation::servers_of(std::string domain, ServerKind kind) {
    if (table::parse_address_literal(domain)) {
        if (kind != ServerKind::mail) return NotFound{};
        return std::vector<Names::Server>{{domain, 0}};
    }
    if (kind == ServerKind::itself) return std::vector<Names::Server>{{domain, 0}};
    auto found = engine_.names_->servers(domain, kind);
    if (kind == ServerKind::mail && found.not_found())
        return std::vector<Names::Server>{{std::move(domain), 0}};
    while (found.not_found() && domain.find('.') != std::string::npos) {
        domain.erase(0, domain.find('.') + 1);
        found = engine_.names_->servers(domain, kind);
    }
    return found;
}

Lookup<std::vector<IpAddress>> Evaluation::addresses_of(const std::string& server) {
    if (const auto literal = table::parse_address_literal(server))
        return std::vector<IpAddress>{*literal};
    return engine_.names_->addresses(server);
}

std::string Evaluation::domain_for(Subject subject, bool reverse) const {
    switch (subject) {
        case Subject::client: {
            const auto& name = reverse ? question_.reverse_name : question_.client_name;
            return name == "unknown" ? std::string() : name;
        }
        case Subject::helo: return question_.helo;
        case Subject::sender: return table::split_address(sender_).domain;
        default: return table::split_address(recipient_).domain;
    }
}

// As in Postfix: what the DNS cannot tell is no reason to refuse, and nobody is let in because of
// his servers.
Decision Evaluation::server_access(const Restriction& one, int depth) {
    const ServerCheck& about = one.servers;
    const std::string domain = domain_for(about.subject, about.reverse);
    if (domain.empty()) return Decision::dunno();
    const auto cannot = [&](const std::string& what, const Error& why) {
        log::warning(trace(),
                     cat({one.name, ": unable to look up ", printable(what, 255), ": ", why.what}));
    };
    const auto servers = servers_of(domain, about.kind);
    if (servers.failed()) cannot(domain, servers.error());
    if (!servers.found()) return Decision::dunno();
    for (std::size_t i = 0; i < std::min(servers->size(), kMaxServers); ++i) {
        const std::string& name = (*servers)[i].name;
        Decision decision = Decision::dunno();
        if (about.kind != ServerKind::itself && name.front() != '[')
            decision = access_in(*one.maps, table::domain_keys(name, options_.access_parents_plain),
                                 about.subject, depth, one.argument);
        const auto addresses = addresses_of(name);
        if (decision.undecided() && addresses.failed()) cannot(name, addresses.error());
        for (std::size_t at = 0;
             addresses.found() && decision.undecided() && at < addresses->size(); ++at)
            decision = access_in(*one.maps, table::client_address_keys((*addresses)[at].str()),
                                 about.subject, depth, one.argument);
        if (decision.kind == Decision::Kind::permit) {
            log::warning(trace(),
                         cat({one.name, ": ", one.argument, " has OK for ", printable(name, 255),
                              ": this is not allowed for security reasons, use DUNNO"}));
            return Decision::dunno();
        }
        if (!decision.undecided()) return decision;
    }
    return Decision::dunno();
}

// Is one of the hosts this one? Then we are a backup for the domain, and its best hosts must be
// where permit_mx_backup_networks says.
Decision Evaluation::permit_mx_backup() {
    const Decision ours = permit_destination();
    if (!ours.undecided()) return ours;
    const auto parts = table::split_address(recipient_);
    if (parts.domain.empty() || parts.domain.front() == '[' ||
        (is_routed(parts.local) && !options_.allow_untrusted_routing))
        return Decision::dunno();
    auto hosts = engine_.names_->servers(parts.domain, ServerKind::mail);
    if (hosts.failed()) return mx_unknown(hosts.error());
    if (hosts.not_found() || hosts->empty()) return Decision::dunno();
    bool is_backup = false, primary_elsewhere = false;
    for (std::size_t i = 0; i < std::min(hosts->size(), kMaxServers); ++i) {
        const auto& host = (*hosts)[i];
        const auto addresses = engine_.names_->addresses(host.name);
        if (addresses.failed()) return mx_unknown(addresses.error());
        if (addresses.not_found()) continue;
        for (const IpAddress& address : *addresses) {
            const auto& own = options_.domains.local_addresses;
            is_backup =
                is_backup || std::find(own.begin(), own.end(), address.unmapped()) != own.end();
            if (host.preference != hosts->front().preference || options_.mx_backup_networks.empty())
                continue;
            auto inside = engine_.mx_backup_networks_.matches_client(address.unmapped(), host.name);
            if (!inside) return lookup_failure(inside.error(), Subject::recipient);
            primary_elsewhere = primary_elsewhere || !*inside;
        }
    }
    return is_backup && !primary_elsewhere ? Decision::permit() : Decision::dunno();
}

// What the client may do depends on an answer that is not there: later, if nothing else refuses.
Decision Evaluation::mx_unknown(const Error& why) {
    log::warning(trace(), why.what);
    doubt(450, "4.4.4", Subject::recipient, "Unable to look up mail exchanger information");
    return Decision::dunno();
}

void Evaluation::doubt(int code, std::string_view status, Subject subject, std::string_view why) {
    if (defer_if_permit_) return;
    defer_if_permit_ = make_reply(
        code, status, cat({"<", name_of(subject), ">: ", class_of(subject), " rejected: ", why}));
}

}  // namespace postern::policy
