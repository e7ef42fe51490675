#include "local/options.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/table/address_options.h"
#include "lib/table/source.h"
#include "lib/table/status_filter.h"

namespace postern::local {
namespace {

// "alias, forward" -> the places.
Result<std::vector<Origin>> origins(const std::string& name,
                                    const std::vector<std::string>& words) {
    std::vector<Origin> found;
    for (const auto& word : words) {
        if (word != "alias" && word != "include" && word != "forward")
            return Error{Errc::invalid, cat({"parameter ", name, ": unknown word \"", word, "\""})};
        found.push_back(word == "alias"     ? Origin::alias
                        : word == "include" ? Origin::include
                                            : Origin::forward);
    }
    return found;
}

// Whose owner's rights the commands in that table have.
std::string file_of_table(std::string_view spec) {
    constexpr std::pair<std::string_view, std::string_view> kSuffixes[] = {
        {"hash", ".db"},  {"btree", ".db"}, {"lmdb", ".lmdb"}, {"cdb", ".cdb"},
        {"texthash", ""}, {"regexp", ""},   {"pcre", ""}};
    while (spec.starts_with("proxy:")) spec.remove_prefix(6);
    const auto parts = split_once(spec, ':');
    if (!parts) return {};
    for (const auto& [type, suffix] : kSuffixes) {
        if (parts->first == type) return cat({parts->second, suffix});
    }
    return {};
}

Result<MboxRules> mbox_rules(const config::Config& config, const std::vector<std::string>& locks) {
    MboxRules rules;
    TRY_ASSIGN(static_cast<mailbox::LockRules&>(rules), mailbox::parse_locks(join(locks, " ")));
    rules.lock_attempts = static_cast<int>(config.get(param::deliver_lock_attempts));
    rules.lock_delay = config.get(param::deliver_lock_delay);
    rules.stale_lock = std::chrono::duration_cast<Seconds>(config.get(param::stale_lock_time));
    return rules;
}

// Everything that commands and files need.
Result<RunnerOptions> runner_options(const config::Config& config) {
    RunnerOptions o;
    o.myhostname = config.get(param::myhostname);
    o.myorigin = config.get(param::myorigin);
    o.delimiters = config.get(param::recipient_delimiter);
    o.original_recipient_header = config.get(param::enable_original_recipient);
    o.frozen_delivered_to = config.get(param::frozen_delivered_to);
    const auto prepend = config.get(param::prepend_delivered_header);
    o.delivered_for_command = std::find(prepend.begin(), prepend.end(), "command") != prepend.end();
    o.delivered_for_file = std::find(prepend.begin(), prepend.end(), "file") != prepend.end();
    o.forward_path = config.get(param::forward_path);
    o.forward_filter = config.get(param::forward_expansion_filter);
    TRY_ASSIGN(o.commands_from,
               origins("allow_mail_to_commands", config.get(param::allow_mail_to_commands)));
    TRY_ASSIGN(o.files_from,
               origins("allow_mail_to_files", config.get(param::allow_mail_to_files)));
    o.environment = config.get(param::export_environment);
    o.shell = config.get(param::local_command_shell);
    o.directory = config.get(param::command_execution_directory);
    o.directory_filter = config.get(param::execution_directory_expansion_filter);
    o.command_filter = config.get(param::command_expansion_filter);
    o.time_limit = config.get(param::command_time_limit);
    TRY_ASSIGN(o.file_rules, mbox_rules(config, config.get(param::mailbox_delivery_lock)));
    o.file_rules.refuse_executable = true;
    o.file_rules.size_limit = config.get(param::mailbox_size_limit);
    return o;
}

}  // namespace

Result<Options> options_from(const config::Config& config, bool is_virtual) {
    Options o;
    o.is_virtual = is_virtual;
    o.myhostname = config.get(param::myhostname);
    o.completion = table::completion(config);
    o.classes = table::class_lists(config);
    o.recipient_delimiter = config.get(param::recipient_delimiter);
    o.original_recipient_header = config.get(param::enable_original_recipient);
    o.alias_maps = config.text("alias_maps");
    for (const auto& spec : table::split_list(o.alias_maps))
        o.alias_files.push_back(file_of_table(spec));
    o.owner_request_special = config.get(param::owner_request_special);
    o.reset_owner_alias = config.get(param::reset_owner_alias);
    o.expand_owner_alias = config.get(param::expand_owner_alias);
    o.home_mailbox = config.get(param::home_mailbox);
    o.mail_spool_directory = config.get(param::mail_spool_directory);
    o.mailbox_command = config.get(param::mailbox_command);
    o.default_privs = config.get(param::default_privs);
    o.require_home = config.get(param::require_home_directory);
    TRY_ASSIGN(o.runner, runner_options(config));
    TRY_ASSIGN(o.mbox_rules,
               mbox_rules(config, is_virtual ? config.get(param::virtual_mailbox_lock)
                                             : config.get(param::mailbox_delivery_lock)));
    if (!is_virtual && config.get(param::sun_mailtool_compatibility)) {
        log::warning(
            "", "sun_mailtool_compatibility is deprecated; use mailbox_delivery_lock = dotlock");
        TRY_ASSIGN(o.mbox_rules, mbox_rules(config, {"dotlock"}));
    }
    o.mbox_rules.must_be_ours = config.get(param::strict_mailbox_ownership);
    o.mailbox_command_maps = config.text("mailbox_command_maps");
    o.mailbox_transport = config.get(param::mailbox_transport);
    o.mailbox_transport_maps = config.text("mailbox_transport_maps");
    o.fallback_transport = config.get(param::fallback_transport);
    o.fallback_transport_maps = config.text("fallback_transport_maps");
    o.luser_relay = config.get(param::luser_relay);
    const std::string filter =
        is_virtual ? "virtual_delivery_status_filter" : "local_delivery_status_filter";
    o.status_filter = table::StatusFilter::function(config.text(filter), filter);
    o.runner.status_filter = o.status_filter;
    o.mailbox_size_limit = is_virtual ? config.get(param::virtual_mailbox_limit)
                                      : config.get(param::mailbox_size_limit);
    o.mbox_rules.size_limit = o.mailbox_size_limit;
    o.quota_rule = config.get(param::mailbox_quota_rule);
    o.quota_defers = config.get(param::mailbox_quota_full_action) == "defer";
    for (const auto& word : config.get(param::mailbox_quota_warnings)) {
        const auto percent = parse_number<unsigned>(word);
        if (!percent)
            return Error{Errc::invalid, cat({"parameter mailbox_quota_warnings: \"", word,
                                             "\" is not a number of per cent"})};
        o.quota_warnings.push_back(*percent);
    }
    o.virtual_mailbox_base = config.get(param::virtual_mailbox_base);
    o.virtual_mailbox_maps = config.text("virtual_mailbox_maps");
    o.virtual_uid_maps = config.text("virtual_uid_maps");
    o.virtual_gid_maps = config.text("virtual_gid_maps");
    o.virtual_minimum_uid = static_cast<std::uint32_t>(config.get(param::virtual_minimum_uid));
    return o;
}

}  // namespace postern::local
