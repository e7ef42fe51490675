// Submission of a report through cleanup: the envelope, then the text in pieces, then the verdict.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/cleanup.h"

namespace postern::bounce {

class Submission {
  public:
    // Begins a transaction with cleanup. `deadline` covers all of it.
    static Result<Submission> open(const std::string& cleanup, const ipc::SubmitOpen& envelope,
                                   Deadline deadline);

    // Text in wire form (CRLF).
    Result<void> write(std::string_view text);
    // Commits; accept means that the report is on disk. Without this cleanup forgets it.
    Result<ipc::SubmitResult> commit() &&;

  private:
    Submission(ipc::Channel channel, Fd content, Deadline deadline)
        : channel_(std::move(channel)), content_(std::move(content)), deadline_(deadline) {}

    ipc::Channel channel_;
    Fd content_;
    Deadline deadline_;
    std::uint64_t size_ = 0;
};

}  // namespace postern::bounce
