// Changes: the records of a transaction in postern.log, written and read. A reader hands them to a
// ChangeSink; what it hands over is within its frame, but may be nonsense in any other way.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/mailbox/index_format.h"

namespace postern::mailbox {

struct UidRange {
    std::uint32_t first = 0, last = 0;  // inclusive
};
// Ascending UIDs as ranges.
std::vector<UidRange> to_ranges(std::span<const std::uint32_t> uids);

struct NewMessage {
    std::uint32_t uid = 0;
    std::uint8_t flags = 0;
    std::uint8_t place = 0;
    std::uint64_t keywords = 0;
    std::uint64_t modseq = 0;  // 0: the transaction's
    std::uint64_t wire_size = kUnknownSize;
    std::int64_t date = kUnknownDate;
    std::string_view name;
};
struct FlagChange {
    std::uint8_t add = 0, remove = 0;
    std::uint64_t add_keywords = 0, remove_keywords = 0;
};

class ChangeSink {
  public:
    virtual ~ChangeSink() = default;
    virtual void on_new(const NewMessage& message, std::uint64_t modseq) = 0;
    virtual void on_flags(const FlagChange& change, UidRange uids, std::uint64_t modseq) = 0;
    virtual void on_expunge(UidRange uids, std::uint64_t modseq) = 0;
    virtual void on_name(std::uint32_t uid, std::uint8_t place, std::string_view name) = 0;
    virtual void on_keyword(unsigned bit, std::string_view name) = 0;
    virtual void on_seen(const SeenState& seen) = 0;
    virtual void on_numbers(std::uint32_t next_uid, std::uint32_t first_recent) = 0;
};

class ChangeWriter {
  public:
    void add(const NewMessage& message);
    void flags(const FlagChange& change, std::span<const UidRange> uids);
    void expunge(std::span<const UidRange> uids);
    void name(std::uint32_t uid, std::uint8_t place, std::string_view name);
    void keyword(unsigned bit, std::string_view name);
    void seen(const SeenState& seen);
    void numbers(std::uint32_t next_uid, std::uint32_t first_recent);

    const std::string& payload() const { return payload_; }
    bool empty() const { return payload_.empty(); }
    // Is it news to clients, or only about files and directories?
    bool concerns_messages() const { return concerns_messages_; }

  private:
    template <class T>
    void put(const T& value);
    void put_ranges(std::span<const UidRange> uids);
    void put_text(std::string_view text);

    std::string payload_;
    bool concerns_messages_ = false;
};

// False: not understood to its end; what came before has been handed over.
bool read_changes(std::string_view payload, std::uint64_t modseq, ChangeSink& sink);

}  // namespace postern::mailbox
