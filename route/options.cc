#include "route/options.h"

#include "lib/table/address_options.h"

namespace postern::route {

Options options_from(const config::Config& config) {
    Options o;
    o.myhostname = config.get(param::myhostname);
    o.completion = table::completion(config);
    o.recipient_delimiter = config.get(param::recipient_delimiter);
    o.propagate_unmatched_extensions = config.text("propagate_unmatched_extensions");
    o.canonical_maps = config.text("canonical_maps");
    o.sender_canonical_maps = config.text("sender_canonical_maps");
    o.recipient_canonical_maps = config.text("recipient_canonical_maps");
    o.canonical_classes = config.text("canonical_classes");
    o.sender_canonical_classes = config.text("sender_canonical_classes");
    o.recipient_canonical_classes = config.text("recipient_canonical_classes");
    o.masquerade_domains = config.text("masquerade_domains");
    o.masquerade_exceptions = config.text("masquerade_exceptions");
    o.masquerade_classes = config.text("masquerade_classes");
    o.virtual_alias_maps = config.text("virtual_alias_maps");
    o.sender_bcc_maps = config.text("sender_bcc_maps");
    o.recipient_bcc_maps = config.text("recipient_bcc_maps");
    o.virtual_alias_expansion_limit = config.get(param::virtual_alias_expansion_limit);
    o.virtual_alias_recursion_limit = config.get(param::virtual_alias_recursion_limit);
    o.virtual_alias_address_length_limit = config.get(param::virtual_alias_address_length_limit);
    o.classes = table::class_lists(config);
    o.local_transport = config.get(param::local_transport);
    o.virtual_transport = config.get(param::virtual_transport);
    o.relay_transport = config.get(param::relay_transport);
    o.default_transport = config.get(param::default_transport);
    o.relayhost = config.get(param::relayhost);
    o.sender_dependent_relayhost_maps = config.text("sender_dependent_relayhost_maps");
    o.sender_dependent_default_transport_maps =
        config.text("sender_dependent_default_transport_maps");
    o.transport_maps = config.text("transport_maps");
    o.transport_parents_plain =
        table::parents_of(config, "transport_maps") == table::Parents::plain;
    o.fast_flush_domains = config.text("fast_flush_domains");
    o.flush_parents = table::parents_of(config, "fast_flush_domains");
    o.empty_sender_relayhost_key = config.get(param::empty_address_relayhost_maps_lookup_key);
    o.empty_sender_transport_key =
        config.get(param::empty_address_default_transport_maps_lookup_key);
    o.resolve_numeric_domain = config.get(param::resolve_numeric_domain);
    o.relocated_maps = config.text("relocated_maps");
    o.empty_address_recipient = config.get(param::empty_address_recipient);
    return o;
}

Options probe_options_from(const config::Config& config) {
    Options o = options_from(config);
    o.local_transport = config.get(param::address_verify_local_transport);
    o.virtual_transport = config.get(param::address_verify_virtual_transport);
    o.relay_transport = config.get(param::address_verify_relay_transport);
    o.default_transport = config.get(param::address_verify_default_transport);
    o.relayhost = config.get(param::address_verify_relayhost);
    o.sender_dependent_relayhost_maps =
        config.text("address_verify_sender_dependent_relayhost_maps");
    o.sender_dependent_default_transport_maps =
        config.text("address_verify_sender_dependent_default_transport_maps");
    o.transport_maps = config.text("address_verify_transport_maps");
    return o;
}

}  // namespace postern::route
