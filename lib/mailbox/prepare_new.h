// What IMAP clients ask of new messages first is worked out by who delivers them, when he has
// nothing else to do: they get their UIDs, and the cache their envelopes and structures, so that
// the first FETCH after a night of deliveries need not read them all.
#pragma once

#include <cstddef>

#include "lib/base/result.h"
#include "lib/mailbox/mailbox.h"

namespace postern::mailbox {

inline constexpr std::uint32_t kMostPrepared = 1000;
inline constexpr std::uint64_t kLargestPrepared = 4U << 20;  // larger ones are left to their reader

// At most `limit` of the messages behind the last one that the cache knows, oldest first; how many
// it were (`limit`: there may be more). Of many only the newest thousand. Nothing for a folder that
// no client ever opened.
Result<std::size_t> prepare_new(const Mailbox& box, std::size_t limit);

}  // namespace postern::mailbox
