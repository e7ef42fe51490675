// Which of Postfix's five address classes a domain belongs to: local, virtual alias, virtual
// mailbox, relay, or none of them. route decides by it where mail goes, policy who may send it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/table/match_list.h"

namespace postern::table {

enum class DomainClass : unsigned char { local, virtual_alias, virtual_mailbox, relay, other };

struct ClassLists {
    std::string mydestination, virtual_alias_domains, virtual_mailbox_domains, relay_domains;
    Parents relay_parents = Parents::plain;  // parent_domain_matches_subdomains has relay_domains
    std::vector<IpAddress> local_addresses;  // inet_interfaces, proxy_interfaces: user@[192.0.2.1]
};

class DomainClasses {
  public:
    explicit DomainClasses(const ClassLists& lists);

    // Fails when a list or table cannot tell. An empty domain is local.
    Result<DomainClass> classify(std::string_view domain);
    // mydestination, or one of our own addresses in brackets.
    Result<bool> is_local(std::string_view domain);

  private:
    MatchList local_, virtual_alias_, virtual_mailbox_, relay_;
    std::vector<IpAddress> addresses_;
};

// "[192.0.2.1]" and "[IPv6:2001:db8::1]" (RFC 5321 4.1.3); nothing for anything else.
std::optional<IpAddress> parse_address_literal(std::string_view domain);

}  // namespace postern::table
