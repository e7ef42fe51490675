// A user's .forward file: which of forward_path's candidates it is, whether it may be trusted, and
// what it says. Runs as the recipient only: the kernel decides what he may read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/lookup.h"
#include "lib/sys/fs.h"

#include "local/messages.h"

namespace postern::local {

// One thing that a .forward file asks for.
struct Destination {
    enum class Kind : std::uint8_t { own_mailbox, address, command, file };
    Kind kind = Kind::address;
    std::string text;  // the address, command or file
    Origin origin = Origin::forward;
};

// Who the recipient is, so that his own name in his file means his mailbox.
struct OwnNames {
    std::string user, local;           // without extension, and with it
    std::vector<std::string> domains;  // in which user@domain is he
    std::string myorigin;              // the domain of names without one
};

// The first of the candidates that exists, in whatever shape; nothing when there is none. A
// candidate about which the kernel cannot tell counts as existing: read_forward() will say.
std::optional<std::string> existing_forward(sys::Fs& fs,
                                            const std::vector<std::string>& candidates);

// What the file asks for, without repetitions, included files included. Empty when it asks for
// nothing or may not be trusted (not a regular file, somebody else's, writable for everybody; said
// in the log): then the mailbox it is. An Error: cannot tell now.
Result<std::vector<Destination>> read_forward(sys::Fs& fs, const std::string& path,
                                              const OwnNames& own);

// What a text says, file names of :include: not followed (they are in `includes`). Pure.
struct ForwardText {
    std::vector<Destination> destinations;
    std::vector<std::string> includes;
};
ForwardText parse_forward(std::string_view text, const OwnNames& own, Origin origin);

}  // namespace postern::local
