// Mailbox: one folder. View: a stable snapshot of it, with the sequence numbers that one IMAP or
// POP3 session sees; it changes in sync() only, so RFC 3501 7.4.1 is a rule of the type. Truth: the
// files (and their names for the six Maildir flags), postern.uids for UIDs, postern.log for
// keywords and what is on its way into names (doc/formats/mailbox.md). Any number of processes may
// work on a mailbox at once, foreign programs included; readers take no lock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/mailbox/flags.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/mailbox/quota.h"
#include "lib/mailbox/summary.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

using Uid = std::uint32_t;  // 1..; 0 is "none"

class MboxInbox;
struct PrivatePlace;

// Of a message that cannot be read: is it that message's trouble only? It is gone, compressed in a
// way that we do not know, or somebody else's file.
inline bool is_only_its_own(const Error& error) {
    return error.code == Errc::not_found || error.code == Errc::permanent ||
           error.code == Errc::denied;
}

// What the classes here need from outside: the seams and the root of the user's store.
struct Environment {
    std::string root;
    sys::Fs* fs = nullptr;
    const Clock* clock = nullptr;
    Random* random = nullptr;
    std::string host = "localhost";                // ends the names of message files
    std::shared_ptr<const Quota> quota = nullptr;  // null: nobody counts
    std::shared_ptr<MboxInbox> mbox = nullptr;     // the folder shows an mbox file
    // Of a folder of others': where the user's own part of it is, \Seen above all.
    std::shared_ptr<const PrivatePlace> private_place = nullptr;
    // What fs points to, and what that stands on, where nobody else has them.
    std::vector<std::shared_ptr<sys::Fs>> layers = {};
    bool is_shared = false;  // others may change the files under our hands

    // Others may write in the tree: its files are reached in this way (lib/sys/beneath_fs.h).
    void use_shared_fs(std::shared_ptr<sys::Fs> shared);
    // From now on new files are for those whom the mode of a directory names.
    void use_group_fs(mode_t mode);
};

// One message of a View.
struct Message {
    Uid uid = 0;
    Flags flags;
    bool recent = false;
    std::uint64_t modseq = 0;  // of the last change of its flags (RFC 7162)
};

// What sync() found. Sequence numbers begin at 1.
struct Changes {
    // In the order in which to announce them: each number is right after the ones before it were
    // removed.
    std::vector<std::uint32_t> expunged;
    std::vector<Uid> expunged_uids;  // the same messages
    std::vector<std::uint32_t>
        changed;  // flags changed, by the numbering after expunges; not those of our own store()
    std::uint32_t added = 0;    // new messages at the end
    bool new_keywords = false;  // keywords() grew
    bool any() const { return !expunged.empty() || !changed.empty() || added > 0 || new_keywords; }
};

// What a session must remember of its view to go on with it later, in another process (resume()).
struct ViewState {
    std::uint32_t uid_validity = 0;
    std::uint64_t modseq = 0;
    std::uint32_t count = 0;
    Uid next_uid = 1;
    std::uint32_t keywords = 0;  // how many there were
    std::vector<Uid> recent;
};

enum class Access : unsigned char { read_write, read_only };  // SELECT, EXAMINE
// Whether sync() may renumber: not during FETCH, STORE, SEARCH (RFC 3501 7.4.1).
enum class Expunges : unsigned char { report, hold };
enum class StoreMode : unsigned char { replace, add, remove };

struct MailboxStatus {
    std::uint32_t messages = 0;
    std::uint32_t recent = 0;
    std::uint32_t unseen = 0;
    Uid next_uid = 1;
    std::uint32_t uid_validity = 0;
    std::uint64_t highest_modseq = 0;
    std::string id;  // MAILBOXID
    // Only with `detailed`, since every message is looked at.
    std::uint32_t deleted = 0;
    std::uint64_t deleted_size = 0;  // of those
    std::uint64_t size = 0;          // of all messages with CRLF line ends
};

// One message of an APPEND. `keywords` are names; those beyond the mailbox's capacity are dropped.
struct AppendMessage {
    std::function<Result<void>(MessageWriter&)> content;
    SystemFlags flags = 0;
    std::vector<std::string> keywords;
    std::int64_t date = 0;  // INTERNALDATE, seconds; 0: now
    Uid uid = 0;  // the one it shall have, if it is free and above all others; 0: the next
    // The unique part of its file's name, where another store had it under that; empty: a new one.
    std::string stem = {};
};

