// THREADID (RFC 8474 5.2): the same for messages that answer each other, in all folders and for
// ever: made of the message that their References begin with, so that nothing need be kept.
#pragma once

#include <cstdint>
#include <string>

#include "imapd/message_source.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

// "T" and 20 hexadecimal digits. A message without any message id is a thread of its own.
Result<std::string> thread_id(mailbox::View& view, MessageSource& source, std::uint32_t seq);

}  // namespace postern::imapd
