// MboxInbox: an INBOX that is an mbox file, such as /var/mail/user. The file stays the truth, and
// is changed in place under the locks that other programs respect. Beside it, in the store's root,
// is a Maildir with the same messages, of which all that lib/mailbox can do is true; this class
// makes the two equal. pull(): what others did to the file reaches the Maildir. push(): what
// sessions did reaches the file too, with UIDs, flags and keywords as Dovecot and UW's programs
// write them. doc/decisions/mbox-inbox.md says why, and what survives what.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/folder_index.h"
#include "lib/mailbox/mailbox.h"
#include "lib/mailbox/mbox_file.h"
#include "lib/mailbox/mbox_lock.h"

namespace postern::mailbox {

class MboxInbox {
  public:
    MboxInbox(std::string file, LockRules rules)
        : file_(std::move(file)), rules_(std::move(rules)) {}

    const std::string& file() const { return file_; }

    // Cheap (one stat) when nobody touched the file. Who is patient waits for locks of others;
    // where they are not to be had, or the file is no mbox, the Maildir is shown as it was, and the
    // log is told. An error: the Maildir cannot be used.
    enum class Patience : unsigned char { none, some };
    Result<void> pull(const Environment& env, const std::string& folder, Patience patience);
    // When the Maildir is at this mod-sequence. What cannot be written now is written by a later
    // call, or session.
    Result<void> push(const Environment& env, const std::string& folder, std::uint64_t modseq);

  private:
    // How the file looked when we last made both equal.
    struct Stamp {
        std::uint64_t inode = 0, size = 0;
        std::int64_t mtime_ns = 0, ctime_ns = 0;
        bool operator==(const Stamp&) const = default;
    };
    // What the file said of a message then. Kept for as long as it has the message.
    struct Known {
        std::string hash;
        SystemFlags flags = 0;
        std::vector<std::string> keywords;
    };
    struct Record {
        std::uint32_t validity = 0;
        Stamp stamp;
        std::uint64_t pushed = 0;  // mod-sequence of the Maildir that the file shows
        std::uint64_t device = 0;  // of the file's folder; 0: not known
        std::map<Uid, Known> messages;
    };
    struct Work;
    struct Plan;

    Result<Stamp> look(sys::Fs& fs) const;
    Result<void> sync(const Environment& env, const std::string& folder,
                      std::optional<std::uint64_t> write_at, Patience patience);
    Result<void> check_mounted(const Work& work) const;
    Result<void> sync_locked(Work& work);
    Result<void> mend(Work& work);
    Result<void> read_file(Work& work);
    Result<void> adopt_numbers(Work& work);
    Result<void> read_unknown(Work& work);
    void match(Work& work);
    Result<void> expunge_gone(Work& work);
    Result<void> take_flags(Work& work);
    Uid adopted_last(const Work& work) const;
    Result<void> add_new(Work& work);
    Result<std::size_t> add_some(Work& work, std::span<const std::size_t> fresh, Uid last);
    Plan plan_file(const Work& work) const;
    static bool says(const MboxEntry& entry, const MboxFields& wanted);
    static Result<MboxMessage> message_of_row(const Work& work, const IndexRow& row,
                                              const std::string& base);
    Result<void> make_file(Work& work);
    Result<void> write_file(Work& work);
    static std::optional<Record> parse_record(std::string_view text);
    Result<void> load(sys::Fs& fs, const std::string& folder);
    Result<void> save(Work& work);

    std::string file_;
    LockRules rules_;
    Record record_;
    Fd record_file_;  // kept open, so that its inode number cannot be a successor's
    std::uint64_t record_inode_ = 0;
    bool told_ = false;  // the log, of a trouble that lasts
};

}  // namespace postern::mailbox