struct Appended {
    std::uint32_t uid_validity = 0;
    std::vector<Uid> uids;  // in the order of the messages
};

// What postern.cache keeps of a message: see summary.h.
struct CachedMessage {
    std::uint64_t wire_size = 0;
    std::int64_t date = 0;  // INTERNALDATE
    std::string_view envelope, structure, header, omitted;
};

class View;

class Mailbox {
  public:
    Mailbox(Environment env, std::string path) : env_(std::move(env)), path_(std::move(path)) {}

    // A snapshot. Access::read_write takes new messages over from new/ (they are recent here and
    // only here).
    Result<std::unique_ptr<View>> open(Access access) const;
    // The same for who has just had a view, of this folder or of another one, which ends with it:
    // of this one, what it knows need not be read again. `before` may be null.
    Result<std::unique_ptr<View>> open_after(std::unique_ptr<View> before, Access access) const;

    // STATUS without taking recent messages away from anybody.
    Result<MailboxStatus> status(bool detailed = false) const;

    // Gives a folder that has no list of UIDs yet the UIDVALIDITY of another server; false: it has
    // one.
    Result<bool> begin_numbers(std::uint32_t uid_validity) const;

    // From now on UIDs are not below this one: those that another server gave, and took back, are
    // not given again.
    Result<void> raise_next_uid(Uid next) const;

    // Something changed that is no message's: RFC 7162 3.2 wants a new mod-sequence.
    Result<void> raise_modseq() const;
    // The same of what only this user sees of a folder of others'.
    Result<void> raise_private_modseq() const;

    // UIDVALIDITY as the file of UIDs says, which is all that is read; 0 where there is none.
    std::uint32_t known_uid_validity() const;
    // The same; where there is none, the messages get UIDs now.
    Result<std::uint32_t> uid_validity() const;

    // Adds messages, all or none, durable when it returns. Content is streamed to tmp/.
    Result<Appended> append(std::span<const AppendMessage> messages) const;

    // An inotify descriptor that becomes readable when new/ or cur/ change (for IDLE, with poll()).
    // Empty it with drain_watch() before the next wait.
    Result<Fd> watch() const;
    static void drain_watch(int fd);

    const std::string& path() const { return path_; }
    const Environment& environment() const { return env_; }

  private:
    Environment env_;
    std::string path_;
};

// What View::copy takes along.
struct CopyTerms {
    bool moving = false;  // they will be expunged where they were: no matter for that quota
    SystemFlags flags = kAllSystemFlags;
    bool keywords = true;
};

// Sequence numbers in this class are RFC 3501's: 1..count().
class View {
  public:
    virtual ~View() = default;

    virtual std::uint32_t count() const = 0;
    virtual Message message(std::uint32_t seq) const = 0;  // precondition: 1 <= seq <= count()
    virtual std::uint32_t recent() const = 0;
    virtual std::uint32_t unseen() const = 0;
    virtual std::uint32_t first_unseen() const = 0;  // sequence number, or 0
    virtual std::uint32_t uid_validity() const = 0;
    virtual Uid next_uid() const = 0;
    virtual const std::vector<std::string>& keywords() const = 0;  // index = bit of KeywordBits
    virtual bool read_only() const = 0;
    virtual std::uint64_t highest_modseq() const = 0;  // RFC 7162 3.1.2
    // Up to which a client that was told of all changes has heard of everything: lower while
    // expunges are held, or changes wait for the next sync() (RFC 7162 3.2).
    virtual std::uint64_t told_modseq() const = 0;
    // UIDs expunged after that, ascending, without those that still have a number here. Nothing:
    // it is not remembered (RFC 7162 3.2.5.1).
    virtual Result<std::optional<std::vector<Uid>>> expunged_since(std::uint64_t modseq) = 0;

    // Precondition: sync(Expunges::report) was the last call.
    virtual ViewState state() const = 0;
    // Of a view that has just been opened, in the place of one that had this state: what happened
    // since. Nothing: it cannot be told, for the folder is another one, or expunges are forgotten.
    virtual Result<std::optional<Changes>> resume(const ViewState& old) = 0;

