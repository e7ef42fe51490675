// Making queue files: BatchBuilder for finished messages in memory, StreamWriter for a large one
// that goes to its own file as it arrives, extract() for qmgr, which moves a message out of a
// batch. Nothing here syncs: the caller does (cleanup: loop::FileSync; qmgr: in groups), and only
// then acknowledges. Until the end record is written a file does not count (reader.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/sys/fs.h"

#include "lib/queue/envelope.h"
#include "lib/queue/reader.h"

namespace postern::queue {

// One queue file as bytes.
class BatchBuilder {
  public:
    BatchBuilder();

    // `body` is the message's text in wire form (CRLF). Recipients that are done are left out.
    // Precondition: envelope.id is set, count() < kMaxBatch.
    void add(const Envelope& envelope, std::string_view body);

    static constexpr std::size_t kMaxBatch = 1024;
    std::size_t count() const { return count_; }
    std::size_t size() const { return bytes_.size() + envelopes_.size(); }

    // The whole file. Precondition: count() > 0.
    std::string finish() &&;
    // The same for a file that can be used again: filled up with zeros to size_when_reusable().
    std::string finish_reusable() &&;
    // Sizes are powers of two, so that a finished file fits many a later message; 0 when the file
    // would be larger than is worth it.
    std::size_t size_when_reusable() const;
    static constexpr std::size_t kLargestReusable = 256 << 10;

  private:
    struct Place {
        std::uint64_t body_offset, body_size, envelope_offset;  // envelope: relative to envelopes_
        std::uint32_t envelope_size, envelope_crc, body_crc;
    };

    std::string finish(std::size_t fill, std::uint16_t flags);
    std::size_t unfilled() const;

    std::string bytes_;  // header and bodies
    std::string envelopes_;
    std::vector<Place> places_;
    std::size_t count_ = 0;
};

// One message, written to its file as it arrives.
class StreamWriter {
  public:
    // Creates the file; fails when the name exists.
    static Result<StreamWriter> create(sys::Fs& fs, const std::string& path);

    Result<void> append(std::string_view body);
    std::uint64_t size() const { return size_; }
    int fd() const { return fd_.get(); }

    // Writes envelope and end record and gives up the descriptor, to be synced by the caller.
    Result<Fd> finish(const Envelope& envelope) &&;

  private:
    StreamWriter(sys::Fs& fs, Fd fd) : fs_(&fs), fd_(std::move(fd)) {}

    sys::Fs* fs_;
    Fd fd_;
    std::uint64_t size_ = 0;
    std::uint32_t crc_ = 0;
};

// Writes the message as a file of its own with `envelope`'s remaining recipients (the caller may
// have changed attributes) and checks the text against its checksum on the way. Not synced: sync
// the descriptor that is returned, then the directory, and only then mark the source done. On an
// error the new file is removed. A file of that name must not exist.
Result<Fd> extract(sys::Fs& fs, int source, const Message& message, const Envelope& envelope,
                   const std::string& path);

// Marks one recipient done, unsynced: after a crash a delivery may be repeated, never lost.
Result<void> mark_done(sys::Fs& fs, int fd, std::uint64_t status_offset);

}  // namespace postern::queue
