// Submission: see submission.h.
#include "bounce/submission.h"

#include <array>
#include <utility>

#include "lib/sys/file.h"

namespace postern::bounce {

Result<Submission> Submission::open(const std::string& cleanup, const ipc::SubmitOpen& envelope,
                                    Deadline deadline) {
    TRY_ASSIGN(ipc::Channel channel, ipc::Channel::connect(cleanup, deadline));
    TRY_ASSIGN(sys::Pipe pipe, sys::make_pipe());
    std::array<int, 1> descriptors{pipe.reading.get()};
    TRY(channel.send(envelope, deadline, {}, descriptors));
    pipe.reading.reset();
    TRY(channel.receive<ipc::SubmitOpened>(deadline));
    return Submission(std::move(channel), std::move(pipe.writing), deadline);
}

Result<void> Submission::write(std::string_view text) {
    size_ += text.size();
    return sys::write_all(content_.get(), text, deadline_);
}

Result<ipc::SubmitResult> Submission::commit() && {
    content_.reset();
    TRY(channel_.send(ipc::SubmitEnd{size_}, deadline_));
    return channel_.receive<ipc::SubmitResult>(deadline_);
}

}  // namespace postern::bounce
