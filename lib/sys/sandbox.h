// The sandbox: what a program may still do after it has opened what it needs, in the vocabulary of
// pledge(2) and unveil(2) because it can be read aloud. Layers: no_new_privs, resource limits,
// landlock. Seccomp filters from the same promises are a later step: a Promise already says what they will allow.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::sys {

enum class Promise : std::uint16_t {
    stdio = 1 << 0,          // descriptors it holds
    read_files = 1 << 1,     // open for reading, within the path rules
    write_files = 1 << 2,    // create, write, rename, unlink, within the path rules
    unix_sockets = 1 << 3,   // connect to other daemons
    inet_accepted = 1 << 4,  // talk on accepted network connections
    inet_connect = 1 << 5,   // open network connections
    dns = 1 << 6,            // ask name servers
    receive_fd = 1 << 7,     // take descriptors from other daemons
    fork = 1 << 8,           // make worker processes
    set_id = 1 << 9,         // change to a user's uid
    exec = 1 << 10,          // run other programs
};
using Promises = std::uint16_t;
constexpr Promises operator|(Promise a, Promise b) {
    return static_cast<Promises>(static_cast<Promises>(a) | static_cast<Promises>(b));
}
constexpr Promises operator|(Promises a, Promise b) { return static_cast<Promises>(a | static_cast<Promises>(b)); }
constexpr bool has(Promises set, Promise one) { return (set & static_cast<Promises>(one)) != 0; }

// What may be done below a path. A path that does not exist is left out: nothing below it is reachable.
struct PathRule {
    // list: directories are read, and no file; write: read too, create, remove, rename.
    enum class Access : unsigned char { read, write, list };
    std::string path;
    Access access = Access::read;
    // What stands there (O_PATH), by who does not want what somebody else's link there leads to.
    std::shared_ptr<const Fd> opened = nullptr;
};

// What restrict() could really do on this kernel.
struct Restriction {
    bool landlock = false;
    std::string note;  // why not, for the log, once
};

// Gives up everything else for good, for this process and all that it starts. Descriptors that are
// open already stay usable. Where the kernel has no landlock the rest still applies and `note` says so.
Result<Restriction> restrict(Promises promises, const std::vector<PathRule>& paths);

// Only no_new_privs and "no core files": for programs that still have to change their uid.
Result<void> restrict_early();

}  // namespace postern::sys
