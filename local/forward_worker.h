// ForwardWorker: a recipient that stands for other addresses becomes a new message in the queue.
// Runs as mail_owner, because cleanup listens to it.
#pragma once

#include <string>

#include "lib/base/verdict.h"
#include "lib/ipc/channel.h"
#include "lib/queue/agent_report.h"
#include "lib/sys/fs.h"

#include "local/messages.h"

namespace postern::local {

class ForwardWorker {
  public:
    ForwardWorker(sys::Fs& fs, std::string cleanup_socket, queue::VerdictFilter filter = {})
        : fs_(fs), cleanup_(std::move(cleanup_socket)), filter_(std::move(filter)) {}

    // Serves jobs from the parent's channel until the parent closes it.
    void run(ipc::Channel& parent);

    // Submits and says what became of it.
    Verdict forward(const ForwardJob& job, int file);

  private:
    Result<Verdict> submit(const ForwardJob& job, int file);

    sys::Fs& fs_;
    std::string cleanup_;
    queue::VerdictFilter filter_;
};

}  // namespace postern::local
