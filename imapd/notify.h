// What a session that has said NOTIFY SET (RFC 5465) keeps: what its client wants to hear, and how
// the mailboxes were when it last heard. A session that has not has none of this.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lib/imap/notify_arguments.h"
#include "lib/mailbox/folder_watch.h"
#include "lib/mailbox/mailbox.h"

namespace postern::imapd {

struct Notifications {
    Notifications(mailbox::FolderWatch folder_watch, std::vector<imap::NotifyGroup> wanted)
        : watch(std::move(folder_watch)), groups(std::move(wanted)) {}

    mailbox::FolderWatch watch;
    std::vector<imap::NotifyGroup> groups;
    std::map<std::string, mailbox::MailboxStatus> known;  // mailboxes whose messages are asked for
    std::set<std::string> folders;
    std::set<std::string> subscribed;
    std::function<bool(const std::string& name)> is_personal;
    std::function<std::string(const std::string& name)> full_name;  // FolderNames::full

    // The events of a mailbox that is not selected: of the first group that covers it (RFC 5465 6).
    const imap::NotifyEvents* events_of(const std::string& name) const;
    // The group of the selected mailbox, or null.
    const imap::NotifyGroup* selected() const;
    bool wants_names() const;
};

}  // namespace postern::imapd
