// FolderIndex: what is known of a folder's messages: the state that postern.log's transactions add
// up to, begun from the snapshot postern.index. Reading takes no lock; every change goes through a
// Transaction: lock, read what others did, write one frame, apply it. What foreign programs did to
// the files becomes such a transaction too (reconcile), so that all sessions learn of it, with a
// mod-sequence, from the log. See doc/formats/mailbox.md.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/change_log.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/folder_scan.h"
#include "lib/mailbox/mailbox.h"
#include "lib/mailbox/uid_list.h"
#include "lib/sys/mapped_file.h"

namespace postern::mailbox {

class FolderIndex final : private ChangeSink {
  public:
    FolderIndex(const Environment& env, const std::string& folder)
        : env_(env), folder_(folder), log_(*env.fs, folder), uids_(env_, folder) {}
    // The log and the list refer to env_.
    FolderIndex(const FolderIndex&) = delete;
    FolderIndex& operator=(const FolderIndex&) = delete;

    void move_to(const std::string& folder);

    // From the files on disk; makes them where there are none. With `look`, what foreign programs
    // did is taken notice of. Without it the rows are shown to nobody: who adds to a folder takes it
    // as it is by then.
    Result<void> load(bool look);
    // For another session: what load(true) does, by what is known already. An error: it is to be
    // loaded anew.
    Result<void> begin_again();
    // Reads what others have logged. Rows that are expunged stay, marked kGone, until drop_gone().
    Result<void> follow();
    // Did a foreign program change the folder since the log was last true to it? `thorough`: also
    // where one of our own writes in the same clock tick may hide it.
    Result<bool> is_behind(bool thorough) const;
    // Looks at the directories, under the lock, and logs what it finds.
    Result<void> reconcile();
    // The outcome of writing something down that can wait: without room on the disk, or where the
    // file system is read-only, mail is shown all the same, and the next one tries again.
    Result<void> unless_full(Result<void> written);

    // --- Rows, by ascending UID. Positions change in drop_gone() only.
    std::size_t count() const { return rows().size(); }
    const IndexRow& row(std::size_t at) const { return rows()[at]; }
    void mark(std::size_t at, std::uint8_t bits) { edit(at).place |= bits; }
    void unmark(std::size_t at, std::uint8_t bits);
    void learn_size(std::size_t at, std::uint64_t wire_size) { edit(at).wire_size = wire_size; }
    void learn_date(std::size_t at, std::int64_t date) { edit(at).date = date; }
    void learn_cache(std::size_t at, std::uint64_t offset) { edit(at).cache = offset; }
    std::size_t lower_bound(Uid uid) const;  // the first row with at least this UID
    std::string_view name(const IndexRow& row) const;
    std::string path(const IndexRow& row) const;  // of the file
    // As they are on disk: no marks of the session on any of them.
    bool are_mapped() const { return !owned_; }
    bool has_marks() const { return marks_; }
    void drop_gone();
    void clear_marks() { marks_ = false; }  // they have been taken care of

    std::uint32_t validity() const { return validity_; }
    Uid next_uid() const { return next_uid_; }
    Uid first_recent() const { return first_recent_; }
    std::uint64_t modseq() const { return modseq_; }
    // At most the mod-sequence of the first expunge among the rows marked kGone; 0: there are none.
    std::uint64_t first_gone() const { return first_gone_; }
    std::uint32_t unseen() const;
    std::uint32_t first_unseen() const;  // position from 1, or 0
    const std::vector<std::string>& keywords() const { return keywords_; }
    // The bit of a keyword, or 0.
    KeywordBits keyword(std::string_view name) const;
    const std::string& folder() const { return folder_; }
    std::uint64_t cache_id() const { return cache_id_; }
    std::uint64_t cache_size() const { return cache_size_; }
    // Which cache the rows' offsets are for, and how much of it they know.
    // With `forget`, rows forget the offsets that they have.
    void use_cache(std::uint64_t id, std::uint64_t size, bool forget);
    sys::Fs& fs() const { return *env_.fs; }
    bool is_shared() const { return env_.is_shared; }
    std::uint64_t fresh_id() const;  // random, not 0

    // --- Changes.
    class Transaction {
      public:
        ChangeWriter changes;

        // Writes and applies the changes; nothing when there are none. `own`: not news to the
        // session.
        Result<void> commit(bool durable, bool own = true);
        // The bit for a keyword, which it defines where needed; 0 when there is no room.
        KeywordBits define(std::string_view name);
        std::uint64_t modseq() const { return modseq_; }

      private:
        friend class FolderIndex;
        Transaction(FolderIndex& index, FolderLock lock);
        FolderIndex* index_;
        FolderLock lock_;
        bool undisturbed_;  // nobody had touched the folder before we began
        std::uint64_t modseq_;
    };
    // Waits for the lock and reads what others have logged.
    Result<Transaction> begin();
    // The same, and takes notice of what foreign programs did, so that the change comes after it.
    Result<Transaction> begin_after_others();

