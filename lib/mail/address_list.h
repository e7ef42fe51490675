// Address lists as header fields carry them (RFC 5322 3.4 and 4.4, groups included), parsed
// tolerantly for IMAP's ENVELOPE and for reading recipients out of headers. Not for the SMTP
// envelope: that is lib/mail/address.h, which is strict. What cannot be read as an address comes as
// a mailbox with an empty domain rather than as an error, for a list is worth reading beyond its
// bad entry.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::mail {

struct ListedAddress {
    enum class Kind : unsigned char { mailbox, group_start, group_end };

    Kind kind = Kind::mailbox;
    bool has_name = false;
    std::string name;    // display name as written (encoded words kept), quotes and escapes removed
    std::string route;   // "@a,@b" of the obsolete route, or empty
    std::string local;   // left of @; the group's name for group_start
    std::string domain;  // right of @; empty when the text has none
};

inline constexpr std::size_t kMaxListedAddresses = 5000;

// The field's body; folds are taken as white space. At most kMaxListedAddresses entries.
std::vector<ListedAddress> parse_address_list(std::string_view text);

}  // namespace postern::mail
