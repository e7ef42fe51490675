// Plain file helpers for what needs no durability seam: configuration, tables, pid files, locks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/result.h"

namespace postern::sys {

// The whole file. Errc::invalid when it is longer than max_bytes or not a regular file.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

// Replaces the file in one step: temporary file beside it, fsync, rename, fsync of the directory.
// Keeps mode and owner of a file that is there; otherwise `mode`.
Result<void> replace_file(const std::string& path, std::string_view contents, mode_t mode = 0644);

// Opens (creating if needed) and locks a file exclusively (flock); released when the Fd closes.
// Errc::timeout when somebody else holds it until the deadline; Deadline::in(0) tries once.
Result<Fd> lock_file(const std::string& path, const Deadline& deadline, mode_t mode = 0600);

// Locks an open file (flock) without waiting: false when somebody else holds a lock that conflicts. The
// lock belongs to the open file, so it lasts while any process holds a descriptor made from this one.
enum class LockKind : unsigned char { shared, exclusive };
Result<bool> try_lock(int fd, LockKind kind);
// Ends the lock; the file stays open.
void unlock(int fd);

struct Pipe {
    Fd reading, writing;  // both non-blocking
};
Result<Pipe> make_pipe();

// Writes everything to a non-blocking pipe or socket. Errc::timeout at the deadline, Errc::closed when
// the reader is gone (the process must ignore SIGPIPE, as every daemon does).
Result<void> write_all(int fd, std::string_view bytes, const Deadline& deadline);

// A wish: the first `size` bytes of the file will be read soon, and can be got meanwhile.
void expect_reading(int fd, std::size_t size);
// Grows whenever this process had to get something from a disk.
std::uint64_t blocks_from_disk();

Result<void> set_nonblocking(int fd, bool on = true);
Result<void> set_close_on_exec(int fd, bool on = true);

// Raises the soft limit of open descriptors to the hard one; the limit now in force.
Result<std::size_t> raise_descriptor_limit();

}  // namespace postern::sys
