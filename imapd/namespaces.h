// Which folders of others a session gets (doc/decisions/shared-folders.md): public trees that the
// configuration names, and folders of users who share them. In three steps, as the process loses
// its rights: what must be asked before it is the user, what the user can read, what the sandbox
// must leave open.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/ipc/messages/auth.h"
#include "lib/mailbox/shared_dict.h"
#include "lib/mailbox/store.h"
#include "lib/sys/sandbox.h"

namespace postern::imapd {

struct SharingOptions {
    std::vector<std::string> public_folders;  // "Public=/srv/mail/public"
    std::string dict;                         // mailbox_shared_dict; empty: users share nothing
    std::string users_prefix = "Other";       // mailbox_shared_prefix
    std::string auth_path = "private/postern-auth";
};

// "Public=/srv/mail/public". Errc::invalid for a name that cannot be one, or a path that is
// relative.
Result<mailbox::Mount> parse_public_folder(std::string_view text);
// The level of a user in the namespace of users: "." is the separator and becomes "^".
std::string level_of_user(std::string_view user);

class Sharing {
  public:
    explicit Sharing(SharingOptions options);

    // As the service. Reads who shares with the user and asks auth where their mailboxes are; the
    // groups that the process shall have: those of the user that public trees belong to.
    std::vector<gid_t> prepare(const ipc::Grant& grant);
    // As the user: adds to the store what its lists let him see.
    void mount(mailbox::Store& store) const;
    // What the sandbox must leave open, after mount().
    std::vector<sys::PathRule> paths(const mailbox::Store& store) const;

    // Was it to be found out who shares? If not, folders that are not mounted may be there.
    bool knows_all() const { return knows_all_; }
    const mailbox::Person& person() const { return person_; }
    const mailbox::SharedDict* dict() const { return dict_ ? &*dict_ : nullptr; }

  private:
    std::vector<gid_t> join_groups(const ipc::Grant& grant);
    std::vector<gid_t> groups_of_trees() const;
    Result<void> find_owners();

    SharingOptions options_;
    std::vector<mailbox::Mount> public_;
    std::optional<mailbox::SharedDict> dict_;
    mailbox::Person person_;
    std::vector<mailbox::Mount> owners_;  // their folders are not known yet
    bool knows_all_ = true;
};

}  // namespace postern::imapd
