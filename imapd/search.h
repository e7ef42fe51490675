// SEARCH: which messages of a View match a tree of keys. Cheap keys are asked first, so that files
// are opened only for messages that flags, dates and sizes have not ruled out.
#pragma once

#include <cstdint>
#include <vector>

#include "imapd/message_source.h"
#include "lib/base/result.h"
#include "lib/imap/search_key.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

// Sequence numbers in ascending order. The key's texts must be converted (imap::convert_texts).
// Messages that other sessions have expunged match nothing that needs their text.
Result<std::vector<std::uint32_t>> search(mailbox::View& view, MessageSource& source,
                                          imap::SearchKey key);

}  // namespace postern::imapd
