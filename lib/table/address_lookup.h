// The order in which the parts of an address are looked up, as Postfix's tables document it:
// virtual(5), canonical(5), access(5), transport(5), generic. Pure but for the lookups themselves.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/table/maps.h"

namespace postern::table {

struct AddressParts {
    std::string local;
    std::string domain;  // empty for "user"
};
// Splits at the last '@'.
AddressParts split_address(std::string_view address);

// What makes an address complete (append_at_myorigin, append_dot_mydomain, swap_bangpath,
// allow_percent_hack).
struct Completion {
    std::string myorigin, mydomain;
    bool at_myorigin = true, dot_mydomain = false;
    bool swap_bangpath = true, percent_hack = true;
    std::string null_domain;  // what "user@" is completed with; empty: it stays, and is no address
};
// "user" -> user@myorigin, "user@host" -> user@host.mydomain where configured; without
// a domain, "site!user" -> user@site and "user%site" -> user@site. No source route, no trailing
// dot. The empty address stays empty.
std::string complete_address(std::string_view address, const Completion& completion);

// "user+ext" -> {"user", "ext"} with any character of `delimiters`; the extension keeps its
// delimiter
// ("+ext"). Nothing without an extension, and never for MAILER-DAEMON, double-bounce, or (with '-')
// owner-x and x-request.
struct LocalParts {
    std::string user;
    std::string extension;
};
std::optional<LocalParts> split_extension(std::string_view local, std::string_view delimiters);

struct AddressKey {
    std::string key;
    KeyKind kind = KeyKind::whole;
    // The extension that this key does not mention, with its delimiter; it is added to the result
    // where propagate_unmatched_extensions says so.
    std::string unmatched_extension;
};

// virtual(5), canonical(5): user+ext@domain, user@domain, [user+ext, user when the domain is
// local],
// @domain.
std::vector<AddressKey> rewrite_keys(std::string_view address, std::string_view delimiters,
                                     bool domain_is_local);
// virtual_mailbox_maps, relay_recipient_maps: user+ext@domain, user@domain, @domain.
std::vector<AddressKey> mailbox_keys(std::string_view address, std::string_view delimiters);
// transport(5): user+ext@domain, user@domain, domain, .parent …, *.
// `parents_plain`: a parent matches as "parent" instead of ".parent"
// (parent_domain_matches_subdomains).
std::vector<AddressKey> transport_keys(std::string_view address, std::string_view delimiters,
                                       bool parents_plain);
// access(5), an address: user+ext@domain, user@domain, domain, parents …, user+ext@, user@.
std::vector<AddressKey> access_keys(std::string_view address, std::string_view delimiters,
                                    bool parents_plain);
// access(5), a host name: name, then parents.
std::vector<AddressKey> domain_keys(std::string_view domain, bool parents_plain);
// access(5), an address of the client: 192.0.2.1, 192.0.2, 192.0, 192; IPv6 by groups.
std::vector<AddressKey> client_address_keys(std::string_view address);

struct AddressMatch {
    std::string value;
    std::string key;
    std::string unmatched_extension;
};
// The first key that the maps know.
Lookup<AddressMatch> find_first(Maps& maps, const std::vector<AddressKey>& keys);

}  // namespace postern::table
