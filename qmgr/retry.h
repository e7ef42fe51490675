// When a deferred message is tried again, and when it is given up. Pure.
#pragma once

#include "lib/base/clock.h"

namespace postern::qmgr {

struct RetryRules {
    Micros minimal_backoff{Seconds{300}};
    Micros maximal_backoff{Seconds{4000}};
    Micros maximal_lifetime{Seconds{5 * 86400}};  // mail with a sender
    Micros bounce_lifetime{Seconds{5 * 86400}};   // mail without
};

// The longer a message has waited, the longer it waits: its age, but no less than
// minimal_backoff_time and no more than maximal_backoff_time. So the intervals double.
WallTime next_attempt(const RetryRules& rules, WallTime arrival, WallTime now);

// Whether a message whose attempt has just failed goes back to its sender.
bool is_expired(const RetryRules& rules, WallTime arrival, WallTime now, bool null_sender);

}  // namespace postern::qmgr
