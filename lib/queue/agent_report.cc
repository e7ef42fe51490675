#include "lib/queue/agent_report.h"

#include <algorithm>
#include <utility>

#include "lib/ipc/messages/limits.h"
#include "lib/log/log.h"
#include "lib/queue/delivery_log.h"

namespace postern::queue {
namespace {

// Something that may still be tried outweighs everything; then a refusal; then success.
int badness(ipc::Outcome outcome) {
    return outcome == ipc::Outcome::defer ? 2 : outcome == ipc::Outcome::reject ? 1 : 0;
}

}  // namespace

ipc::RecipientReport report_entry(std::uint32_t index, const Verdict& verdict) {
    ipc::RecipientReport report;
    report.index = index;
    report.outcome = verdict.accepted()   ? ipc::Outcome::accept
                     : verdict.rejected() ? ipc::Outcome::reject
                                          : ipc::Outcome::defer;
    report.action = verdict.accepted()   ? ipc::DsnAction::delivered
                    : verdict.rejected() ? ipc::DsnAction::failed
                                         : ipc::DsnAction::delayed;
    report.status = verdict.status.substr(0, 16);
    report.text = verdict.text.substr(0, ipc::kMaxReportText);
    if (!verdict.accepted()) {
        report.diagnostic_type = "x-unix";
        report.diagnostic = report.text;
    }
    return report;
}

ipc::RecipientReport report_delivery(const ipc::DeliverRequest& request,
                                     const ipc::DeliverRecipient& recipient, std::string_view relay,
                                     const std::string& address, Verdict verdict, WallTime started,
                                     const VerdictFilter& filter) {
    if (filter) verdict = filter(std::move(verdict));
    const auto now = SystemClock::instance().now();
    const std::string& original =
        recipient.original.empty() ? recipient.address : recipient.original;
    const std::string line = queue::delivery_line(
        {.to = address.empty() ? recipient.address : address,
         .original = original,
         .relay = relay,
         .times = {request.arrival, request.queue_active, started, started, now},
         .dsn = verdict.status,
         .status = queue::status_word(verdict.kind, request.probe),
         .text = verdict.text});
    log::info(request.queue_id.str(), line);
    return report_entry(recipient.index, verdict);
}

void merge_report(ipc::DeliverReport& all, ipc::RecipientReport more) {
    for (auto& one : all.recipients) {
        if (one.index != more.index) continue;
        if (badness(more.outcome) > badness(one.outcome)) one = std::move(more);
        return;
    }
    all.recipients.push_back(std::move(more));
}

}  // namespace postern::queue
