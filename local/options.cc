#include "local/options.h"

#include "lib/table/address_options.h"

namespace postern::local {

Options options_from(const config::Config& config, bool is_virtual) {
    Options o;
    o.is_virtual = is_virtual;
    o.myhostname = config.get(param::myhostname);
    o.completion = table::completion(config);
    o.classes = table::class_lists(config);
    o.recipient_delimiter = config.get(param::recipient_delimiter);
    o.original_recipient_header = config.get(param::enable_original_recipient);
    o.alias_maps = config.text("alias_maps");
    o.owner_request_special = config.get(param::owner_request_special);
    o.expand_owner_alias = config.get(param::expand_owner_alias);
    o.home_mailbox = config.get(param::home_mailbox);
    o.mail_spool_directory = config.get(param::mail_spool_directory);
    for (const auto* name :
         {"mailbox_command", "mailbox_command_maps", "mailbox_transport", "mailbox_transport_maps",
          "fallback_transport", "fallback_transport_maps", "luser_relay"}) {
        if (!is_virtual && !config.text(name).empty()) o.unsupported = name;
    }
    o.mailbox_size_limit = is_virtual ? config.get(param::virtual_mailbox_limit)
                                      : config.get(param::mailbox_size_limit);
    o.virtual_mailbox_base = config.get(param::virtual_mailbox_base);
    o.virtual_mailbox_maps = config.text("virtual_mailbox_maps");
    o.virtual_uid_maps = config.text("virtual_uid_maps");
    o.virtual_gid_maps = config.text("virtual_gid_maps");
    o.virtual_minimum_uid = static_cast<std::uint32_t>(config.get(param::virtual_minimum_uid));
    return o;
}

}  // namespace postern::local
