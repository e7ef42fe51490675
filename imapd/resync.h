// What a client that comes back is told (RFC 7162 3.2): which messages are gone.
#pragma once

#include <string>
#include <vector>

#include "lib/imap/command.h"
#include "lib/imap/sequence_set.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

// UIDs of `wanted` (ascending) that were expunged after the mod-sequence. Where that is not
// remembered any more: all that are missing, above `floor`.
Result<std::vector<imap::Range>> vanished(mailbox::View& view, std::uint64_t modseq,
                                          const std::vector<imap::Range>& wanted,
                                          mailbox::Uid floor);

// The largest UID that still has the sequence number which the client remembers: what is missing
// below it, the client knew to be missing (RFC 7162 3.2.5.2). 0: none.
mailbox::Uid matched_up_to(const mailbox::View& view, const imap::Qresync& known);

// "* VANISHED (EARLIER) 41,43:116"
std::string vanished_line(const std::vector<imap::Range>& uids, bool earlier);
// "[HIGHESTMODSEQ 715194045007] "
std::string highest_modseq_code(std::uint64_t modseq);

}  // namespace postern::imapd
