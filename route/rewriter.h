// Rewriter: addresses in canonical form, and what virtual_alias_maps makes of a recipient. Pure but
// for the tables that it is given; what a table cannot tell is a temporary failure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/table/address_class.h"
#include "lib/table/address_lookup.h"
#include "lib/table/maps.h"

#include "route/options.h"

namespace postern::route {

enum class Role : unsigned char { sender, recipient, header };

class Rewriter {
  public:
    // Borrows both; they outlive the Rewriter.
    Rewriter(const Options& options, table::DomainClasses& classes);

    // "user" -> user@myorigin, "user@host" -> user@host.mydomain where configured; no trailing dot.
    std::string complete(std::string_view address) const;

    // The whole way of an address through the tables: complete(), canonical maps of its role, and
    // for recipients virtual_alias_maps with all limits. At least one address. An address that
    // cannot be expanded within the limits is a temporary failure, as in Postfix: the table is to
    // be repaired.
    Result<std::vector<std::string>> expand(std::string_view address, Role role);

    // Who gets a copy of mail from, or to, this address; empty: nobody.
    Result<std::vector<std::string>> copies(std::string_view address, Role role);

  private:
    Result<std::string> canonical(std::string address, Role role);
    Result<std::string> map_one(table::Maps& maps, std::string address);
    Result<std::vector<std::string>> virtual_aliases(std::string address);
    // The results of one lookup, complete and with the unmatched extension; nothing when the
    // address is in no table.
    Lookup<std::vector<std::string>> look_up(table::Maps& maps, const std::string& address,
                                             bool propagate);
    Result<bool> is_own_domain(const std::string& domain);

    const Options& options_;
    table::DomainClasses& classes_;
    table::Maps canonical_, sender_canonical_, recipient_canonical_, virtual_alias_;
    table::Maps sender_bcc_, recipient_bcc_;
    bool propagate_canonical_ = false, propagate_virtual_ = false;
};

}  // namespace postern::route
