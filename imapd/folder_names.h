// How a client writes the names of folders, and what the store calls them. On disk levels are
// separated by '.', and names are modified UTF-7. A client may see another separator, UTF-8
// (RFC 9051 5.1, RFC 6855 3), and the user's own folders below a name: "INBOX/Sent" for "Sent", as
// Dovecot's namespaces and Courier have it (RFC 2342). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::imapd {

struct FolderNames {
    char separator = '.';
    std::string prefix;  // of the user's own folders but INBOX, as on disk: "INBOX."; or empty
    std::vector<std::string> others;  // names, as on disk, below which nothing is the user's own

    // `prefix` as clients see it: "INBOX/", or "INBOX". Errc::invalid for one that no folder's name
    // can begin with.
    static Result<FolderNames> make(char separator, std::string_view prefix,
                                    std::vector<std::string> others);

    std::string shown_prefix() const;
    // What the client sees for a name of the store; in UTF-8 or modified UTF-7.
    std::string shown(const std::string& stored, bool utf8) const;
    // The store's name for what the client wrote, one that Store::canonical refuses where no folder
    // can have it. Nothing: it is to be UTF-8 and is not.
    std::optional<std::string> stored(const std::string& shown, bool utf8) const;

    // In between: as on disk, with the prefix. What is below what, a client says of these names.
    std::string full(std::string_view stored) const;
    std::optional<std::string> full_of_shown(const std::string& shown, bool utf8) const;

  private:
    bool is_of_others(std::string_view name) const;
    std::string without_prefix(const std::string& full) const;
    void swap_separators(std::string& name) const;
};

}  // namespace postern::imapd
