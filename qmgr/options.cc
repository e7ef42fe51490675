// What qmgr takes from main.cf.
#include "qmgr/options.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/ipc/messages/limits.h"
#include "lib/log/log.h"
#include "lib/sys/file.h"

namespace postern::qmgr {
namespace {

constexpr std::size_t kReserved = 200;  // descriptors for connections to agents and services

unsigned bounded(std::size_t value, std::size_t most) {
    return static_cast<unsigned>(std::min(value, most));
}

// Two deliveries at a time to one user is right for a mailbox file, which is locked. Deliveries to
// a Maildir do not meet, and local syncs as a group those that come together: the more, the fewer
// flushes of the disk.
constexpr unsigned kMaildirConcurrency = 100;

bool delivers_to_maildir(const config::Config& config, std::string_view transport) {
    if (config.is_set(cat({transport, "_destination_concurrency_limit"}))) return false;
    if (transport == "virtual") return true;
    if (transport != "local" || !config.get(param::mailbox_command).empty() ||
        !config.get(param::mailbox_command_maps).empty())
        return false;
    std::string mailbox = config.get(param::home_mailbox);
    if (mailbox.empty()) mailbox = config.get(param::mail_spool_directory);
    return mailbox.ends_with('/');
}

// A parameter of one transport that is a text, with the name under which it was found.
struct Named {
    std::string name;
    std::string value;
};
Named text_of(const config::Config& config, std::string_view transport, std::string_view suffix,
              config::TextParam general) {
    const std::string own = cat({transport, suffix});
    if (config.is_set(own)) return {own, config.text(own)};
    return {cat({"default", suffix}), config.get(general)};
}

// What cannot be read is said, and Postfix's default goes on: mail is not stopped by it.
void set_feedback(TransportLimits& limits, const config::Config& config,
                  std::string_view transport) {
    const auto feedback = [&](std::string_view suffix, config::TextParam general, Feedback& out) {
        const Named text = text_of(config, transport, suffix, general);
        auto parsed = Feedback::parse(text.value);
        if (parsed) {
            out = *parsed;
        } else {
            log::warning({}, cat({text.name, ": ", parsed.error().what, "; using 1"}));
        }
    };
    feedback("_destination_concurrency_positive_feedback",
             param::default_destination_concurrency_positive_feedback, limits.growth);
    feedback("_destination_concurrency_negative_feedback",
             param::default_destination_concurrency_negative_feedback, limits.shrinkage);

    const Named cohorts = text_of(config, transport, "_destination_concurrency_failed_cohort_limit",
                                  param::default_destination_concurrency_failed_cohort_limit);
    if (const auto value = parse_decimal(cohorts.value)) {
        limits.failed_cohorts = *value;
    } else {
        log::warning({},
                     cat({cohorts.name, ": \"", cohorts.value, "\" is no number from 0; using 1"}));
    }
}

SlotRules slots_of(const config::Config& config, std::string_view transport) {
    const auto count = [&](std::string_view suffix, config::CountParam general) {
        return bounded(config.lookup_service_param(transport, suffix, general), 1'000'000);
    };
    return {.cost = count("_delivery_slot_cost", param::default_delivery_slot_cost),
            .loan = count("_delivery_slot_loan", param::default_delivery_slot_loan),
            .discount = count("_delivery_slot_discount", param::default_delivery_slot_discount),
            .minimum = count("_minimum_delivery_slots", param::default_minimum_delivery_slots)};
}

TransportLimits limits_of(const config::Config& config, std::string_view transport) {
    TransportLimits limits;
    limits.processes = bounded(config.get(param::default_process_limit), 100'000);
    limits.concurrency =
        bounded(config.lookup_service_param(transport, "_destination_concurrency_limit",
                                            param::default_destination_concurrency_limit),
                100'000);
    if (delivers_to_maildir(config, transport)) limits.concurrency = kMaildirConcurrency;
    limits.initial =
        bounded(config.lookup_service_param(transport, "_initial_destination_concurrency",
                                            param::initial_destination_concurrency),
                100'000);
    std::size_t recipients = config.lookup_service_param(
        transport, "_destination_recipient_limit", param::default_destination_recipient_limit);
    limits.recipients = recipients == 0 ? ipc::kMaxRecipientsPerMessage
                                        : bounded(recipients, ipc::kMaxRecipientsPerMessage);
    set_feedback(limits, config, transport);
    limits.site_pause = config.lookup_service_param(transport, "_destination_rate_delay",
                                                    param::default_destination_rate_delay);
    limits.transport_pause = config.lookup_service_param(transport, "_transport_rate_delay",
                                                         param::default_transport_rate_delay);
    limits.slots = slots_of(config, transport);
    limits.site_retry = config.get(param::minimal_backoff_time);
    limits.transport_retry = config.get(param::transport_retry_time);
    return limits;
}

}  // namespace

Options options_from(const config::Config& config) {
    Options options;
    options.retry.minimal_backoff = config.get(param::minimal_backoff_time);
    options.retry.maximal_backoff = config.get(param::maximal_backoff_time);
    options.retry.maximal_lifetime = config.get(param::maximal_queue_lifetime);
    options.retry.bounce_lifetime = config.get(param::bounce_queue_lifetime);
    options.soft_bounce = config.get(param::soft_bounce);
    options.queue_run_delay = config.get(param::queue_run_delay);
    options.message_active_limit = config.get(param::qmgr_message_active_limit);
    options.recipient_active_limit = config.get(param::qmgr_message_recipient_limit);
    options.delay_warning = config.get(param::delay_warning_time);
    options.confirm_delay_cleared = config.get(param::confirm_delay_cleared);
    options.sync_directories = config.get(param::queue_sync_directory);
    options.rewrite_service = config.get(param::rewrite_service_name);
    options.bounce_service = config.get(param::bounce_service_name);
    options.verify_service = config.get(param::address_verify_service_name);
    options.probe_limit = config.get(param::address_verify_pending_request_limit);
    options.site_refresh =
        std::chrono::duration_cast<Seconds>(config.get(param::fast_flush_refresh_time));
    options.defer_transports = config.get(param::defer_transports);
    options.ipc_timeout = config.get(param::qmgr_ipc_timeout);
    options.verp_bounces = !config.get(param::disable_verp_bounces);
    options.save_finished = config.get(param::dont_remove) != 0;
    options.filter_next_hop = config.get(param::default_filter_nexthop);
    options.best_mx_transport = config.get(param::best_mx_transport);
    options.limits_for = [&config](std::string_view transport) {
        return limits_of(config, transport);
    };
    if (auto limit = sys::raise_descriptor_limit()) {
        options.max_open_files =
            *limit > 2 * kReserved ? std::min<std::size_t>(*limit - kReserved, 2000) : kReserved;
    }
    return options;
}

Options options_from(const config::Config& config, const config::MasterFile& master) {
    Options options = options_from(config);
    for (const auto& entry : master.entries()) {
        for (const auto& [name, text] : entry.overrides) {
            if (name != "best_mx_transport") continue;
            // Config::check has seen to the rest of it when the service was prepared.
            options.best_mx_overrides[entry.name] = config.expand(text).value_or(std::string());
        }
    }
    return options;
}

}  // namespace postern::qmgr
