// Which mailboxes a command is about: "subtree" Lists, "mailboxes" (INBOX a), "inboxes" (RFC
// 5465 6). ESEARCH (RFC 7377) and NOTIFY have these.
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/imap/parser.h"

namespace postern::imap {

inline constexpr std::size_t kMaxFilterNames = 500;

struct MailboxFilter {
    enum class Kind : unsigned char {
        selected,
        selected_delayed,
        inboxes,
        personal,
        subscribed,
        subtree,
        subtree_one,
        mailboxes,
    };
    Kind kind = Kind::personal;
    std::vector<std::string> names;  // of the last three kinds

    // Is this mailbox meant? (Not for `selected`.)
    bool covers(std::string_view mailbox, bool is_subscribed, char separator) const;
};

Result<MailboxFilter> parse_mailbox_filter(Parser& parser);

}  // namespace postern::imap
