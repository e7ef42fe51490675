// Unique ids of messages (UIDL, RFC 1939 7), in the formats of the servers before us: a client that
// leaves mail on the server must not fetch it again. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::pop3 {

// RFC 1939 7: 1 to 70 characters from 0x21 to 0x7E.
bool is_uidl(std::string_view text);

// An id in this format: "%u" or "%08Xu" UID, "%v" UIDVALIDITY, "%f" base name of the file, "%%".
// Nothing: the format makes no sense, or what it makes is no id.
std::optional<std::string> format_uidl(std::string_view format, std::uint32_t uid,
                                       std::uint32_t uid_validity, std::string_view file);

}  // namespace postern::pop3
