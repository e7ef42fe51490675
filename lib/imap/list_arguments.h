// The arguments of LIST (RFC 3501 6.3.8, extended by RFC 5258, RFC 5819, RFC 6154) and STATUS
// items, which LIST can ask for too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/metadata_arguments.h"
#include "lib/imap/parser.h"

namespace postern::imap {

inline constexpr std::size_t kMaxStatusItems = 20;
inline constexpr std::size_t kMaxListPatterns = 100;

enum class StatusItem : unsigned char {
    messages,
    recent,
    uid_next,
    uid_validity,
    unseen,
    deleted,          // RFC 9051 6.3.11
    deleted_storage,  // RFC 9208 4.1.4
    size,             // RFC 8438
    highest_modseq,   // RFC 7162
    append_limit,     // RFC 7889
    mailbox_id,       // RFC 8474
};
std::string_view name_of(StatusItem item);

struct ListArguments {
    // Which names, RFC 5258 3.1
    bool select_subscribed = false;
    bool select_special_use = false;
    bool recursive_match = false;
    // What is said of them, RFC 5258 3.2
    bool return_subscribed = false;
    bool return_special_use = false;
    bool return_my_rights = false;                 // RFC 8440
    std::vector<StatusItem> status;                // RFC 5819
    std::optional<GetMetadataArguments> metadata;  // RFC 9590
    bool extended = false;                         // any of this was written, or several patterns

    std::string reference;
    std::vector<std::string> patterns;
};

// After the command's name and a space.
Result<ListArguments> parse_list_arguments(Parser& parser);
// "(MESSAGES UNSEEN)"
Result<std::vector<StatusItem>> parse_status_items(Parser& parser);

}  // namespace postern::imap