    // Gives messages UIDs and logs them. `publish` renames their files into new/, under the lock;
    // `sync` makes that survive a power cut (after the UID list, whose sync has then done most of
    // it).
    struct Arrival {
        std::string name;  // of the file, which is in new/
        Flags flags;       // keywords: bit 0 only
        std::vector<std::string> keywords;
        std::uint64_t wire_size = kUnknownSize;
        std::int64_t date = kUnknownDate;
        Uid uid = 0;  // wanted; 0: the next
    };
    Result<Appended> arrive(std::span<const Arrival> arrivals,
                            const std::function<Result<void>()>& publish,
                            const std::function<Result<void>()>& sync);

    // Moves files out of new/ (with_new) and gives names the flags they should have: at most
    // `limit` of them. True when there may be more to do.
    Result<bool> rename_some(std::size_t limit, bool with_new);

    // Writes a snapshot, and a short log, when there is enough to gain. Does nothing when others
    // are busy here.
    Result<void> save_if_worth();

  private:
    // ChangeSink
    void on_new(const NewMessage& message, std::uint64_t modseq) override;
    void on_flags(const FlagChange& change, UidRange uids, std::uint64_t modseq) override;
    void on_expunge(UidRange uids, std::uint64_t modseq) override;
    void on_name(std::uint32_t uid, std::uint8_t place, std::string_view name) override;
    void on_keyword(unsigned bit, std::string_view name) override;
    void on_seen(const SeenState& seen) override { seen_ = seen; }
    void on_numbers(std::uint32_t next_uid, std::uint32_t first_recent) override;

    std::span<const IndexRow> rows() const {
        return owned_ ? std::span<const IndexRow>(own_rows_) : mapped_rows_;
    }
    IndexRow& edit(std::size_t at);
    void own_rows();
    std::uint64_t keep_name(std::string_view name);
    void reset();
    void forget_marks();
    bool told_of_full_ = false;
    Result<void> load_files();
    Result<void> reload();
    void merge(FolderIndex& fresh);
    bool read_snapshot();
    Result<void> check_uids();
    Result<SeenState> look() const;
    std::string checkpoint() const;
    IndexHeader snapshot_header() const;
    Result<void> write_rows(int fd, std::string& names) const;
    Result<void> write_snapshot();
    Result<void> compact_uids();

    // reconcile.cc
    struct Look;
    using NumberedFiles = std::vector<std::pair<Uid, const FoundFile*>>;  // ascending
    Result<void> reconcile_in(Transaction& transaction);
    Result<void> compare(Look& look);
    void match(Look& look, FoundFile file);
    std::optional<std::size_t> find_base(Look& look, std::string_view base);
    void log_missing(const Look& look, ChangeWriter& out) const;
    void log_renamed(const Look& look, ChangeWriter& out) const;
    Result<void> log_new(Look& look, Transaction& transaction);
    Result<NumberedFiles> number(const Look& look);
    void make_room(const NumberedFiles& files);
    void keep_next_uid(Uid logged, ChangeWriter& out) const;
    Result<std::vector<Uid>> give_uids(std::span<const std::string_view> bases);
    Result<std::vector<Uid>> give_uids(std::span<const Arrival> arrivals);

    Environment env_;
    std::string folder_;
    ChangeLog log_;
    UidList uids_;

    sys::MappedFile map_;
    std::span<const IndexRow> mapped_rows_;
    std::string_view mapped_names_;
    bool owned_ = false;
    std::vector<IndexRow> own_rows_;
    std::string own_names_;

    std::vector<std::string> keywords_{std::string(kForwardedKeyword)};
    std::uint32_t validity_ = 0;
    Uid next_uid_ = 1;
    Uid logged_next_ = 1;  // UIDs below are in the log, or were: none of them is given again
    Uid first_recent_ = 1;
    std::uint64_t modseq_ = 0;
    SeenState seen_{};
    std::uint32_t mapped_unseen_ = 0, mapped_first_unseen_ = 0;
    std::uint64_t saved_offset_ = 0;  // of the log, when the snapshot was made; 0: there is none
    std::uint64_t saved_cache_ = 0;
    std::uint64_t cache_id_ = 0, cache_size_ = 0;
    std::size_t pending_from_ = 0;  // rows before it have names that show their flags
    std::uint64_t first_gone_ = 0;
    bool marks_ = false;
    bool in_use_ = false;  // load(true) is over: UIDVALIDITY must not change any more
    bool log_missing_ = false;
    bool applying_own_ = false;
};

// The row of a snapshot's bytes, for load() and the fuzzer: false when they are not one.
struct SnapshotParts {
    IndexHeader header{};
    std::span<const IndexRow> rows;
    std::string_view names;
    std::vector<std::string> keywords;
};
bool parse_snapshot(std::string_view bytes, SnapshotParts& out);

}  // namespace postern::mailbox
