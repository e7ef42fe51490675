// The line that an agent logs about each recipient, in Postfix's shape, because pflogsumm, fail2ban
// and people's own scripts read it:
//     to=<u@a>, orig_to=<x>, relay=local, delay=0.04, delays=0.01/0.02/0/0.01, dsn=2.0.0,
//     status=sent (text)
// The agent logs it with the queue id in front.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/verdict.h"

namespace postern::queue {

// When what happened; a stage that did not happen has the time of the one before (zero is taken
// so).
struct DeliveryTimes {
    WallTime arrival{};    // of the message
    WallTime active{};     // qmgr took it up
    WallTime started{};    // the agent got the request
    WallTime connected{};  // the agent was ready to transmit (connection made; lock got)
    WallTime finished{};
};

struct DeliveryLine {
    std::string_view to;
    std::string_view original;  // logged as orig_to= when it differs from `to`
    std::string_view relay;     // "local", "mx.example[192.0.2.1]:25", "none"
    DeliveryTimes times;
    std::string_view dsn;     // "2.0.0"
    std::string_view status;  // "sent", "deferred", "bounced", "expired", ...
    std::string_view text;    // in the brackets, without them
};

std::string delivery_line(const DeliveryLine& line);
// "sent", "deferred" or "bounced".
std::string_view status_word(Verdict::Kind kind);
// Of a probe, "deliverable" or "undeliverable" instead.
std::string_view status_word(Verdict::Kind kind, bool probe);
// Two significant digits, and at most delay_logging_resolution_limit after the point: 0.04, 1.5,
// 15, 0.
std::string format_delay(Micros delay);

}  // namespace postern::queue
