// The queue's directories, relative to queue_directory, and the paths of files in them.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::queue {

enum class Directory : unsigned char {
    maildrop,
    incoming,
    active,
    deferred,
    hold,
    corrupt,
    bounce,
    defer,
    trace
};

inline constexpr std::array<Directory, 9> kAllDirectories = {
    Directory::maildrop, Directory::incoming, Directory::active,
    Directory::deferred, Directory::hold,     Directory::corrupt,
    Directory::bounce,   Directory::defer,    Directory::trace};

// Logs of which messages wait for a site that may have them delivered by ETRN; qmgr's.
inline constexpr std::string_view kSiteLogs = "flush";
// Where finished queue files go with dont_remove; nobody reads them but people.
inline constexpr std::string_view kSaved = "saved";

std::string_view name_of(Directory directory);

// Whether it has a subdirectory per last character of the id.
bool is_split(Directory directory);
// "incoming/4Xy…", "deferred/k/4Xy…k": deferred, defer, bounce and trace have a subdirectory per
// last character of the id (the first ones are all alike in ids that begin with the time).
std::string path_of(Directory directory, const QueueId& id);
// The directory that path_of() puts the file into: what to sync after creating it.
std::string parent_of(Directory directory, const QueueId& id);

// "incoming/4Xy….done": where qmgr leaves a finished file whose writer wants to use it again
// (Reader::reusable). Who writes over old bytes spares the file system the work of making and
// removing files; doc/decisions/reused-files.md says why nothing can be lost or mixed up by it.
std::string spare_path_of(const QueueId& id);
// The id in the name of such a file.
std::optional<QueueId> spare_id(std::string_view name);

// Makes what is missing, subdirectories on demand later. Modes as Postfix's: 0700, maildrop 0730.
Result<void> create_all(sys::Fs& fs);
// Makes parent_of() where it is missing.
Result<void> create_parent(sys::Fs& fs, Directory directory, const QueueId& id);

// Opens what is there, O_RDONLY or O_RDWR, and never waits. Errc::invalid when it is no plain file
// (a link, a FIFO): whatever stands under that name was not put there by this system.
Result<Fd> open_plain_file(sys::Fs& fs, const std::string& path, int access);
// The same for a queue file, which must be ours or root's too. Root itself may read anybody's.
Result<Fd> open_queue_file(sys::Fs& fs, const std::string& path, int access);
// Whether the path still leads to this open file. Who has just got a file's lock asks: whoever had
// it before may have moved or removed the file since it was opened.
bool leads_to(sys::Fs& fs, const std::string& path, int fd);

}  // namespace postern::queue
