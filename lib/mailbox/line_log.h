// LineLog: an append-only text file of lines under a header line, the shape of postern.uids and
// postern.log. Readers follow its tail without a lock; writers hold the folder's lock. A file is
// never changed in place: it grows, or is replaced by rename.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

class LineLog {
  public:
    static constexpr std::uint64_t kMaxSize = std::uint64_t{256} << 20;  // millions of lines
    // A file longer than that is damage: it may be somebody else's.
    LineLog(sys::Fs& fs, std::string path, std::uint64_t max_size = kMaxSize)
        : fs_(&fs), path_(std::move(path)), max_size_(max_size) {}

    void move_to(std::string path) { path_ = std::move(path); }  // the file was renamed

    struct Reader {
        std::function<void(std::string_view header)>
            on_header;  // a file that we had not seen: forget all
        std::function<void(std::string_view line)> on_line;
    };
    // Reads what is new since the last call: false when there is no file.
    Result<bool> refresh(const Reader& reader);

    // For writers, under the lock and after refresh(). `durable`: synced when it returns. A tail
    // that a crash cut off must be repaired by replace() first: see torn().
    Result<void> append(std::string_view lines, bool durable);
    // Replaces the file by header and lines, durably; the next refresh() reads it from the start.
    Result<void> replace(std::string_view content);

    bool torn() const { return torn_; }  // the last refresh() found bytes without a line end
    // Would refresh() find something? Does not read.
    bool stale() const;

  private:
    sys::Fs* fs_;
    std::string path_;
    std::uint64_t max_size_;
    Fd file_;  // kept open, so that the inode number cannot be given to a successor
    std::uint64_t inode_ = 0;
    std::uint64_t offset_ = 0;  // end of the last whole line read
    std::uint64_t known_size_ = 0;
    bool torn_ = false;
    bool header_seen_ = false;
};

}  // namespace postern::mailbox
