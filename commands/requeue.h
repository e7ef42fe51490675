// What postsuper -r does: a message that rests in hold/ goes back to maildrop/, so that pickup and
// cleanup treat it as new: addresses are rewritten, header checks, milters and content filters
// apply again. Recipients that are done stay out. A crash on the way leaves both, never none.
#pragma once

#include <unistd.h>

#include <functional>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/queue/maildrop.h"
#include "lib/queue/reader.h"
#include "lib/sys/fs.h"

namespace postern::commands {

// What maildrop/ shall know of it. `told`: the sender has had the report that sendmail -v wants.
queue::MaildropEnvelope requeued_envelope(const queue::Message& message, bool told);

// maildrop/ is not the queue owner's, whom postsuper works as.
class AsRoot {
  public:
    AsRoot() : before_(::geteuid()) { (void)!::seteuid(::getuid()); }
    ~AsRoot() { POSTERN_CHECK(::seteuid(before_) == 0); }
    AsRoot(const AsRoot&) = delete;
    AsRoot& operator=(const AsRoot&) = delete;

  private:
    uid_t before_;
};

// A message's new file in maildrop/, which pickup takes up when it is closed.
struct MaildropCopy {
    QueueId id;
    Fd file;
};

// Writes the message in hold/ to maildrop/, with everything on disk. Nothing is removed.
//   Errc::not_found  it is not in hold/, or no more
//   Errc::temporary  in use, see queue::is_in_use()
//   Errc::no_space   more recipients than pickup takes
Result<MaildropCopy> copy_to_maildrop(sys::Fs& fs, const QueueId& id, bool sync_directory);

// The same, and removes it from hold/. False, or an error: the message, if it is there, is as it
// was, and there is no copy. `warn` hears of what goes wrong beside that.
using Warn = std::function<void(std::string_view)>;
Result<bool> move_to_maildrop(sys::Fs& fs, const QueueId& id, bool sync_directory,
                              const Warn& warn);

}  // namespace postern::commands
