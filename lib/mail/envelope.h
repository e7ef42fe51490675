// The fields of a header that IMAP's ENVELOPE shows, RFC 3501 7.4.2.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/mail/address_list.h"

namespace postern::mail {

struct Envelope {
    // Unfolded and trimmed; nothing when the field is missing.
    std::optional<std::string> date;
    std::optional<std::string> subject;
    std::vector<ListedAddress> from, sender, reply_to, to, cc, bcc;
    std::optional<std::string> in_reply_to;
    std::optional<std::string> message_id;
};

// Repeated fields: address lists are joined, of the others the first counts. Sender and Reply-To
// default to From.
Envelope parse_envelope(std::string_view header);

}  // namespace postern::mail
