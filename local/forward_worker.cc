#include "local/forward_worker.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/ipc/messages/cleanup.h"
#include "lib/log/log.h"
#include "lib/queue/agent_report.h"
#include "lib/queue/envelope.h"
#include "lib/queue/message_text.h"
#include "lib/sys/file.h"

namespace postern::local {
namespace {

constexpr Millis kSubmitWait{300'000};
constexpr Millis kPassOnWait{10'000};
constexpr Millis kIdleWait{600'000};

// As many recipients as one message holds, from `at` on.
std::vector<ipc::SubmitRecipient> next_recipients(const ForwardJob& job, std::size_t& at) {
    const auto& from = job.request.recipients.front();
    std::vector<ipc::SubmitRecipient> batch;
    std::size_t bytes = 0;
    while (at < job.forwards.size() && batch.size() < ipc::kMaxRecipientsPerMessage) {
        ipc::SubmitRecipient one;
        one.address = job.forwards[at];
        one.original = from.original.empty() ? from.address : from.original;
        one.notify = queue::notify_of_members(from.notify);
        one.orcpt = from.orcpt;
        bytes += one.address.size() + one.original.size() + one.orcpt.size() + 100;
        if (bytes > ipc::kRecipientBudget && !batch.empty()) break;
        batch.push_back(std::move(one));
        ++at;
    }
    return batch;
}

ipc::SubmitOpen envelope_of(const ForwardJob& job) {
    ipc::SubmitOpen open;
    open.origin = ipc::Origin::internal;
    open.sender = job.request.sender;
    open.body_8bit = job.request.body_8bit;
    open.smtputf8 = job.request.smtputf8;
    open.envid = job.request.envid;
    open.ret = job.request.ret;
    open.size_hint = job.request.body_size;
    return open;
}

}  // namespace

Result<Verdict> ForwardWorker::submit(const ForwardJob& job, int file) {
    const auto deadline = Deadline::in(kSubmitWait);
    const queue::MessageText text{file, job.request.body_offset, job.request.body_size};
    const std::string& recipient = job.request.recipients.front().address;
    const std::string& address = job.delivered.empty() ? recipient : job.delivered;
    TRY_ASSIGN(const bool seen, queue::delivered_before(fs_, text, address));
    if (seen) return Verdict::reject("5.4.6", cat({"mail forwarding loop for ", address}));

    TRY_ASSIGN(ipc::Channel cleanup, ipc::Channel::connect(cleanup_, deadline));
    TRY_ASSIGN(sys::Pipe pipe, sys::make_pipe());
    std::size_t at = 0;
    ipc::SubmitOpen open = envelope_of(job);
    open.recipients = next_recipients(job, at);
    const int descriptors[] = {pipe.reading.get()};
    TRY(cleanup.send(open, deadline, job.request.queue_id.str(), descriptors));
    pipe.reading.reset();
    TRY(cleanup.receive<ipc::SubmitOpened>(deadline));
    while (at < job.forwards.size()) {
        TRY(cleanup.send(ipc::SubmitRecipients{next_recipients(job, at)}, deadline));
    }
    const std::string header = cat({"Delivered-To: ", address, "\r\n"});
    std::uint64_t written = 0;
    const auto write = [&](std::string_view bytes) {
        written += bytes.size();
        return sys::write_all(pipe.writing.get(), bytes, deadline);
    };
    // Where writing fails cleanup has usually said why; its answer is worth more than "broken
    // pipe".
    auto copied = write(header);
    if (copied) copied = queue::copy_as_is(fs_, text, write);
    if (!copied && copied.error().code != Errc::closed) return std::move(copied).error();
    pipe.writing.reset();
    if (copied) TRY(cleanup.send(ipc::SubmitEnd{written}, deadline));
    TRY_ASSIGN(const auto result, cleanup.receive<ipc::SubmitResult>(deadline));
    switch (result.outcome) {
        case ipc::Outcome::accept:
            return Verdict::accept("2.0.0", cat({"forwarded as ", result.queue_id.str()}));
        case ipc::Outcome::reject: return Verdict::reject(result.status, result.text);
        case ipc::Outcome::defer: break;
    }
    return Verdict::defer(result.status, result.text);
}

Verdict ForwardWorker::forward(const ForwardJob& job, int file) {
    auto verdict = submit(job, file);
    if (verdict) return std::move(*verdict);
    log::warning(job.request.queue_id.str(), verdict.error().what);
    return Verdict::defer("4.3.0", "unable to forward message");
}

void ForwardWorker::run(ipc::Channel& parent) {
    for (;;) {
        auto packet = parent.receive_packet(Deadline::in(kIdleWait));
        if (!packet && packet.error().code == Errc::timeout) continue;
        if (!packet) return;
        auto job = packet->as<ForwardJob>();
        if (!job || packet->descriptor_count() != 2 || job->request.recipients.size() != 1) {
            log::warning("", job ? "forward job: malformed" : job.error().what);
            continue;
        }
        const auto started = SystemClock::instance().now();
        const Fd file = packet->take_descriptor(0);
        ipc::Channel connection(packet->take_descriptor(1));
        const Verdict verdict = forward(*job, file.get());
        ipc::DeliverReport answer;
        answer.recipients.push_back(queue::report_delivery(
            job->request, job->request.recipients.front(), "local", {}, verdict, started, filter_));
        if (verdict.accepted()) answer.recipients.front().action = ipc::DsnAction::expanded;
        if (auto sent = connection.send(answer, Deadline::in(kPassOnWait)); !sent) {
            log::warning(job->request.queue_id.str(), cat({"report to qmgr: ", sent.error().what}));
        }
    }
}

}  // namespace postern::local
