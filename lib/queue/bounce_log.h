// The defer/, bounce/ and trace/ logs: why recipients of a message were deferred, bounced or
// reported on, one small text file per queue id (doc/formats/bounce-log.md). `bounce` appends and
// reads them to write notifications; `showq` reads defer/ for its reasons. Pure: text in, records
// out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace postern::queue {

// A log that has reached this size takes no more records (the recipients stay queued).
inline constexpr std::size_t kMaxBounceLog = std::size_t{16} << 20;
// What a whole record ends with: its last line's end, and the empty line.
inline constexpr std::string_view kBounceRecordEnd = "\n\n";
// Longer values are cut.
inline constexpr std::size_t kMaxBounceValue = 2000;

// What became of one recipient.
struct BounceRecord {
    std::string address;          // as last rewritten
    std::string original;         // as received; empty when the same
    std::string orcpt;            // RFC 3461 ORCPT, "rfc822;a@b"; empty when not given
    std::string notify;           // RFC 3461 NOTIFY; empty when not given
    std::string action;           // RFC 3464 2.3.3: failed, delayed, delivered, relayed, expanded
    std::string status;           // RFC 3463 "5.1.1"
    std::string text;             // for people, one line
    std::string remote_mta;       // the host that said so; may be empty
    std::string diagnostic_type;  // "smtp" or "x-unix"; may be empty
    std::string diagnostic;       // that host's own words; may be empty

    bool operator==(const BounceRecord&) const = default;
};

// One record as it is appended: "name=value" lines and an empty line. Control bytes become '?'.
std::string format_bounce_record(const BounceRecord& record);

// The records of a whole log. Unknown names are ignored; an unfinished last record (the writer was
// cut short) is left out; records without an address are skipped. Never fails: a log is advice.
std::vector<BounceRecord> parse_bounce_log(std::string_view log, std::size_t max_records = 50'000);

}  // namespace postern::queue
