// Submitter: hands one maildrop file to cleanup. Straight-line code with a deadline on every wait.
// Split in two, so that several messages can be on their way while cleanup syncs them together.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/verdict.h"
#include "lib/config/receive_overrides.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/queue/maildrop.h"
#include "lib/sys/fs.h"

namespace postern::pickup {

struct Options {
    std::string cleanup_socket = "public/cleanup";
    std::string myhostname = "localhost";
    std::string mail_name = "Postern";
    std::string content_filter;
    config::ReceiveOverrides overrides;
    Millis timeout{300'000};         // for one message, from start to answer
    std::size_t at_once = 50;        // messages on their way
    Seconds stale_after{24 * 3600};  // an unfinished file that nobody writes to is removed
};

// A maildrop file that has been read to its end once and found whole.
struct Dropped {
    std::string path;
    Fd fd;
    uid_t uid = 0;
    WallTime arrival{};
    queue::MaildropEnvelope envelope;
    std::uint64_t content_size = 0;
    std::string content;  // of a small one; otherwise read again as it is sent
};

// Opens and checks it: a plain file with one name, complete, correct.
//   Errc::closed   not complete (yet)
//   Errc::invalid  not a maildrop file, or a wrong one
Result<Dropped> open_dropped(sys::Fs& fs, const std::string& path);

// A message on its way to cleanup.
class Submitted {
  public:
    // Sends everything; logs "ID: uid=… from=<…>".
    static Result<Submitted> start(sys::Fs& fs, const Options& options, Dropped& dropped);
    // A message of our own making (a notice about one that cannot be sent).
    static Result<Submitted> start_internal(const Options& options, const std::string& recipient,
                                            const std::string& content);
    // Waits for cleanup's word. Accepted: the message is on disk.
    Result<Verdict> finish();

  private:
    Submitted(ipc::Channel channel, Deadline deadline)
        : channel_(std::move(channel)), deadline_(deadline) {}
    ipc::Channel channel_;
    Deadline deadline_;
};

}  // namespace postern::pickup
