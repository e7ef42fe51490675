#include "local/mailbox_worker.h"

#include <optional>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/queue/agent_report.h"
#include "lib/queue/message_text.h"

namespace postern::local {
namespace {

constexpr Millis kAnswerWait{10'000};
constexpr Millis kIdleWait{600'000};  // then just wait again: the parent decides when we end

Result<OpenJob> open_job(ipc::Packet packet) {
    if (packet.descriptor_count() != 2)
        return Error{Errc::invalid, "mailbox job: descriptors missing"};
    TRY_ASSIGN(MailboxJob job, packet.as<MailboxJob>());
    if (job.targets.size() != job.request.recipients.size()) {
        return Error{Errc::invalid, "mailbox job: targets do not fit the recipients"};
    }
    Fd file = packet.take_descriptor(0);
    return OpenJob{std::move(job), std::move(file), packet.take_descriptor(1)};
}

Verdict failure(const Error& error) {
    const bool full = error.code == Errc::no_space;
    return Verdict::defer(full ? "4.2.2" : "4.2.0", "maildir delivery failed: " + error.what);
}

}  // namespace

// One recipient of one job on its way.
struct MailboxWorker::Plan {
    std::size_t job = 0, recipient = 0;
    std::optional<std::size_t> delivery;  // its place in the group; nothing: decided before
    Verdict verdict{};
};

std::vector<OpenJob> MailboxWorker::next_jobs(ipc::Channel& parent, bool& closed) {
    std::vector<OpenJob> jobs;
    while (jobs.size() < kMaxJobs) {
        // The first one is waited for; those that are queued behind it are taken along.
        auto packet = parent.receive_packet(Deadline::in(jobs.empty() ? kIdleWait : Millis{0}));
        if (!packet && packet.error().code == Errc::timeout) return jobs;
        if (!packet) {
            closed = true;
            return jobs;
        }
        auto job = open_job(std::move(*packet));
        if (!job) {
            log::warning("", job.error().what);
            continue;
        }
        jobs.push_back(std::move(*job));
    }
    return jobs;
}

void MailboxWorker::run(ipc::Channel& parent) {
    for (bool closed = false; !closed;) {
        auto jobs = next_jobs(parent, closed);
        if (!jobs.empty()) deliver(jobs);
    }
}

void MailboxWorker::deliver(std::vector<OpenJob>& jobs) {
    const auto started = SystemClock::instance().now();
    std::vector<Plan> plans;
    std::vector<mailbox::Delivery> group;
    for (std::size_t j = 0; j < jobs.size(); ++j) {
        const auto& request = jobs[j].job.request;
        const queue::MessageText text{jobs[j].file.get(), request.body_offset, request.body_size};
        for (std::size_t r = 0; r < request.recipients.size(); ++r) {
            const auto& recipient = request.recipients[r];
            const auto& target = jobs[j].job.targets[r];
            Plan plan{j, r, {}, {}};
            if (options_.size_limit > 0 && request.body_size > options_.size_limit) {
                plan.verdict = Verdict::reject("5.2.2", "message is too large for the mailbox");
                plans.push_back(std::move(plan));
                continue;
            }
            if (options_.check_loops) {
                auto seen = queue::delivered_before(fs_, text, target.address);
                if (!seen || *seen) {
                    plan.verdict =
                        !seen ? failure(seen.error())
                              : Verdict::reject("5.4.6",
                                                cat({"mail forwarding loop for ", target.address}));
                    plans.push_back(std::move(plan));
                    continue;
                }
            }
            const auto& original =
                recipient.original.empty() ? recipient.address : recipient.original;
            std::string headers = queue::mailbox_headers(
                request.sender, options_.original_recipient_header ? original : std::string(),
                target.address);
            mailbox::Delivery delivery;
            delivery.maildir = target.maildir;
            delivery.stem = mailbox::delivery_stem(request.arrival, request.queue_id.str(),
                                                   target.address, options_.myhostname);
            delivery.content = [this, text, headers = std::move(headers)](
                                   mailbox::MessageWriter& out) -> Result<void> {
                TRY(out.write(headers));
                return queue::copy_with_lf(
                    fs_, text, [&](std::string_view bytes) { return out.write(bytes); });
            };
            plan.delivery = group.size();
            group.push_back(std::move(delivery));
            plans.push_back(std::move(plan));
        }
    }
    const auto results = mailbox::deliver(fs_, group);
    std::vector<ipc::DeliverReport> reports(jobs.size());
    for (auto& plan : plans) {
        const auto& job = jobs[plan.job].job;
        if (plan.delivery) {
            const auto& result = results[*plan.delivery];
            plan.verdict =
                result ? Verdict::accept("2.0.0", "delivered to maildir") : failure(result.error());
        }
        reports[plan.job].recipients.push_back(queue::report_delivery(
            job.request, job.request.recipients[plan.recipient], options_.relay,
            job.targets[plan.recipient].address, plan.verdict, started));
    }
    for (std::size_t j = 0; j < jobs.size(); ++j) {
        ipc::Channel connection(std::move(jobs[j].connection));
        auto sent = connection.send(reports[j], Deadline::in(kAnswerWait));
        if (!sent)
            log::warning(jobs[j].job.request.queue_id.str(),
                         cat({"report to qmgr: ", sent.error().what}));
    }
}

}  // namespace postern::local
