// Retry times: see retry.h.
#include "qmgr/retry.h"

#include <algorithm>

namespace postern::qmgr {

WallTime next_attempt(const RetryRules& rules, WallTime arrival, WallTime now) {
    Micros longest = std::max(rules.minimal_backoff, rules.maximal_backoff);
    return now + std::clamp<Micros>(now - arrival, rules.minimal_backoff, longest);
}

bool is_expired(const RetryRules& rules, WallTime arrival, WallTime now, bool null_sender) {
    return now - arrival >= (null_sender ? rules.bounce_lifetime : rules.maximal_lifetime);
}

}  // namespace postern::qmgr
