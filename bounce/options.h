// What bounce takes from main.cf.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/queue/bounce_template.h"

namespace postern::config {
class Config;
}

namespace postern::bounce {

struct Options {
    std::string myhostname = "localhost";
    std::string myorigin = "localhost";
    std::string mail_name = "Postern";
    std::uint64_t size_limit = 50'000;  // longer messages are returned as their header alone
    std::vector<std::string> notify_classes;
    std::string error_notice_recipient = "postmaster";
    std::string bounce_notice_recipient = "postmaster";
    std::string delay_notice_recipient = "postmaster";
    std::string double_bounce_notice_recipient = "postmaster";
    std::string double_bounce_sender = "double-bounce";
    bool threaded = false;  // enable_threaded_bounces
    queue::BounceTemplates templates = queue::BounceTemplates::built_in();  // expanded
    Micros queue_lifetime{Seconds{5 * 86400}};
    std::string cleanup = "public/cleanup";
    Millis submit_timeout{100'000};
};

// The Error: bounce_template_file cannot be read.
Result<Options> options_from(const config::Config& config);

}  // namespace postern::bounce
