// The bounce service (also defer and trace): one request per connection.
#pragma once

#include "lib/service/service.h"

#include "bounce/notifier.h"
#include "bounce/options.h"
#include "bounce/records.h"

namespace postern::bounce {

class BounceWorker final : public service::Worker {
  public:
    BounceWorker(sys::Fs& fs, Options options, const Clock& clock = SystemClock::instance())
        : options_(std::move(options)), records_(fs), notifier_(fs, records_, options_, clock) {}

    Conversation serve(ipc::Channel& channel) override;

  private:
    Result<void> handle(ipc::Packet& packet, const ipc::Channel& channel);

    Options options_;
    Records records_;
    Notifier notifier_;
};

}  // namespace postern::bounce
