// What postsuper -r does: a message that rests in hold/ goes back to maildrop/, so that pickup and
// cleanup treat it as new: addresses are rewritten, header checks, milters and content filters
// apply again. Recipients that are done stay out. A crash on the way leaves both, never none.
#pragma once

#include <string>

#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/queue/maildrop.h"
#include "lib/queue/reader.h"
#include "lib/sys/fs.h"

namespace postern::commands {

// What maildrop/ shall know of it. `told`: the sender has had the report that sendmail -v wants.
queue::MaildropEnvelope requeued_envelope(const queue::Message& message, bool told);

// Writes the message in hold/ to maildrop/, with everything on disk. Nothing is removed. Gives the
// new file, which pickup takes up when it is closed; none when somebody else has just taken the
// message. Errc::no_space: more recipients than pickup takes.
Result<Fd> copy_to_maildrop(sys::Fs& fs, const QueueId& id, bool sync_directory);

}  // namespace postern::commands
