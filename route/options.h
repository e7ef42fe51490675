// What route takes from main.cf, as plain values.
#pragma once

#include <cstddef>
#include <string>

#include "lib/config/config.h"
#include "lib/table/address_class.h"
#include "lib/table/address_lookup.h"

namespace postern::route {

struct Options {
    std::string myhostname;
    table::Completion completion;
    std::string recipient_delimiter;
    std::string propagate_unmatched_extensions = "canonical, virtual";

    std::string canonical_maps, sender_canonical_maps, recipient_canonical_maps;
    // Where the maps apply: envelope_sender, envelope_recipient, header_sender, header_recipient.
    std::string canonical_classes =
        "envelope_sender, envelope_recipient, header_sender, header_recipient";
    std::string sender_canonical_classes = "envelope_sender, header_sender";
    std::string recipient_canonical_classes = "envelope_recipient, header_recipient";
    std::string masquerade_domains, masquerade_exceptions;
    std::string masquerade_classes = "envelope_sender, header_sender, header_recipient";
    std::string virtual_alias_maps;
    std::string sender_bcc_maps, recipient_bcc_maps;
    std::size_t virtual_alias_expansion_limit = 1000, virtual_alias_recursion_limit = 1000;
    std::size_t virtual_alias_address_length_limit = 1000;

    table::ClassLists classes;
    std::string local_transport, virtual_transport = "virtual", relay_transport = "relay";
    std::string default_transport = "smtp", relayhost;
    std::string sender_dependent_relayhost_maps, sender_dependent_default_transport_maps;
    std::string transport_maps;
    bool transport_parents_plain = false;  // parent_domain_matches_subdomains has transport_maps
    std::string fast_flush_domains;
    table::Parents flush_parents = table::Parents::plain;
    std::string empty_address_recipient = "MAILER-DAEMON";
    // What the empty sender is looked up as.
    std::string empty_sender_relayhost_key = "<>", empty_sender_transport_key = "<>";
    bool resolve_numeric_domain = false;  // user@192.0.2.1 is user@[192.0.2.1]
    std::string relocated_maps;
};

Options options_from(const config::Config& config);
// The same for address probes: transports and relay hosts are those of the address_verify_*
// parameters.
Options probe_options_from(const config::Config& config);

}  // namespace postern::route
