// ExpungedFiles: the files of many messages expunged at once, on their way out of a folder. Removing
// a file frees its blocks, which takes the file system several times as long as renaming it; so who
// expunges many renames them into postern.expunged/, where nobody sees messages, and the session
// removes them when its client is silent. What a crash leaves there goes with the next session that
// has the folder open to write.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/folder_index.h"

namespace postern::mailbox {

class ExpungedFiles {
  public:
    explicit ExpungedFiles(const FolderIndex& index) : index_(index) {}

    // Under the folder's lock, before take(): can files wait? Not on a full disk, or without rights.
    bool make_room();
    // Takes a message away, under the same lock. Errc::not_found: its file has another name by now.
    Result<void> take(const IndexRow& row, bool may_wait);

    // Removes some of those that wait: at most `limit`. True when there is more to do.
    Result<bool> remove_some(std::size_t limit);
    bool are_waiting() const { return !names_.empty(); }
    void look_again() { looked_ = false; }  // others may have left some since

  private:
    std::string directory() const;
    bool is_directory() const;
    Result<void> look();
    void remove_directory();

    const FolderIndex& index_;
    bool looked_ = false;  // for what others left
    bool there_ = false;   // the directory
    std::vector<std::string> names_;
};

}  // namespace postern::mailbox
