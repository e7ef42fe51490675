// The arguments of NOTIFY, RFC 5465: of which mailboxes a client wants to hear what.
#pragma once

#include <vector>

#include "lib/base/result.h"
#include "lib/imap/fetch_item.h"
#include "lib/imap/mailbox_filter.h"
#include "lib/imap/parser.h"

namespace postern::imap {

inline constexpr std::size_t kMaxNotifyGroups = 100;

struct NotifyEvents {
    bool message_new = false, message_expunge = false, flag_change = false;
    bool mailbox_name = false, subscription_change = false;
    bool mailbox_metadata_change = false, server_metadata_change = false;
    bool unknown = false;              // one that is not known, or not supported
    std::vector<FetchItem> new_items;  // of MessageNew: what to tell of new messages

    bool of_messages() const { return message_new || message_expunge || flag_change; }
    bool of_mailboxes() const {
        return mailbox_name || subscription_change || mailbox_metadata_change ||
               server_metadata_change;
    }
    // Those of both.
    void join(const NotifyEvents& other);
};
struct NotifyGroup {
    MailboxFilter filter;
    NotifyEvents events;
    bool is_selected() const { return filter.kind <= MailboxFilter::Kind::selected_delayed; }
};
struct NotifyArguments {
    bool status = false;              // tell at once how the mailboxes are
    std::vector<NotifyGroup> groups;  // none: NOTIFY NONE

    bool has_unknown() const;
};

// After the command's name. Errc::invalid also for what RFC 5465 5 forbids: MessageNew without
// MessageExpunge, flags without both, the selected mailbox twice.
Result<NotifyArguments> parse_notify(Parser& parser);

}  // namespace postern::imap
