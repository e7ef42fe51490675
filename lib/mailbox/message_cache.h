// MessageCache: postern.cache, summaries of messages. A header and entries, each with a checksum;
// appended to under the folder's lock, never changed in place. The index's rows
// say where entries are. Whatever is wrong with the file costs time only: it is written anew.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/folder_index.h"
#include "lib/mailbox/summary.h"
#include "lib/sys/mapped_file.h"

namespace postern::mailbox {

// postern.cache for reading: mapped, or, where others may cut it off under our hands, read piece by
// piece.
class CacheFile {
  public:
    CacheFile() = default;
    static Result<CacheFile> open(const FolderIndex& index);

    // The bytes from there on, of an entry all of them; a view that holds until the next call.
    std::string_view from(std::uint64_t offset);
    std::uint64_t size() const { return size_; }
    std::uint64_t inode() const { return inode_; }

  private:
    sys::Fs* fs_ = nullptr;
    sys::MappedFile map_;
    Fd file_;  // where nothing is mapped
    std::string piece_;
    std::uint64_t size_ = 0, inode_ = 0;
};

class MessageCache {
  public:
    explicit MessageCache(FolderIndex& index) : index_(index) {}

    // What is known of a row's message; views hold until the next call.
    std::optional<CachedMessage> find(std::size_t at);
    // Remembers; written by flush(), and now and then before.
    void add(std::size_t at, const Summary& summary, std::int64_t date);
    // Where it cannot be written, nothing is lost but time.
    Result<void> flush();

  private:
    bool ready();
    void look_again();
    Result<void> follow();
    Result<void> start_anew();

    FolderIndex& index_;
    bool opened_ = false;
    CacheFile file_;
    std::uint32_t misses_ = 0;  // since the last flush()
    std::string buffer_;
    std::vector<std::pair<Uid, std::size_t>> pending_;  // offsets in the buffer
};

// The entry at the front of bytes, for find() and the fuzzer: nothing when there is no good one.
struct ReadEntry {
    Uid uid = 0;
    std::size_t size = 0;
    CachedMessage message;
};
std::optional<ReadEntry> read_entry(std::string_view bytes);

}  // namespace postern::mailbox
