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
#include "lib/table/match_list.h"

#include "route/options.h"

namespace postern::route {

// An address of the envelope, or of a header field about a sender or about recipients.
enum class Role : unsigned char { sender, recipient, header_sender, header_recipient };

class Rewriter {
  public:
    // Borrows both; they outlive the Rewriter.
    Rewriter(const Options& options, table::DomainClasses& classes);

    // "user" -> user@myorigin, "user@host" -> user@host.mydomain where configured; no trailing dot.
    std::string complete(std::string_view address) const;

    // What virtual_alias_maps makes of a canonical recipient: at least one address. One that cannot
    // be expanded within the limits is a temporary failure, as in Postfix: the table is to be
    // repaired.
    Result<std::vector<std::string>> members(std::string address);

    // complete() (envelope addresses only), the canonical maps of its role, masquerading.
    Result<std::string> canonical(std::string_view address, Role role);

    // Who gets a copy of mail from, or to, this canonical address; empty: nobody.
    Result<std::vector<std::string>> copies(std::string_view address, Role role);

  private:
    Result<std::string> masquerade(std::string address);
    Result<std::string> map_one(table::Maps& maps, std::string address);
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
    // By Role.
    bool by_sender_maps_[4] = {}, by_recipient_maps_[4] = {}, by_maps_[4] = {}, masked_[4] = {};
    std::vector<std::string> masquerade_domains_;  // lower case, with their '!'
    table::MatchList masquerade_exceptions_;
};

}  // namespace postern::route
