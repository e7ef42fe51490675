// SORT and THREAD (RFC 5256, RFC 5957): what is compared of each message, and in which order they
// come then.
#pragma once

#include <cstdint>
#include <vector>

#include "imapd/message_source.h"
#include "imapd/search.h"
#include "lib/base/result.h"
#include "lib/imap/search_arguments.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

// The messages in the order of the keys (RELEVANCY needs scores), equal ones by their sequence
// numbers. Those that other sessions have expunged, and whose files are needed, are left out.
Result<std::vector<std::uint32_t>> sort_messages(mailbox::View& view, MessageSource& source,
                                                 const std::vector<std::uint32_t>& seqs,
                                                 const std::vector<imap::SortKey>& keys,
                                                 const Relevancies* scores = nullptr);

// What THREAD wants to know of the messages; numbers are UIDs or sequence numbers.
Result<std::vector<imap::ThreadMessage>> thread_facts(mailbox::View& view, MessageSource& source,
                                                      const std::vector<std::uint32_t>& seqs,
                                                      bool uid);

}  // namespace postern::imapd
