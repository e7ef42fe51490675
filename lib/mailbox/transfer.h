// Whole mailboxes come and go: from mbox files and Maildirs of other servers, with their UIDs where
// the folder is new here, and back to Dovecot. For `postern mailbox`.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/mailbox/store.h"

namespace postern::mailbox {

// The number of messages taken in: all, or none where something fails. The folder is made where it
// is missing.
Result<std::size_t> import_mbox(Store& store, std::string_view folder, const std::string& file);

struct Imported {
    std::size_t folders = 0;
    std::size_t messages = 0;
    std::size_t renumbered = 0;  // of those: into folders that had mail already, with new UIDs
    std::size_t present = 0;     // more, which an earlier import had brought
};
// Copies a Maildir++ store of Dovecot, Courier, Postern or another program; nothing in it changes.
// Messages keep the names of their files, by which those are known that are here: where it was
// interrupted it goes on.
Result<Imported> import_maildir(Store& store, const std::string& source);

// Each message as a part of an mbox goes to `write`.
Result<std::size_t> export_mbox(const Store& store, std::string_view folder,
                                const std::function<Result<void>(std::string_view)>& write);

// Writes dovecot-uidlist and dovecot-keywords of each folder, subscriptions, and flags and keywords
// into the names of files: Dovecot, pointed at the Maildir, goes on with it. No session may change
// the mailbox meanwhile.
Result<std::size_t> export_for_dovecot(const Store& store);

}  // namespace postern::mailbox
