// FolderView: the View on a Maildir folder (see mailbox.h). view.cc follows the disk, view_write.cc
// changes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/base/result.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/folder_scan.h"
#include "lib/mailbox/keyword_log.h"
#include "lib/mailbox/mailbox.h"
#include "lib/mailbox/uid_list.h"

namespace postern::mailbox {

class FolderView final : public View {
  public:
    static Result<std::unique_ptr<View>> open(const Environment& env, const std::string& path,
                                              Access access);

    // Only for open(), which also reads the folder.
    FolderView(const Environment& env, const std::string& path, Access access)
        : env_(env), path_(path), access_(access), uids_(env_, path), keywords_(*env.fs, path) {}

    std::uint32_t count() const override { return static_cast<std::uint32_t>(entries_.size()); }
    const Message& message(std::uint32_t seq) const override { return at(seq).message; }
    std::uint32_t recent() const override;
    std::uint32_t first_unseen() const override;
    std::uint32_t uid_validity() const override { return validity_; }
    Uid next_uid() const override { return next_uid_; }
    const std::vector<std::string>& keywords() const override { return keywords_.names(); }
    bool read_only() const override { return access_ == Access::read_only; }
    std::uint32_t seq_of(Uid uid) const override;
    std::uint32_t seq_at_or_after(Uid uid) const override;
    void moved_to(const Mailbox& mailbox) override;
    Result<Changes> sync(Expunges expunges) override;
    Result<std::string> read(std::uint32_t seq) override;
    Result<Fd> open(std::uint32_t seq) override;
    Result<std::uint64_t> crlf_size(std::uint32_t seq) override;
    Result<std::int64_t> internal_date(std::uint32_t seq) override;
    KeywordBits keyword_bits(std::span<const std::string> names) override;
    Result<void> store(std::span<const std::uint32_t> seqs, StoreMode mode,
                       const Flags& flags) override;
    Result<void> expunge(std::span<const std::uint32_t> seqs) override;
    Result<Appended> copy(std::span<const std::uint32_t> seqs, const Mailbox& to) override;

  private:
    struct Entry {
        Message message;
        std::string name;  // the file's, as last seen
        bool in_new = false;
        bool gone = false;             // no file any more, not announced yet
        bool flags_changed = false;    // by others, not announced yet
        std::uint32_t generation = 0;  // of the last rescan that saw the file
        std::uint64_t crlf_size = 0;   // once computed
    };
    using NewFiles =
        std::vector<FoundFile>;  // that no entry has yet; a file may be seen more than once

    Entry& at(std::uint32_t seq);
    const Entry& at(std::uint32_t seq) const { return const_cast<FolderView*>(this)->at(seq); }
    Entry* entry_of(Uid uid);
    std::string file_of(const Entry& entry) const;
    std::string lock_path() const { return path_ + "/postern.lock"; }

    // Following the disk.
    Result<bool> stale() const;
    Result<void> rescan(bool add_new);
    Result<bool> rescan_once(bool add_new, NewFiles& added);
    Result<void> assign_uids(std::vector<FoundFile>& files);
    std::size_t look_up_uids(std::vector<FoundFile>& files) const;
    void note(FoundFile& file, bool add_new, NewFiles& added);
    void add(NewFiles added);
    void mark_gone();
    bool anything_missing(const NewFiles& added) const;
    void set_flags(Entry& entry, const Flags& flags);
    Flags flags_on_disk(Uid uid, std::string_view name) const;
    Result<void> refresh_keywords();
    Result<void> compact_if_worth();
    Changes report(Expunges expunges);

    // Calls step with the file's path; looks for the file anew when it was renamed meanwhile.
    Result<void> with_file(std::uint32_t seq,
                           const std::function<Result<void>(const std::string&)>& step);

    // Changing it.
    Result<void> store_keywords(std::span<const std::uint32_t> seqs, StoreMode mode,
                                KeywordBits bits);
    struct Touched {
        bool fresh = false, current = false;  // new/, cur/
    };
    Result<void> store_in_name(Entry& entry, StoreMode mode, const Flags& flags, Touched& touched);
    Result<void> sync_touched(const Touched& touched);
    Result<void> each_file(std::span<const std::uint32_t> seqs,
                           const std::function<Result<void>(Entry&)>& step);

    Environment env_;
    std::string path_;
    Access access_;
    UidList uids_;
    KeywordLog keywords_;
    std::vector<Entry> entries_;  // by ascending UID
    Uid highest_ = 0;             // highest UID that this view ever showed
    Uid next_uid_ = 1;
    std::uint32_t validity_ = 0;
    std::uint32_t generation_ = 0;
    std::uint32_t unannounced_ = 0;  // entries at the end that no sync() has reported
    std::size_t announced_keywords_ = 1;
    DirectoryState seen_;
};

// Puts names that were renamed into new/ (or are about to be) into the folder's UID list, under its
// lock. `publish` does the renames; it runs while the lock is held.
Result<Appended> publish_with_uids(const Environment& env, const std::string& folder,
                                   std::span<const std::string> bases,
                                   const std::vector<std::vector<std::string>>& keywords,
                                   const std::function<Result<void>()>& publish);

}  // namespace postern::mailbox
