#include "route/resolver.h"

#include "lib/base/strings.h"
#include "lib/base/unicode.h"

namespace postern::route {
namespace {

// "smtp:[host]:port" -> transport and next hop; the next hop may be missing.
std::pair<std::string, std::string> split_transport(std::string_view text) {
    const auto parts = split_once(text, ':');
    if (!parts) return {std::string(text), {}};
    return {std::string(parts->first), std::string(parts->second)};
}

// As policy names a rule: "parameter (table, key key)".
std::string rule_of(std::string_view parameter, std::string_view maps, std::string_view key) {
    maps = trim(maps);
    const bool one = maps.find_first_of(", \t\n") == maps.npos;
    return cat(
        {parameter, " (", one ? maps : "", one ? ", " : "", "key ", printable(key, 300), ")"});
}

// "192.0.2.1", or something like it.
bool is_numeric(std::string_view domain) {
    return domain.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool plausible_label(std::string_view label) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
        return false;
    for (const char c : label) {
        // Bytes above ASCII are UTF-8 labels, RFC 6531.
        const bool high = (static_cast<unsigned char>(c) & 0x80) != 0;
        if (!is_alnum(c) && c != '-' && c != '_' && !high) return false;
    }
    return true;
}

}  // namespace

bool plausible_domain(std::string_view domain) {
    if (domain.empty() || domain.size() > 255) return false;
    if (domain.front() == '[') return table::parse_address_literal(domain).has_value();
    for (const auto label : split(domain, '.')) {
        if (!plausible_label(label)) return false;
    }
    return !is_numeric(domain);  // RFC 1123 2.1: an address, and those have brackets
}

Resolver::Resolver(const Options& options, table::DomainClasses& classes, const Rewriter& rewriter)
    : options_(options),
      classes_(classes),
      rewriter_(rewriter),
      transport_(table::Maps::open(options.transport_maps)),
      sender_relayhost_(table::Maps::open(options.sender_dependent_relayhost_maps)),
      sender_transport_(table::Maps::open(options.sender_dependent_default_transport_maps)),
      relocated_(table::Maps::open(options.relocated_maps)) {}

// A next hop in the transport parameter itself wins over relayhost.
Result<Resolver::Hop> Resolver::remote(std::string transport, const std::string& sender,
                                       const std::string& domain) {
    auto [name, next_hop] = split_transport(transport);
    if (!next_hop.empty()) return Hop{std::move(name), std::move(next_hop)};
    const auto sender_keys =
        table::mailbox_keys(sender.empty() ? options_.empty_sender_relayhost_key : sender,
                            options_.recipient_delimiter);
    if (auto relay = table::find_first(sender_relayhost_, sender_keys); !relay.not_found()) {
        if (relay.failed()) return std::move(relay).error();
        if (!iequals(relay->value, "DUNNO"))
            return Hop{std::move(name), relay->value,
                       rule_of("sender_dependent_relayhost_maps",
                               options_.sender_dependent_relayhost_maps, relay->key)};
    }
    if (options_.relayhost.empty()) return Hop{std::move(name), domain};
    return Hop{std::move(name), options_.relayhost, "relayhost"};
}

Result<Resolver::Hop> Resolver::by_class(table::DomainClass domain_class, const std::string& sender,
                                         const std::string& domain) {
    const auto with_domain = [&](const std::string& transport) {
        auto [name, next_hop] = split_transport(transport);
        return Hop{std::move(name), next_hop.empty() ? domain : std::move(next_hop)};
    };
    switch (domain_class) {
        case table::DomainClass::local: return with_domain(options_.local_transport);
        case table::DomainClass::virtual_alias:
            return Hop{"error", "5.1.1 User unknown in virtual alias table"};
        case table::DomainClass::virtual_mailbox: return with_domain(options_.virtual_transport);
        case table::DomainClass::relay: return remote(options_.relay_transport, sender, domain);
        case table::DomainClass::other: break;
    }
    const auto sender_keys =
        table::mailbox_keys(sender.empty() ? options_.empty_sender_transport_key : sender,
                            options_.recipient_delimiter);
    auto own = table::find_first(sender_transport_, sender_keys);
    if (own.failed()) return std::move(own).error();
    if (own.found() && !iequals(own->value, "DUNNO")) {
        TRY_ASSIGN(Hop hop, remote(own->value, sender, domain));
        if (hop.rule.empty())
            hop.rule = rule_of("sender_dependent_default_transport_maps",
                               options_.sender_dependent_default_transport_maps, own->key);
        return hop;
    }
    return remote(options_.default_transport, sender, domain);
}

// transport(5): an empty field leaves what it would have been; a transport without a next hop means
// the recipient's domain.
Result<void> Resolver::apply_transport_maps(Hop& hop, const std::string& recipient,
                                            const std::string& domain) {
    if (transport_.empty()) return {};
    auto found =
        table::find_first(transport_, table::transport_keys(recipient, options_.recipient_delimiter,
                                                            options_.transport_parents_plain));
    if (found.failed()) return std::move(found).error();
    if (found.not_found()) return {};
    auto [transport, next_hop] = split_transport(found->value);
    if (!transport.empty() || !next_hop.empty())
        hop.rule = rule_of("transport_maps", options_.transport_maps, found->key);
    if (!transport.empty()) {
        hop.transport = std::move(transport);
        hop.next_hop = domain;
    }
    if (!next_hop.empty()) hop.next_hop = std::move(next_hop);
    return {};
}

// relocated(5): who has moved gets no mail here; the sender is told where to.
Result<void> Resolver::apply_relocated_maps(Hop& hop, const std::string& recipient, bool local) {
    if (relocated_.empty() || hop.transport == "error" || hop.transport == "retry") return {};
    auto found = table::find_first(
        relocated_, table::rewrite_keys(recipient, options_.recipient_delimiter, local));
    if (found.failed()) return std::move(found).error();
    if (found.not_found()) return {};
    hop.transport = "error";
    hop.next_hop = cat({"5.1.6 User has moved to ", printable(found->value, 400)});
    hop.rule = rule_of("relocated_maps", options_.relocated_maps, found->key);
    return {};
}

Result<Route> Resolver::resolve(std::string_view sender, std::string_view recipient) {
    Route route;
    route.recipient =
        rewriter_.complete(recipient.empty() ? options_.empty_address_recipient : recipient);
    auto parts = table::split_address(route.recipient);
    if (!parts.domain.empty() && is_numeric(parts.domain) && options_.resolve_numeric_domain) {
        parts.domain = cat({"[", parts.domain, "]"});
        route.recipient = cat({parts.local, "@", parts.domain});
    }
    if (parts.local.empty() || route.recipient.ends_with('@'))
        return Error{Errc::permanent, "bad address syntax"};
    if (!parts.domain.empty() && !plausible_domain(parts.domain)) {
        return Error{Errc::permanent, "bad address syntax"};
    }
    // RFC 6531 3.7.1: nobody could ever be asked about such a domain.
    if (const auto ascii = domain_to_ascii(parts.domain); !ascii)
        return Error{Errc::permanent, cat({"bad address syntax: ", ascii.error().what})};
    TRY_ASSIGN(route.domain_class, classes_.classify(parts.domain));
    const std::string domain = parts.domain.empty() ? options_.myhostname : parts.domain;
    TRY_ASSIGN(Hop hop, by_class(route.domain_class, std::string(sender), domain));
    TRY(apply_transport_maps(hop, route.recipient, domain));
    TRY(apply_relocated_maps(hop, route.recipient,
                             route.domain_class == table::DomainClass::local));
    if (hop.transport.empty()) {
        return Error{Errc::temporary, cat({"no transport configured for ", route.recipient})};
    }
    route.transport = std::move(hop.transport);
    route.next_hop = std::move(hop.next_hop);
    route.rule = std::move(hop.rule);
    return route;
}

}  // namespace postern::route
