#include "lib/table/address_class.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::table {

std::optional<IpAddress> parse_address_literal(std::string_view domain) {
    if (domain.size() < 3 || domain.front() != '[' || domain.back() != ']') return std::nullopt;
    auto inner = domain.substr(1, domain.size() - 2);
    if (istarts_with(inner, "ipv6:")) inner.remove_prefix(5);
    return IpAddress::parse(inner);
}

DomainClasses::DomainClasses(const ClassLists& lists)
    : local_(MatchList::parse(lists.mydestination, Parents::none)),
      virtual_alias_(MatchList::parse(lists.virtual_alias_domains, Parents::none)),
      virtual_mailbox_(MatchList::parse(lists.virtual_mailbox_domains, Parents::none)),
      relay_(MatchList::parse(lists.relay_domains, lists.relay_parents)),
      addresses_(lists.local_addresses) {}

Result<bool> DomainClasses::is_local(std::string_view domain) {
    if (domain.empty()) return true;
    if (const auto address = parse_address_literal(domain)) {
        const auto is_it = [&](const IpAddress& own) {
            return own.unmapped() == address->unmapped();
        };
        if (std::any_of(addresses_.begin(), addresses_.end(), is_it)) return true;
    }
    return local_.matches_name(domain);
}

Result<DomainClass> DomainClasses::classify(std::string_view domain) {
    TRY_ASSIGN(const bool local, is_local(domain));
    if (local) return DomainClass::local;
    TRY_ASSIGN(const bool virtual_alias, virtual_alias_.matches_name(domain));
    if (virtual_alias) return DomainClass::virtual_alias;
    TRY_ASSIGN(const bool virtual_mailbox, virtual_mailbox_.matches_name(domain));
    if (virtual_mailbox) return DomainClass::virtual_mailbox;
    TRY_ASSIGN(const bool relay, relay_.matches_name(domain));
    if (relay) return DomainClass::relay;
    return DomainClass::other;
}

}  // namespace postern::table
