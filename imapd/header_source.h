// The header of a message for those who want a field or two of it: from the mailbox's cache where
// that has the field, else from the message, of which the cache learns then.
#pragma once

#include <string_view>

#include "imapd/message_source.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

// The header, or as much of it as the cache has, if that includes the field. The view holds until
// the next call for another message.
Result<std::string_view> header_with(mailbox::View& view, MessageSource& source, std::uint32_t seq,
                                     std::string_view field);

}  // namespace postern::imapd
