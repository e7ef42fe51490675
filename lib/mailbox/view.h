// FolderView: the View on a Maildir folder (see mailbox.h): a FolderIndex, of which it shows the
// rows that have been announced. view.cc follows what others do, view_write.cc changes the folder.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/expunged_files.h"
#include "lib/mailbox/folder_index.h"
#include "lib/mailbox/mailbox.h"
#include "lib/mailbox/message_cache.h"
#include "lib/mailbox/read_ahead.h"

namespace postern::mailbox {

class FolderView : public View {
  public:
    static Result<std::unique_ptr<View>> open(const Environment& env, const std::string& path,
                                              Access access);

    // Only for open(), which also reads the folder.
    FolderView(const Environment& env, const std::string& path, Access access)
        : env_(env), access_(access), index_(env, path), cache_(index_), expunged_(index_) {}
    Result<void> begin();  // that reading, once
    ~FolderView() override;

    std::uint32_t count() const override { return announced_; }
    Message message(std::uint32_t seq) const override;
    std::uint32_t recent() const override { return recent_; }
    std::uint32_t unseen() const override { return index_.unseen(); }
    std::uint32_t first_unseen() const override;
    std::uint32_t uid_validity() const override { return index_.validity(); }
    Uid next_uid() const override { return next_uid_; }
    const std::vector<std::string>& keywords() const override { return index_.keywords(); }
    bool read_only() const override { return access_ == Access::read_only; }
    std::uint64_t highest_modseq() const override { return index_.modseq(); }
    std::uint64_t told_modseq() const override;
    Result<std::optional<std::vector<Uid>>> expunged_since(std::uint64_t modseq) override;
    ViewState state() const override;
    Result<std::optional<Changes>> resume(const ViewState& old) override;
    std::uint32_t seq_of(Uid uid) const override;
    std::uint32_t seq_at_or_after(Uid uid) const override;
    bool begin_again(const Mailbox& mailbox, Access access) override;
    void moved_to(const Mailbox& mailbox) override { index_.move_to(mailbox.path()); }
    Result<Changes> sync(Expunges expunges, bool thorough) override;
    Result<std::string> read(std::uint32_t seq) override;
    Result<Fd> open(std::uint32_t seq) override;
    Result<std::uint64_t> crlf_size(std::uint32_t seq) override;
    Result<std::int64_t> internal_date(std::uint32_t seq) override;
    Result<std::int64_t> save_date(std::uint32_t seq) override;
    std::string email_id(std::uint32_t seq) const override;
    std::string base_name(std::uint32_t seq) const override;
    std::string mailbox_id() const override;
    std::optional<CachedMessage> cached(std::uint32_t seq) override;
    void remember(std::uint32_t seq, const Summary& summary) override;
    Result<void> write_cache() override { return cache_.flush(); }
    Result<KeywordBits> keyword_bits(std::span<const std::string> names) override;
    Result<bool> tidy() override;
    Result<void> store(std::span<const std::uint32_t> seqs, StoreMode mode,
                       const Flags& flags) override;
    Result<std::vector<std::uint32_t>> store_unchanged(std::span<const std::uint32_t> seqs,
                                                       StoreMode mode, const Flags& flags,
                                                       std::uint64_t unchanged_since) override;
    Result<void> expunge(std::span<const std::uint32_t> seqs) override;
    Result<Appended> copy(std::span<const std::uint32_t> seqs, const Mailbox& to,
                          const CopyTerms& terms) override;

  protected:
    // What this user sees of a message, where that is not what its row says (shared_view.h).
    virtual SystemFlags shown_flags(const IndexRow& row) const { return row.flags; }
    virtual std::uint64_t shown_modseq(const IndexRow& row) const { return row.modseq; }
    // The flags that a change of the rows may be about.
    virtual SystemFlags stored_flags() const { return kAllSystemFlags; }
    // The rest of a change of flags: of these messages, whose rows have been changed.
    virtual Result<void> store_rest(std::span<const Uid>, StoreMode, const Flags&) { return {}; }

    const IndexRow& row(std::uint32_t seq) const;
    FolderIndex& index() { return index_; }
    const FolderIndex& index() const { return index_; }
    const Environment& environment() const { return env_; }

  private:
    class KnownFlags;
    bool is_gone(std::uint32_t seq) const { return (row(seq).place & place::kGone) != 0; }
    Result<void> claim_recent();
    Changes report(Expunges expunges);
    void count_recent();
    void report_expunged(Changes& changes);
    // Calls step with the file's path; looks for the file anew when it was renamed meanwhile.
    Result<void> with_file(std::uint32_t seq,
                           const std::function<Result<void>(const std::string&)>& step);
    void ask_for_next(std::uint32_t seq);
    void copy_cached(std::span<const std::uint32_t> seqs, std::span<const Uid> uids,
                     FolderIndex& target);
    // Takes files away under the lock; the messages whose files are elsewhere by now.
    Result<std::vector<std::uint32_t>> take_away(std::span<const std::uint32_t> seqs);

    Environment env_;
    Access access_;
    FolderIndex index_;
    MessageCache cache_;
    ExpungedFiles expunged_;
    ReadAhead ahead_;
    std::uint64_t blocks_ = 0;  // sys::blocks_from_disk() when a message was last read
    std::uint32_t announced_ = 0;  // rows that the session knows of
    bool has_recent_ = false;      // a row was marked so
    std::uint32_t recent_ = 0;
    Uid next_uid_ = 1;
    std::size_t announced_keywords_ = 1;
};

}  // namespace postern::mailbox
