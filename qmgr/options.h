// What qmgr takes from main.cf, gathered in one place so that its parts are tested without one.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"

#include "qmgr/retry.h"
#include "qmgr/scheduler.h"

namespace postern::config {
class Config;
class MasterFile;
}

namespace postern::qmgr {

struct Options {
    RetryRules retry;
    bool soft_bounce = false;  // what would be returned stays in the queue
    Millis queue_run_delay{300'000};
    std::size_t message_active_limit = 20'000;
    std::size_t recipient_active_limit = 20'000;
    Micros delay_warning{0};
    bool confirm_delay_cleared = false;
    Millis ipc_timeout{60'000};
    Millis delivery_timeout{18'000'000};  // the agent's own limits are shorter
    Millis service_retry{1'000};          // rewrite or bounce did not answer: ask again after
    Seconds site_refresh{43'200};  // mail that waits for a site unasked is tried after this time
    std::size_t max_open_files = 400;
    bool sync_directories = false;  // of files that are made
    bool save_finished = false;     // dont_remove
    std::string filter_next_hop;    // default_filter_nexthop
    std::string rewrite_service = "rewrite";
    std::string bounce_service = "bounce";
    std::string verify_service = "verify";
    std::size_t probe_limit = 5000;             // at once
    std::vector<std::string> defer_transports;  // deliver only when the queue is flushed
    bool verp_bounces = true;       // a notification for each recipient (disable_verp_bounces)
    std::string best_mx_transport;  // takes what the SMTP client finds to loop back; empty: nothing
    // Of the transports whose master.cf entries say something else with -o.
    std::map<std::string, std::string, std::less<>> best_mx_overrides;
    Scheduler::LimitsFor limits_for = [](std::string_view) { return TransportLimits{}; };
};

// `config` must outlive the options. What master.cf says of transports is not in them.
Options options_from(const config::Config& config);
// With that.
Options options_from(const config::Config& config, const config::MasterFile& master);

}  // namespace postern::qmgr
