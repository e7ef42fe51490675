// The Dispatcher's answer to policy: is there room in the mailbox that mail for an address goes to?
#include <variant>

#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/sys/users.h"

#include "local/dispatch_work.h"
#include "local/quota_probe.h"

namespace postern::local {
namespace {

constexpr Millis kQuotaAnswerWait{10'000};

}  // namespace

// The recipient's place is looked for as for a delivery; who has more than one, or none with a
// quota, is told by the delivery.
Result<void> Dispatcher::answer_quota(const ipc::QuotaQuestion& question,
                                      ipc::Channel& connection) {
    const auto yes = [&] {
        return connection.send(ipc::QuotaAnswer{}, Deadline::in(kQuotaAnswerWait));
    };
    ipc::DeliverRequest request;
    ipc::DeliverRecipient recipient;
    recipient.address = question.recipient;
    TRY_ASSIGN(const Plan plan, ask_planner(question.recipient));
    Work imagined;
    const bool single = plan.kind == PlanKind::mailbox || plan.kind == PlanKind::user;
    if (!single) return yes();
    const Verdict verdict = plan.kind == PlanKind::mailbox
                                ? to_mailbox(imagined, request, recipient, plan)
                                : to_user(imagined, request, recipient, plan);
    if (!verdict.accepted() || imagined.jobs.size() != 1) return yes();
    const auto* job = std::get_if<MailboxJob>(&imagined.jobs[0].job);
    if (job == nullptr || !has_quota(job->targets[0])) return yes();
    auto forked = Processes::fork_once([&] {
        auto ready = take_place(imagined.jobs[0].place);
        if (!ready) return log::error("", ready.error().what);
        const auto answer =
            probe_quota(sys::RealFs::instance(), job->targets[0], options_, question.size);
        (void)connection.send(answer, Deadline::in(kQuotaAnswerWait)).has_value();
    });
    return forked ? Result<void>() : std::move(forked).error();
}

Result<void> Dispatcher::take_place(const Place& place) const {
    TRY(sys::become_user(place.uid, place.gid, place.user));
    return service::restrict_to_home(place.folder, place.also);
}

}  // namespace postern::local
