// Submission: see submission.h.
#include "lib/ipc/submission.h"

#include <array>
#include <utility>

#include "lib/sys/file.h"

namespace postern::ipc {

Result<Submission> Submission::open(const std::string& cleanup, const SubmitOpen& envelope,
                                    Deadline deadline) {
    TRY_ASSIGN(Channel channel, Channel::connect(cleanup, deadline));
    TRY_ASSIGN(sys::Pipe pipe, sys::make_pipe());
    std::array<int, 1> descriptors{pipe.reading.get()};
    TRY(channel.send(envelope, deadline, {}, descriptors));
    pipe.reading.reset();
    TRY(channel.receive<SubmitOpened>(deadline));
    return Submission(std::move(channel), std::move(pipe.writing), deadline);
}

Result<void> Submission::write(std::string_view text) {
    size_ += text.size();
    return sys::write_all(content_.get(), text, deadline_);
}

Result<SubmitResult> Submission::commit() && {
    content_.reset();
    TRY(channel_.send(SubmitEnd{size_}, deadline_));
    return channel_.receive<SubmitResult>(deadline_);
}

}  // namespace postern::ipc
