// Which messages were expunged after a mod-sequence, as far as postern.log and the one before it
// reach back (RFC 7162 3.2). Read when a client asks, which is seldom: once, when it comes back to
// a mailbox.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/mailbox.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

// Ascending UIDs below `limit`; nothing when the logs begin later than `modseq`, or is not that of
// `validity`.
Result<std::optional<std::vector<Uid>>> read_expunged(sys::Fs& fs, const std::string& folder,
                                                      std::uint32_t validity, std::uint64_t modseq,
                                                      Uid limit);

}  // namespace postern::mailbox
