// What local and virtual take from main.cf, as plain values.
#pragma once

#include <string>

#include "lib/config/config.h"
#include "lib/queue/agent_report.h"
#include "lib/table/address_class.h"
#include "lib/table/address_lookup.h"

#include "local/runner.h"

namespace postern::local {

struct Options {
    bool is_virtual = false;  // the program is called virtual
    std::string myhostname;
    table::Completion completion;
    table::ClassLists classes;
    std::string recipient_delimiter;
    bool original_recipient_header = true;  // enable_original_recipient

    std::string alias_maps;
    std::vector<std::string> alias_files;  // of each of alias_maps; empty where it is not a file
    bool owner_request_special = true, expand_owner_alias = false, reset_owner_alias = false;
    std::string home_mailbox, mail_spool_directory, mailbox_command;
    std::string default_privs;
    bool require_home = false;  // require_home_directory
    MboxRules mbox_rules;       // of users' own mailboxes
    RunnerOptions runner;
    std::string mailbox_command_maps, mailbox_transport, mailbox_transport_maps;
    std::string fallback_transport, fallback_transport_maps, luser_relay;
    queue::VerdictFilter status_filter;  // local_ or virtual_delivery_status_filter
    std::uint64_t mailbox_size_limit = 0;
    std::string quota_rule;  // of Maildirs whose users have none of their own
    bool quota_defers = false;
    std::vector<unsigned> quota_warnings;  // per cent

    std::string virtual_mailbox_base, virtual_mailbox_maps, virtual_uid_maps, virtual_gid_maps;
    std::uint32_t virtual_minimum_uid = 100;
};

// Errc::invalid names the parameter that cannot be understood.
Result<Options> options_from(const config::Config& config, bool is_virtual);

}  // namespace postern::local
