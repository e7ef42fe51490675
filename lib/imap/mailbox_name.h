// Mailbox names on the wire: modified UTF-7 (RFC 3501 5.1.3) and LIST patterns (RFC 3501 6.3.8).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::imap {

// UTF-8 to modified UTF-7; invalid UTF-8 becomes U+FFFD.
std::string encode_mailbox_name(std::string_view utf8);
// Nothing for text that is no canonical modified UTF-7 (8-bit characters, bad base64, needless
// shifts).
std::optional<std::string> decode_mailbox_name(std::string_view name);

// Whether a name matches "*" (anything) and "%" (anything within a level). INBOX in any case
// matches its own name's letters in any case.
bool matches_pattern(std::string_view name, std::string_view pattern, char separator);

}  // namespace postern::imap
