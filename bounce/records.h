// The logs in bounce/, defer/ and trace/ as bounce keeps them (doc/formats/bounce-log.md).
#pragma once

#include <vector>

#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/ipc/messages/bounce.h"
#include "lib/queue/bounce_log.h"
#include "lib/sys/fs.h"

namespace postern::bounce {

class Records {
  public:
    explicit Records(sys::Fs& fs) : fs_(fs) {}

    // Appends; a record in bounce/ or trace/ is on disk when this returns, one in defer/ is advice.
    Result<void> append(const ipc::BounceAppend& request);
    // All records; none when there is no log.
    Result<std::vector<queue::BounceRecord>> read(ipc::BounceLog log, const QueueId& id);
    // Removes a log; it is no error that there is none.
    Result<void> forget(ipc::BounceLog log, const QueueId& id);

  private:
    sys::Fs& fs_;
};

}  // namespace postern::bounce
