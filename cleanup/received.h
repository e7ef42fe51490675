// The trace field that cleanup puts on top of each message, in Postfix's words.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/ids.h"
#include "lib/ipc/messages/cleanup.h"

#include "cleanup/options.h"

namespace postern::cleanup {

// "Received: from … by … with … id …; date", folded, with CRLF; RFC 5321 4.4. `recipient` is named
// when it is the only one.
std::string received_field(const ipc::SubmitOpen& open, const Options& options, const QueueId& id,
                           std::string_view recipient, std::string_view date);

// "Sat, 21 Nov 2026 19:51:44 +0000 (UTC)", in the system's time zone.
std::string mail_date(WallTime when);
// "20261121195144", in UTC, as in Postfix's message ids.
std::string compact_date(WallTime when);

}  // namespace postern::cleanup
