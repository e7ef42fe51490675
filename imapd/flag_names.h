// Flags between IMAP's names and the mailbox's bits.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

// Names sorted into system flags and keywords. Errc::invalid: a flag that cannot be set (\Recent,
// an unknown system flag, an overlong keyword), with the text of the BAD response.
struct NamedFlags {
    mailbox::SystemFlags system = 0;
    std::vector<std::string> keywords;
};
Result<NamedFlags> sort_flags(std::span<const std::string> names);

// Whether a mailbox with the keywords has room for those among the names that it does not know yet.
bool has_room_for(std::span<const std::string> names, std::vector<std::string> keywords);

// "(\Seen $Junk \Recent)"
std::string flag_list(const mailbox::Message& message, const std::vector<std::string>& keywords,
                      bool recent = true);
// All flags there are in a mailbox, for FLAGS.
std::string all_flags(const std::vector<std::string>& keywords);
// RFC 4314 4, 5.1.1: which of them one with the rights may change (keywords with "w"); the list of
// PERMANENTFLAGS, with "\*" when keywords can be made.
mailbox::SystemFlags settable_flags(std::string_view rights);
std::string permanent_flags(const std::vector<std::string>& keywords, std::string_view rights);

}  // namespace postern::imapd
