// LIST and LSUB: which names match, with their attributes (RFC 3501 6.3.8, RFC 5258, RFC 6154).
// Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "imapd/folder_names.h"
#include "lib/imap/list_arguments.h"
#include "lib/mailbox/store.h"

namespace postern::imapd {

struct Listed {
    std::string name;        // as it is shown
    std::string attributes;  // "(\HasNoChildren)"
    std::string extended;    // " (\"CHILDINFO\" (\"SUBSCRIBED\"))", or empty
    bool selectable = false;  // and selected by the options, not listed for what is below it
    std::string stored;  // as the Store has it
};

// What a LIST looks at.
struct Listing {
    std::vector<mailbox::Folder> folders;
    std::vector<std::string> subscribed;  // sorted
    mailbox::Store::SpecialUses special_uses;
    FolderNames names;
    bool utf8 = false;  // names are shown in UTF-8, patterns are in it (RFC 9051)
};
std::vector<Listed> list_folders(const Listing& listing, const imap::ListArguments& arguments);
// RFC 3501 6.3.9: a parent of a match is given as \Noselect where "%" stops above the subscribed
// name.
std::vector<Listed> list_subscriptions(const Listing& listing, std::string_view reference,
                                       std::string_view pattern);
// "* LIST (\Noselect) "." name"
std::string list_line(std::string_view verb, char separator, const Listed& listed);

// The attributes that a folder may be given with CREATE (RFC 6154 3), in their proper case; nothing
// for one that cannot be: \All and \Flagged would be views on other folders.
std::optional<std::string> special_use_of(std::string_view attribute);
// What a folder was given, or what its name tells where no folder was given it.
std::vector<std::string> uses_of(const mailbox::Store::SpecialUses& given, const std::string& name);

}  // namespace postern::imapd
