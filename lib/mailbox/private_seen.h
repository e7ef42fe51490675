// PrivateSeen: which messages of a folder of others' one user has seen (shared folders, RFC 2342):
// \Seen is each user's own there, all other flags are the message's. A file of lines in the user's
// own Maildir, postern.seen/<namespace>.<UIDVALIDITY>, each line one change. Mod-sequences (RFC
// 7162) of such a view count both, the folder's transactions and these changes: each line says what
// the folder's mod-sequence was, so that both can be put into one order.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/changes.h"
#include "lib/mailbox/line_log.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

class PrivateSeen {
  public:
    PrivateSeen(sys::Fs& fs, std::string file);

    // Reads what is new: the messages whose state may have changed by it.
    Result<std::vector<UidRange>> refresh();
    // Marks messages (ascending UIDs) as seen, or not, durably. `folder_modseq`: the folder's now.
    Result<void> change(std::uint64_t folder_modseq, bool seen,
                        std::span<const std::uint32_t> uids);
    // Something else changed that is the user's own: the next mod-sequence is given, to nothing.
    Result<void> raise(std::uint64_t folder_modseq);

    bool is_seen(std::uint32_t uid) const { return mark_of(uid).seen; }
    // The mod-sequence of a message whose last change in the folder had this one.
    std::uint64_t modseq_of(std::uint32_t uid, std::uint64_t folder_modseq) const;
    // HIGHESTMODSEQ of a folder that is at this one.
    std::uint64_t highest(std::uint64_t folder_modseq) const {
        return folder_modseq + forgotten_ + changes_.size();
    }
    // The last one of the folder whose place in the common order is not above `modseq`.
    std::uint64_t folder_part(std::uint64_t modseq) const;

  private:
    struct Mark {
        bool seen = false;
        std::uint64_t modseq = 0;  // in the common order; 0: never changed
        bool operator==(const Mark&) const = default;
    };
    Mark mark_of(std::uint32_t uid) const;
    void assign(UidRange uids, Mark mark);
    void on_header(std::string_view header);
    void on_line(std::string_view line);
    std::uint64_t in_order(std::uint64_t folder_modseq) const;
    std::string whole() const;

    sys::Fs* fs_;
    std::string file_;
    LineLog log_;
    std::map<std::uint32_t, Mark> marks_;  // from this UID to the next one here
    std::uint64_t forgotten_ = 0;          // changes before the first of the file
    std::vector<std::uint64_t> changes_;   // the folder's mod-sequence at each, ascending
    bool damaged_ = false;
    bool exists_ = false;
    std::vector<UidRange> news_;
};

}  // namespace postern::mailbox
