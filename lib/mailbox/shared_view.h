// SharedView: the View on a folder of others' (doc/decisions/shared-folders.md), where \Seen is the
// user's own (private_seen.h), and all else is the folder's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/mailbox/private_place.h"
#include "lib/mailbox/private_seen.h"
#include "lib/mailbox/view.h"

namespace postern::mailbox {

class SharedView final : public FolderView {
  public:
    static Result<std::unique_ptr<View>> open(const Environment& env, const std::string& path,
                                              Access access);
    // Only for open().
    SharedView(const Environment& env, const std::string& path, Access access)
        : FolderView(env, path, access) {}

    std::uint32_t unseen() const override;
    std::uint32_t first_unseen() const override;
    std::uint64_t highest_modseq() const override;
    Result<std::optional<std::vector<Uid>>> expunged_since(std::uint64_t modseq) override;
    Result<Changes> sync(Expunges expunges, bool thorough) override;

  private:
    SystemFlags shown_flags(const IndexRow& row) const override;
    std::uint64_t shown_modseq(const IndexRow& row) const override;
    SystemFlags stored_flags() const override;
    Result<void> store_rest(std::span<const Uid> uids, StoreMode mode, const Flags& flags) override;

    std::unique_ptr<PrivateSeen> seen_;  // null before open() is over
};

// \Seen of messages that come into a folder: into a folder of others' it goes not with the message,
// but to what the user has seen.
class PrivatelySeen {
  public:
    explicit PrivatelySeen(const Environment& env) : place_(env.private_place) {}
    // Of the next message: takes \Seen off, where it is private.
    void note(Flags& flags);
    // They have these UIDs now.
    void keep(const Appended& appended, std::uint64_t folder_modseq) const;

  private:
    std::shared_ptr<const PrivatePlace> place_;
    std::vector<bool> seen_;  // in the order of the messages
};

}  // namespace postern::mailbox
