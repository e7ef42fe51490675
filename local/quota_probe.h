// The answer to policy's question whether a mailbox has room (QuotaQuestion). Runs as the mailbox's
// owner, confined to it, in a process that ends with the answer.
#pragma once

#include <cstdint>

#include "lib/ipc/messages/quota.h"
#include "lib/sys/fs.h"

#include "local/messages.h"
#include "local/options.h"

namespace postern::local {

// Can this target be full at all, as far as its parent knows?
bool has_quota(const Target& target);

// "accept" too where it cannot be told, and for a user whose .forward file takes the mail: to
// refuse is for the delivery then.
ipc::QuotaAnswer probe_quota(sys::Fs& fs, const Target& target, const Options& options,
                             std::uint64_t size);

}  // namespace postern::local
