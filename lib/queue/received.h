// The trace field that cleanup puts on top of each message (and smtpd on what it gives to a filter
// before the queue), in Postfix's words.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/ids.h"
#include "lib/ipc/messages/cleanup.h"

namespace postern::queue {

// "Received: from … by … with … id …; date", folded, with CRLF; RFC 5321 4.4. `recipient` is named
// when it is the only one.
// Without an id there is none in it.
struct ReceivedBy {
    std::string_view hostname, mail_name;
};
std::string received_field(const ipc::SubmitOpen& open, const ReceivedBy& who, const QueueId& id,
                           std::string_view recipient, std::string_view date);

// "Sat, 21 Nov 2026 19:51:44 +0000 (UTC)", in the system's time zone.
std::string mail_date(WallTime when);
// "20261121195144", in UTC, as in Postfix's message ids.
std::string compact_date(WallTime when);

}  // namespace postern::queue
