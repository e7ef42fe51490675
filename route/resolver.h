// Resolver: transport and next hop of one recipient, by its address class, transport_maps and
// relayhost, as Postfix's trivial-rewrite finds them. Pure but for the tables that it is given.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/table/address_class.h"
#include "lib/table/maps.h"

#include "route/options.h"
#include "route/rewriter.h"

namespace postern::route {

struct Route {
    std::string transport;  // name in master.cf; "error" with the status and text as next hop
    std::string next_hop;
    std::string recipient;  // as the delivery agent shall see it
    table::DomainClass domain_class = table::DomainClass::other;
    std::string rule;  // "transport_maps (hash:/etc/transport, key far.test)", "relayhost" or empty
};

class Resolver {
  public:
    // Borrows all; they outlive the Resolver.
    Resolver(const Options& options, table::DomainClasses& classes, const Rewriter& rewriter);

    // Errc::temporary when a table cannot tell, Errc::permanent for what is no address.
    Result<Route> resolve(std::string_view sender, std::string_view recipient);

  private:
    struct Hop {
        std::string transport, next_hop;
        std::string rule = {};
    };
    Result<Hop> by_class(table::DomainClass domain_class, const std::string& sender,
                         const std::string& domain);
    Result<Hop> remote(std::string transport, const std::string& sender, const std::string& domain);
    Result<void> apply_relocated_maps(Hop& hop, const std::string& recipient, bool local);
    Result<void> apply_transport_maps(Hop& hop, const std::string& recipient,
                                      const std::string& domain);

    const Options& options_;
    table::DomainClasses& classes_;
    const Rewriter& rewriter_;
    table::Maps transport_, sender_relayhost_, sender_transport_, relocated_;
};

// Is this a domain that mail can be sent to: labels of RFC 1123 2.1 (underscores let pass), or an
// address literal?
bool plausible_domain(std::string_view domain);

}  // namespace postern::route
