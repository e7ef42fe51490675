#include "local/quota_probe.h"

#include <algorithm>
#include <cerrno>

#include "lib/base/strings.h"
#include "lib/mailbox/quota.h"

#include "local/forward_file.h"
#include "local/user_facts.h"

namespace postern::local {

bool has_quota(const Target& target) {
    return target.mailbox.ends_with('/') && target.command.empty() && target.transport.empty() &&
           !target.quota_rule.empty();
}

ipc::QuotaAnswer probe_quota(sys::Fs& fs, const Target& target, const Options& options,
                             std::uint64_t size) {
    if (!target.user.empty()) {
        const auto facts = facts_of(target, options.recipient_delimiter);
        const auto candidates =
            forward_candidates(options.runner.forward_path, facts, options.runner.forward_filter);
        if (existing_forward(fs, candidates)) return {};
    }
    const std::string root = target.mailbox.substr(0, target.mailbox.find_last_not_of('/') + 1);
    const mailbox::Quota quota(fs, SystemClock::instance(), root,
                               mailbox::limits_or_none(target.quota_rule, target.address));
    const auto room = quota.check(std::max<std::uint64_t>(size, 1), 1);
    if (room || room.error().sys != EDQUOT) return {};
    return {options.quota_defers ? ipc::Outcome::defer : ipc::Outcome::reject, room.error().what};
}

}  // namespace postern::local
