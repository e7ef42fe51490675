// Flags of a message: the system flags of RFC 3501 2.3.2 as bits, keywords as bits that index a
// table of names which the View owns. \Recent is not here: it belongs to a session
// (Message::recent).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::mailbox {

using SystemFlags = std::uint8_t;  // any of the bits below
inline constexpr SystemFlags kSeen = 1;
inline constexpr SystemFlags kAnswered = 2;
inline constexpr SystemFlags kFlagged = 4;
inline constexpr SystemFlags kDeleted = 8;
inline constexpr SystemFlags kDraft = 16;
inline constexpr SystemFlags kAllSystemFlags = 31;

// A bit per keyword: bit i stands for View::keywords()[i]. Bit 0 is always "$Forwarded", which
// Maildir names can express (P for passed); the others live in postern.log.
using KeywordBits = std::uint64_t;
inline constexpr std::size_t kMaxKeywords = 64;
inline constexpr std::size_t kMaxKeywordSize = 100;
inline constexpr std::string_view kForwardedKeyword = "$Forwarded";

struct Flags {
    SystemFlags system = 0;
    KeywordBits keywords = 0;
    bool operator==(const Flags&) const = default;
};

// "\Seen" (any case) -> kSeen; nothing for anything else, \Recent included.
std::optional<SystemFlags> system_flag(std::string_view name);
// The name of exactly one bit: kSeen -> "\Seen".
std::string_view system_flag_name(SystemFlags bit);
// May this be a keyword? An atom (RFC 3501 9) of bounded length that does not begin with a
// backslash.
bool is_keyword(std::string_view name);

}  // namespace postern::mailbox
