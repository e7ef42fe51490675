// Reader: opens a queue file, believing nothing: every number is checked against the file's size,
// every block against its checksum. A damaged file gives an Error, never a crash and never half a
// message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/sys/fs.h"

#include "lib/queue/envelope.h"

namespace postern::queue {

namespace format {
struct IndexEntry;
}

struct Message {
    Envelope envelope;
    Extent body;
    std::uint32_t body_crc = 0;
};

class Reader {
  public:
    // Reads the end record and the index. `fd` is borrowed and must stay open.
    //   Errc::closed   not committed: no end record. It is being written, or its writer died;
    //   nobody
    //                  was told that it was accepted.
    //   Errc::corrupt  committed once, damaged since
    //   Errc::invalid  of another version
    static Result<Reader> open(sys::Fs& fs, int fd);

    Reader(Reader&&) noexcept;
    Reader& operator=(Reader&&) noexcept;
    ~Reader();

    std::size_t count() const;
    // Its writer wants to use the file again when it is finished (directories.h: spare_path_of).
    bool reusable() const { return reusable_; }
    // Reads and checks the envelope of the i-th message (its text is checked by verify_body).
    Result<Message> message(std::size_t i) const;
    Result<std::vector<Message>> messages() const;

  private:
    Reader(sys::Fs& fs, int fd);
    Result<std::string> bytes_at(std::uint64_t offset, std::size_t size) const;

    sys::Fs* fs_;
    int fd_;
    std::uint64_t file_size_ = 0;
    bool reusable_ = false;
    std::string tail_;  // the last part of the file, read at once: small files need one read
    std::vector<format::IndexEntry> index_;
};

// The id of the first message in a file, whose name it should have; errors as above.
Result<QueueId> first_message(sys::Fs& fs, int fd);

// Errc::corrupt when the text does not match its checksum. Reads all of it; for files found after a
// crash, not for those that cleanup has just announced.
Result<void> verify_body(sys::Fs& fs, int fd, const Message& message);

}  // namespace postern::queue
