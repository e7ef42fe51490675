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
#include "lib/mailbox/metadata.h"

namespace postern::imapd {

struct Notifications {
    Notifications(mailbox::FolderWatch folder_watch, std::vector<imap::NotifyGroup> wanted)
        : watch(std::move(folder_watch)), groups(std::move(wanted)) {}

    // A name of LIST. Of selectable ones UIDVALIDITY, which tells a renamed one from a new one; 0
    // where it is not known.
    struct KnownFolder {
        bool selectable = false, has_children = false;
        std::uint32_t uid_validity = 0;
    };
    using Folders = std::map<std::string, KnownFolder>;

    mailbox::FolderWatch watch;
    std::vector<imap::NotifyGroup> groups;
    std::map<std::string, mailbox::MailboxStatus> known;  // mailboxes whose messages are asked for
    std::map<std::string, mailbox::Metadata> metadata;    // the same of their entries; "": server
    Folders folders;
    std::set<std::string> subscribed;
    std::map<std::string, std::string> renamed;  // of late, see NameChanges
    std::function<bool(const std::string& name)> is_personal;
    std::function<std::string(const std::string& name)> full_name;  // FolderNames::full

    // The events of a mailbox that is not selected: of all groups that cover it (RFC 5465 6).
    imap::NotifyEvents events_of(const std::string& name) const;
    // The group of the selected mailbox, or null.
    const imap::NotifyGroup* selected() const;
    bool wants_flags_of_selected() const;
    // Does it matter which mailboxes there are, and which are subscribed?
    bool follows_names() const;
    bool wants_server_metadata() const;
    bool has(const std::string& name) const;  // a selectable mailbox
    void forget(const std::string& name);
};

// What became of names between two looks.
struct NameChanges {
    std::set<std::string> affected;              // came, went, or lost or got a child
    std::map<std::string, std::string> renamed;  // to the name before; without those below them
};
// `earlier`: renames that were told before; what is below them may follow in another look.
NameChanges name_changes(const Notifications::Folders& before, const Notifications::Folders& now,
                         const std::map<std::string, std::string>& earlier);

}  // namespace postern::imapd
