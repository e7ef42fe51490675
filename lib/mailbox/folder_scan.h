// One look at new/ and cur/ of a folder: which files are
// there, and whether the directories may
// have changed while or since we looked. A directory read while others rename can miss a file, so
// callers look again before they believe that one is gone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

struct FoundFile {
    std::string name;  // without directory
    bool in_new = false;
};

// When the two directories changed last.
struct DirectoryState {
    std::int64_t new_mtime = -1;
    std::int64_t cur_mtime = -1;
    std::uint64_t cur_inode = 0;
    // A change so young that another one in the same clock tick could follow unseen.
    bool young = true;
    bool same_times(const DirectoryState& other) const {
        return new_mtime == other.new_mtime && cur_mtime == other.cur_mtime &&
               cur_inode == other.cur_inode;
    }
};

struct FolderScan {
    std::vector<FoundFile> files;  // one per base name
    DirectoryState state;          // taken before the directories were read
    bool stable = false;           // nothing changed meanwhile: what is not in files is not there
};

Result<DirectoryState> directory_state(sys::Fs& fs, const Clock& clock, const std::string& folder);

// Errc::not_found: the folder is gone. A base name that is in both directories counts as one
// message (the file in cur/).
Result<FolderScan> scan_folder(sys::Fs& fs, const Clock& clock, const std::string& folder);

}  // namespace postern::mailbox
