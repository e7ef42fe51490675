// The right-hand sides of aliases(5), virtual(5) and canonical(5): comma-separated addresses, with
// RFC 5322 quoting, comments and display names. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::table {

// "a, Joe <b@x>, \"c d\"@y (comment)" -> a, b@x, "c d"@y. Quotes stay (see unquote_local). A word
// of aliases(5) that is quoted as a whole ("|prog arg", "/a b") comes without its quotes. Empty
// parts vanish; white space outside quotes is dropped, except inside a command.
std::vector<std::string> split_addresses(std::string_view text);

// "\"c d\"@y" -> "c d@y": the form in which envelopes carry it inside Postern.
std::string unquote_local(std::string_view address);

}  // namespace postern::table
