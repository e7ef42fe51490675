// Notifier: makes a report out of the records of a message and sends it to whom it concerns: the
// sender, and the postmaster where notify_classes says so. A report never causes another one: it
// has the null sender, and what cannot be delivered of it ends as a double bounce, which ends here.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/ipc/messages/bounce.h"
#include "lib/queue/bounce_log.h"
#include "lib/sys/fs.h"

#include "bounce/dsn.h"
#include "bounce/options.h"
#include "bounce/records.h"

namespace postern::bounce {

class Notifier {
  public:
    Notifier(sys::Fs& fs, Records& records, const Options& options, const Clock& clock)
        : fs_(fs), records_(records), options_(options), clock_(clock) {}

    // Sends what is due and forgets the log (except defer/, which goes on). An Error: nothing was
    // forgotten, ask again later. `queue_file` holds the message.
    Result<void> send(const ipc::BounceSend& request, int queue_file);

    // Tells the postmaster of a session, where notify_classes wants to hear of such.
    Result<void> tell_postmaster(const ipc::PostmasterNotice& notice);

  private:
    struct Letter {
        Dsn dsn;
        std::string from;  // envelope sender
        std::string_view logged_as;
    };

    std::vector<Letter> letters(const ipc::BounceSend& request,
                                std::vector<queue::BounceRecord> records) const;
    Letter letter(const ipc::BounceSend& request,
                  const std::vector<queue::BounceRecord>& records) const;
    std::string double_sender() const;
    bool has_class(std::string_view name) const;
    Result<void> submit(const ipc::BounceSend& request, Letter letter, int queue_file);
    Result<std::string> header_of(const ipc::BounceSend& request, int queue_file) const;
    Result<std::uint64_t> returned_size(const ipc::BounceSend& request, const Dsn& dsn,
                                        int queue_file) const;

    sys::Fs& fs_;
    Records& records_;
    const Options& options_;
    const Clock& clock_;
};

}  // namespace postern::bounce
