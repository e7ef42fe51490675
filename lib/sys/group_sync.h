// Making several files durable at once. Each fsync(2) ends with a flush of the disk's own cache, which is
// what it costs (2 to 4 ms where 64 files need 0.3 s); one syncfs(2) for all of them flushes once. It also
// waits for what other programs have written to that file system, so it has to pay: from kWholeFrom on.
// Where the files are on several file systems, that is asked of each. doc/decisions/group-sync.md has
// the figures. syncfs reports write errors since Linux 5.8.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lib/sys/fs.h"

namespace postern::sys {

constexpr std::size_t kWholeFrom = 4;

// Contents of all files. One result per file.
std::vector<Result<void>> sync_files(Fs& fs, std::span<const int> files);

// Names in all directories. One result per directory.
std::vector<Result<void>> sync_directories(Fs& fs, std::span<const std::string> directories);

}  // namespace postern::sys
