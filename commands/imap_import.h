// `postern mailbox import --imap`: all folders of an account on another IMAP server come into a
// mailbox. Folders that are new here keep UIDVALIDITY and UIDs; into others messages come with new
// UIDs. A file postern.imported in each folder says how far it went, so that doing it again, after
// a failure or before the other server is left for good, fetches what is new.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/imap_source.h"
#include "lib/mailbox/store.h"
#include "lib/mailbox/transfer.h"

namespace postern::commands {

struct ImapImported : mailbox::Imported {
    std::size_t withheld = 0;  // which the server did not give
};

// `origin`: "fred@imap.example", under which it is noted what has been fetched. `say`: a line about
// each folder.
Result<ImapImported> import_imap(mailbox::Store& store, ImapSource& source,
                                 const std::string& origin,
                                 const std::function<void(const std::string&)>& say);

// The name that a folder of the other server gets here, where "." separates levels: without the
// prefix of personal folders there ("INBOX."), levels cut at its separator. Empty: it cannot be
// had.
std::string local_folder_name(std::string_view name, std::string_view prefix,
                              std::string_view separator);

}  // namespace postern::commands
