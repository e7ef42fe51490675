// The name of a message file: "base:2,FLAGS". The base never changes and identifies the message; it
// may carry sizes ("...,S=1234,W=1260"). Letters of FLAGS that we do not know are kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/mailbox/flags.h"

namespace postern::mailbox {

struct MessageName {
    std::string_view base;
    std::string_view info;  // from the ':' on; may be empty

    static MessageName parse(std::string_view file_name);
};

// The flags that an info part (":2,FS") expresses; bit 0 of keywords is P.
Flags flags_of_info(std::string_view info);

// The info part for these flags, letters in ASCII order as Maildir wants; letters of old_info that
// are no flags of ours (a to z: other programs' keywords) stay. ":2," when there is no flag.
std::string info_of_flags(const Flags& flags, std::string_view old_info);

// The number behind ",S=" (key 'S') or ",W=" (key 'W') in a base.
std::optional<std::uint64_t> size_in_name(std::string_view base, char key);

// EMAILID (RFC 8474 5.1): made from the name, or behind ",I=" where the message is a copy.
std::string email_id_of(std::string_view base);

// SAVEDATE (RFC 8514) in seconds: the time in front of the name, when the file was made; queued
// mail has there when it came to the host, and its INTERNALDATE says when it was delivered.
std::int64_t save_date_of(std::string_view base, std::int64_t internal_date);

// May a directory entry be a message? Not hidden, no control characters (a name becomes a line of
// postern.uids), not absurdly long. What a file tells to be one (postern.log) and is no name of a
// directory's at all, having a '/', is none either.
bool is_message_name(std::string_view file_name);

}  // namespace postern::mailbox
