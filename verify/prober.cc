#include "verify/prober.h"

#include "lib/base/strings.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/ipc/submission.h"

namespace postern::verify {

Result<void> Prober::probe(const std::string& address) const {
    ipc::SubmitOpen envelope;
    envelope.origin = ipc::Origin::internal;
    envelope.sender = settings_.sender.at(clock_.now());
    envelope.probe = ipc::Probe::cache;
    envelope.recipients.push_back({address, "", ipc::kNotifyNever, ""});
    TRY_ASSIGN(ipc::Submission submission,
               ipc::Submission::open(settings_.cleanup, envelope, Deadline::in(settings_.timeout)));
    // No agent sends it; it is there for whoever looks into the queue.
    TRY(submission.write(
        cat({"From: ", envelope.sender, "\r\nTo: ", address, "\r\nSubject: probe\r\n\r\n"})));
    TRY_ASSIGN(const ipc::SubmitResult result, std::move(submission).commit());
    if (result.outcome != ipc::Outcome::accept)
        return Error{Errc::temporary, cat({"cleanup: ", result.text})};
    return {};
}

}  // namespace postern::verify
