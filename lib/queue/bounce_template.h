// The texts of notifications, and bounce_template_file, which replaces them (bounce(5)):
//
//     failure_template = <<EOF
//     Charset: us-ascii
//     From: MAILER-DAEMON (Mail Delivery System)
//     Subject: Undelivered Mail Returned to Sender
//     Postmaster-Subject: Postmaster Copy: Undelivered Mail
//
//     This is the mail system at host $myhostname.
//     EOF
//
// Pure. Here rather than with bounce, because commands show templates too.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace postern::queue {

struct BounceTemplate {
    std::string charset = "us-ascii";
    std::string from = "MAILER-DAEMON (Mail Delivery System)";
    std::string subject;
    std::string postmaster_subject;  // of the postmaster's copy; empty: the same
    std::string body;                // lines with LF; $names as in main.cf
};

struct BounceTemplates {
    BounceTemplate failure, delay, success, verify;

    static BounceTemplates built_in();
    // The built-in ones with what `text` (a whole file) replaces. The Error names the line.
    static Result<BounceTemplates> parse(std::string_view text);

    // In the form that parse() reads.
    std::string text() const;
};

// Inserts what main.cf does not know: $delay_warning_time_UNIT and $maximal_queue_lifetime_UNIT,
// whole units of seconds, minutes, hours, days or weeks. Other $names stay.
std::string insert_times(std::string_view body, Micros delay_warning_time,
                         Micros maximal_queue_lifetime);

}  // namespace postern::queue
