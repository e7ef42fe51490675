// What local and virtual take from main.cf, as plain values.
#pragma once

#include <string>

#include "lib/config/config.h"
#include "lib/table/address_class.h"
#include "lib/table/address_lookup.h"

namespace postern::local {

struct Options {
    bool is_virtual = false;  // the program is called virtual
    std::string myhostname;
    table::Completion completion;
    table::ClassLists classes;
    std::string recipient_delimiter;
    bool original_recipient_header = true;  // enable_original_recipient

    std::string alias_maps;
    bool owner_request_special = true, expand_owner_alias = false;
    std::string home_mailbox, mail_spool_directory;
    // Set to something that we cannot do yet: the parameter's name, for the log. Mail waits.
    std::string unsupported;
    std::uint64_t mailbox_size_limit = 0;

    std::string virtual_mailbox_base, virtual_mailbox_maps, virtual_uid_maps, virtual_gid_maps;
    std::uint32_t virtual_minimum_uid = 100;
};

Options options_from(const config::Config& config, bool is_virtual);

}  // namespace postern::local
