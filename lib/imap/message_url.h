// URLs of messages and their parts: RFC 5092, with URLAUTH (RFC 4467). CATENATE and URLFETCH take
// them. Absolute ("imap://fred@host/INBOX/;UID=20/;SECTION=1.2") or of this server
// ("/INBOX/;UID=20").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/imap/fetch_item.h"

namespace postern::imap {

inline constexpr std::size_t kMaxUrl = 4096;

// Who may use a URL without being its user, RFC 4467 3.
struct UrlAuth {
    std::optional<std::int64_t> expires;  // seconds since the epoch
    std::string access;                   // "anonymous", "authuser", "user+fred", "submit+fred"
    std::string mechanism;                // empty: it is a rump, not signed yet
    std::string token;                    // hexadecimal
    std::size_t rump_size = 0;            // of the URL: what is signed
};

struct MessageUrl {
    bool absolute = false;
    std::string user, host;  // of an absolute one
    std::string mailbox;     // modified UTF-7, as on disk
    std::optional<std::uint32_t> uid_validity;
    std::uint32_t uid = 0;
    bool whole = true;  // no section is given
    Section section;
    std::optional<FetchItem::Partial> partial;  // count 0: up to the end
    std::optional<UrlAuth> auth;
};

// Errc::invalid for what is no URL of a message.
Result<MessageUrl> parse_message_url(std::string_view text);

}  // namespace postern::imap
