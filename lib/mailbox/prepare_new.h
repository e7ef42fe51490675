// What IMAP clients ask of new messages first is worked out by who adds them (local, imapd), when he
// has nothing else to do: they get their UIDs, and the cache their envelopes and structures, so that
// the first FETCH after a night of deliveries need not read them all.
#pragma once

#include <cstddef>
#include <memory>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/mailbox/mailbox.h"

namespace postern::mailbox {

inline constexpr std::uint32_t kMostPrepared = 1000;  // of those that were there before
inline constexpr std::size_t kPreparedAtOnce = 100;   // what one piece of the work should be
inline constexpr std::uint64_t kLargestPrepared = 4U << 20;  // larger ones are left to their reader
inline constexpr std::uint32_t kMostAtAll = 50'000;
// Begin when nobody has added anything for so long: the one look that is taken at the folder's
// directories is then good for who opens it next, too (folder_scan.cc: a change in the same tick).
inline constexpr Millis kBeforePreparing{60};
inline constexpr std::size_t kMostInVain = 1000;  // in a row, that the cache cannot take

// The work on one folder, in pieces: on the messages behind the last one that the cache knows,
// oldest first. Where it knows none: on those that no session has seen, and those from the UID
// `added` on; of others, which may never be asked for, on the newest thousand. Each message is
// looked at once. There is nothing to do in a folder that no client ever opened.
class PrepareNew {
  public:
    explicit PrepareNew(Mailbox box, Uid added = 0) : box_(std::move(box)), added_(added) {}

    // Looks at the next messages, `limit` at most; how many of them the cache has now. After an
    // error (a full disk) the rest is not worth the try.
    Result<std::size_t> go_on(std::size_t limit = kPreparedAtOnce);
    bool is_over() const { return begun_ && next_ > last_; }

  private:
    Result<void> begin();

    Mailbox box_;
    Uid added_;
    bool begun_ = false;
    std::unique_ptr<View> view_;
    std::uint32_t next_ = 1, last_ = 0;
    std::size_t in_vain_ = 0;
};

}  // namespace postern::mailbox
