// Submission, for straight-line code: a message through cleanup: the envelope, then the text in
// pieces, then the verdict.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/cleanup.h"

namespace postern::ipc {

class Submission {
  public:
    // Begins a transaction with cleanup. `deadline` covers all of it.
    static Result<Submission> open(const std::string& cleanup, const SubmitOpen& envelope,
                                   Deadline deadline);

    // Text in wire form (CRLF).
    Result<void> write(std::string_view text);
    // Commits; accept means that the report is on disk. Without this cleanup forgets it.
    Result<SubmitResult> commit() &&;

  private:
    Submission(Channel channel, Fd content, Deadline deadline)
        : channel_(std::move(channel)), content_(std::move(content)), deadline_(deadline) {}

    Channel channel_;
    Fd content_;
    Deadline deadline_;
    std::uint64_t size_ = 0;
};

}  // namespace postern::ipc