    // The sequence number of the message with this UID, or 0.
    virtual std::uint32_t seq_of(Uid uid) const = 0;
    // The first message whose UID is at least `uid`, or count() + 1.
    virtual std::uint32_t seq_at_or_after(Uid uid) const = 0;

    // For another SELECT: becomes what Mailbox::open() would return. False: it cannot, and is of no
    // more use.
    virtual bool begin_again(const Mailbox& mailbox, Access access) = 0;

    // The folder has another name now (RENAME by this session): the view goes on there.
    virtual void moved_to(const Mailbox& mailbox) = 0;

    // Looks for what others did. Cheap (four stats) when nothing happened. A foreign program's
    // change in the same clock tick as one of ours may be found a second later, or with `thorough`
    // (when somebody said that there is one).
    virtual Result<Changes> sync(Expunges expunges, bool thorough = false) = 0;

    // The message as stored (LF or CRLF line ends). Errc::not_found: another session expunged it.
    virtual Result<std::string> read(std::uint32_t seq) = 0;
    virtual Result<Fd> open(std::uint32_t seq) = 0;
    // RFC822.SIZE: with CRLF line ends. Reads the file only where its name does not tell.
    virtual Result<std::uint64_t> crlf_size(std::uint32_t seq) = 0;
    virtual Result<std::int64_t> internal_date(std::uint32_t seq) = 0;  // seconds since the epoch

    // RFC 8514: when it came into this folder, as far as its file tells.
    virtual Result<std::int64_t> save_date(std::uint32_t seq) = 0;
    // RFC 8474: the same for copies of a message that we made; the folder's, which it keeps under
    // other names.
    virtual std::string email_id(std::uint32_t seq) const = 0;
    // Of the message's file, without the flags behind it.
    virtual std::string base_name(std::uint32_t seq) const = 0;
    virtual std::string mailbox_id() const = 0;

    // What postern.cache knows of a message; views hold until the next call for another one.
    virtual std::optional<CachedMessage> cached(std::uint32_t seq) = 0;
    // Remembers what was worked out; write_cache() ends a series of these.
    virtual void remember(std::uint32_t seq, const Summary& summary) = 0;
    virtual Result<void> write_cache() = 0;
    // The same for who works on without it: slower, where there is no room.
    void flush_cache() { (void)write_cache().has_value(); }

    // Bits for these names; adds names to keywords(). Names beyond kMaxKeywords are left out.
    virtual Result<KeywordBits> keyword_bits(std::span<const std::string> names) = 0;

    // Work that can wait until nobody waits for us: file names that show flags, files out of new/,
    // a new snapshot. A bounded piece of it; true when more remains.
    virtual Result<bool> tidy() = 0;

    // Changes flags of many messages, durable when it returns. Messages that others expunged are
    // passed over silently. The View shows the new flags at once. Errc::denied on a read-only view.
    virtual Result<void> store(std::span<const std::uint32_t> seqs, StoreMode mode,
                               const Flags& flags) = 0;
    // The same for messages whose modseq is not above `unchanged_since`; the others (RFC
    // 7162 3.1.3). Where flags are added or removed, a change of other flags that this view had not
    // seen yet is no reason to refuse (3.1.12).
    virtual Result<std::vector<std::uint32_t>> store_unchanged(std::span<const std::uint32_t> seqs,
                                                               StoreMode mode, const Flags& flags,
                                                               std::uint64_t unchanged_since) = 0;

    // Removes the files of these messages, durable when it returns (RFC 3501 6.4.3 wants those with
    // \Deleted: the caller chooses). The View keeps them until sync(Expunges::report). Errc::denied
    // on a read-only view.
    virtual Result<void> expunge(std::span<const std::uint32_t> seqs) = 0;

    // Copies messages with flags, keywords and dates into another folder, all or none (RFC
    // 3501 6.4.7). Uids in the order of seqs. Errc::not_found when one of them was expunged by
    // another session.
    virtual Result<Appended> copy(std::span<const std::uint32_t> seqs, const Mailbox& to,
                                  const CopyTerms& terms = {}) = 0;
};

// The bytes with every LF that has no CR before it as CRLF, which is what IMAP and POP3 send.
std::string to_crlf(std::string_view text);

}  // namespace postern::mailbox
