// Messages with parts in the binary transfer encoding, as APPEND takes them (RFC 3516 4.4), become
// messages that any IMAP client can fetch: those parts are encoded in base64. Pure.
#pragma once

#include <string>
#include <string_view>

namespace postern::imap {

// The message (CRLF) without binary parts. A NUL that is left stands where no part declares it.
std::string without_binary(std::string_view message);

}  // namespace postern::imap
