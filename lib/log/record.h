// Records: the compact form of what programs tell about a message, kept for mailtrace. Every log
// line that belongs to a queue or session id is one, with its fields; some facts are told here only
// (log::story). This is the form alone, pure; doc/formats/trace-records.md has every byte.
//
// Many processes append to one file, each record with one write(2). What may go wrong: a record
// that was cut by a full disk or a crash, a hole where old records were given back to the disk,
// another version's record. The reader skips those and says how much it skipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"

namespace postern::log {

// Below queue_directory; master makes and opens it.
inline constexpr const char* kRecordsFolder = "mailtrace";
inline constexpr const char* kRecordsName = "records";

inline constexpr std::size_t kMaxRecord = 8192;  // bytes, head and all
inline constexpr std::uint8_t kRecordVersion = 1;

struct Record {
    WallTime time{};
    std::uint32_t pid = 0;
    std::uint8_t level = 1;  // log::Level
    bool logged = true;      // false: told to the store only
    std::string program;     // the log tag, "postfix/smtpd"
    std::string id;          // queue id, session id, or "NOQUEUE"
    std::string text;
    std::vector<std::pair<std::string, std::string>> fields;

    std::string_view field(std::string_view key) const;  // "" where there is none
};

// Texts that are too long are cut, fields that do not fit any more are left out.
std::string encode(const Record& record);

// A program with a loop saves system calls: records of one turn go together. From now on they are
// kept until flush_records(), or 16 kB; on_first is called when the first one waits. A child of
// fork has none.
void gather_records(std::function<void()> on_first);
void flush_records();

// Walks through bytes of the file. Zeros (the hole) and what is no record are passed over.
class RecordScanner {
  public:
    // `more`: further bytes may follow these, so that a record without its end is left for them.
    RecordScanner(std::string_view bytes, bool more) : bytes_(bytes), more_(more) {}

    std::optional<Record> next();
    std::size_t consumed() const { return at_; }      // bytes that need not be shown again
    std::size_t skipped() const { return skipped_; }  // bytes that were neither record nor hole
    std::size_t foreign() const { return foreign_; }  // records of another version

  private:
    enum class Found : unsigned char { record, foreign, nothing, incomplete };
    Found look(Record& record);

    std::string_view bytes_;
    bool more_;
    bool after_hole_ = false;  // the hole begins in the middle of a record: its rest is no damage
    std::size_t at_ = 0, skipped_ = 0, foreign_ = 0;
};

}  // namespace postern::log
