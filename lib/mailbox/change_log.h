// ChangeLog: postern.log, the truth for keywords, mod-sequences and flags on their way into file
// names: a header and transactions, each with a checksum that is its commit mark. Readers follow
// its tail without a lock. It grows, or is replaced by rename with a log that begins with the whole
// state; it is never changed in place.
#pragma once

#include <string>

#include "lib/base/fd.h"
#include "lib/base/result.h"
#include "lib/mailbox/changes.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

class ChangeLog {
  public:
    ChangeLog(sys::Fs& fs, const std::string& folder) : fs_(&fs), path_(folder + "/postern.log") {}
    // The log that replace() replaced last: kept to be read, for those who ask what was expunged.
    static ChangeLog previous(sys::Fs& fs, const std::string& folder) {
        ChangeLog log(fs, folder);
        log.path_ += ".old";
        return log;
    }
    void move_to(const std::string& folder) { path_ = folder + "/postern.log"; }

    // The reader's place: after the frames of `generation` up to `offset`, as a snapshot says.
    void resume(std::uint64_t generation, std::uint64_t offset);

    enum class Followed : unsigned char {
        nothing,
        news,      // transactions were handed over
        replaced,  // another log is there, or none that this reader was following: start again
        missing,   // no log, or not one that can be read
    };
    // Hands over what is new. After `replaced` the reader forgets everything and calls restart().
    Result<Followed> follow(ChangeSink& sink);
    // From the log's beginning.
    Result<Followed> restart(ChangeSink& sink);

    std::uint64_t generation() const { return generation_; }
    std::uint64_t offset() const { return offset_; }
    std::uint32_t validity() const { return validity_; }
    std::uint64_t modseq() const { return modseq_; }  // of the last transaction read
    // After restart(): of the first transaction, which is the whole state: nothing before is known.
    std::uint64_t first_modseq() const { return first_modseq_; }
    // Bytes behind the last good transaction. Under the lock that is damage: replace() the log.
    bool torn() const { return size_ > offset_; }

    // Under the folder's lock and after follow(). Does not hand the transaction to anybody; the
    // reader's place is after it.
    Result<void> append(const std::string& payload, std::uint64_t modseq, bool durable);
    // Under the lock: a new log that begins with this transaction, durable. The old one is kept
    // under another name, as far as that is possible.
    Result<void> replace(std::uint32_t validity, std::uint64_t generation,
                         const std::string& payload, std::uint64_t modseq);

  private:
    Result<bool> open();
    Result<Followed> read_tail(ChangeSink& sink);
    std::string frame(const std::string& payload, std::uint64_t modseq, std::uint64_t generation,
                      std::uint64_t offset) const;

    sys::Fs* fs_;
    std::string path_;
    Fd file_;
    std::uint64_t inode_ = 0;
    std::uint64_t generation_ = 0;
    std::uint64_t offset_ = 0;  // the reader's place
    std::uint64_t size_ = 0;    // of the file when it was last looked at
    std::uint64_t modseq_ = 0;
    std::uint64_t first_modseq_ = 0;
    std::uint32_t validity_ = 0;
};

// For the fuzzer and for follow(): the transactions at the front of `bytes`, which stand at
// `offset` of a log. How many bytes were good ones, and the last mod-sequence.
struct ReadFrames {
    std::uint64_t size = 0;
    std::uint64_t modseq = 0;
    std::uint64_t first_modseq = 0;
};
ReadFrames read_frames(std::string_view bytes, std::uint64_t generation, std::uint64_t offset,
                       ChangeSink& sink);

}  // namespace postern::mailbox
