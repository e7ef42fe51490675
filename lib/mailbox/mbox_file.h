// An mbox file that stays one: what is in it, and changing it in place, so that the locks that
// other programs hold on the file stay right (a new file under the same name would have none). A
// journal beside our own files makes that survive a power cut: it is whole before the first byte of
// the file changes, and whoever comes next does again what it says. Callers hold the file's locks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/mbox_text.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

struct MboxEntry {
    std::uint64_t offset = 0, size = 0;
    std::size_t header_size = 0;  // with "From " line and empty line
    std::string hash;             // 32 hexadecimal digits: see mbox_hash()
    MboxFields fields;
    std::int64_t date = 0;
    bool internal = false;
};

// The same for a message whatever is said about it in Status and its like; of the text as
// MboxMessage has it.
std::string mbox_hash(std::string_view text);

inline constexpr std::uint64_t kLargestMboxMessage = 512U << 20;

// All messages, from the first byte on. Errc::corrupt: not an mbox. `each` gets every message with
// its entry (not internal ones); may be empty.
using MboxVisit = std::function<Result<void>(const MboxEntry&, const MboxMessage&)>;
Result<std::vector<MboxEntry>> read_mbox(sys::Fs& fs, int fd, const MboxVisit& each = {});
// One of them.
Result<MboxMessage> read_mbox_message(sys::Fs& fs, int fd, const MboxEntry& entry);

// What shall become of one entry.
struct MboxEdit {
    bool remove = false;
    std::string header;  // instead of the one it has; empty: stays
};
// New messages, each as a part of an mbox, asked for one at a time.
using MboxAdditions = std::vector<std::function<Result<std::string>()>>;

// Changes the file. `edits`: as many as entries. Durable when it returns. After an error the file
// is as it was, or the journal is there and recover_mbox() will bring it to its end.
Result<void> rewrite_mbox(sys::Fs& fs, int fd, const std::string& journal,
                          const std::vector<MboxEntry>& entries, const std::vector<MboxEdit>& edits,
                          const MboxAdditions& additions);

enum class MboxRecovery : unsigned char {
    none,      // there was no journal
    done,      // the file is now as the journal says, with what was added to it since
    given_up,  // somebody else has rewritten the file since: nothing was changed
};
Result<MboxRecovery> recover_mbox(sys::Fs& fs, int fd, const std::string& journal);

}  // namespace postern::mailbox
