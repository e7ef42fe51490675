// Sending to a client that may be slow, for processes that serve one user straight-line: what a
// reply may take depends on its size, but somebody who hardly takes anything is given up on.
#pragma once

#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace postern::sys {

// The time that is left for a transfer: `patience` at first. What the client takes gives time back,
// as much as it would have needed at the lowest rate that we put up with, and never more than all
// of `patience`. A message of any size may so take as long as it must, and a client that takes a
// byte a minute gains nothing.
class TransferDeadline {
  public:
    static constexpr std::int64_t kLowestRate = 500;  // bytes a second, as smtpd_min_data_rate

    explicit TransferDeadline(Millis patience, const Clock& clock = SystemClock::instance())
        : patience_(patience), clock_(clock), deadline_(Deadline::in(patience, clock)) {}
    void moved(std::size_t bytes);
    const Deadline& deadline() const { return deadline_; }

  private:
    Millis patience_;
    const Clock& clock_;
    Deadline deadline_;
};

// Sends `bytes` and takes what has gone off their front, also where it fails. Errc::timeout as
// above; Errc::closed when `stop` (-1: none) becomes readable while the client lets us wait.
Result<void> send_to_client(int socket, std::string_view& bytes, int stop, Millis patience,
                            const Clock& clock = SystemClock::instance());

}  // namespace postern::sys
