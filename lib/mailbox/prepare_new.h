// What IMAP clients ask of new messages first is worked out by who adds them (local, imapd), when he
// has nothing else to do: they get their UIDs, and the cache their envelopes and structures, so that
// the first FETCH after a night of deliveries need not read them all.
#pragma once

#include <cstddef>

#include "lib/base/result.h"
#include "lib/mailbox/mailbox.h"

namespace postern::mailbox {

inline constexpr std::uint32_t kMostPrepared = 1000;  // of those that were there before
inline constexpr std::size_t kPreparedAtOnce = 100;   // what one piece of the work should be
inline constexpr std::uint64_t kLargestPrepared = 4U << 20;  // larger ones are left to their reader

// At most `limit` of the messages behind the last one that the cache knows, oldest first; how many
// it were (`limit`: there may be more). Where it knows none: those that no session has seen, and
// those from the UID `added` on; of others, which may never be asked for, the newest thousand.
// Nothing for a folder that no client ever opened.
Result<std::size_t> prepare_new(const Mailbox& box, std::size_t limit, Uid added = 0);

}  // namespace postern::mailbox
