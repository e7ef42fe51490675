// The agents that deliver nowhere: see error_agent.h.
#include "bounce/error_agent.h"

#include <chrono>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/delivery_log.h"

namespace postern::bounce {
namespace {

using namespace std::chrono_literals;

// "5.7.1 no such thing" -> {"5.7.1", "no such thing"}; no code: {"", all}. RFC 3463 2.
std::pair<std::string_view, std::string_view> split_status(std::string_view text) {
    std::string_view code = text.substr(0, text.find(' '));
    auto parts = split(code, '.');
    if (parts.size() != 3 || parts[0].size() != 1) return {"", text};
    for (std::string_view part : parts) {
        if (!parse_number<unsigned>(part) || part.size() > 3) return {"", text};
    }
    return {code, trim(text.substr(code.size()))};
}

ipc::Outcome outcome_of(const Verdict& verdict) {
    if (verdict.accepted()) return ipc::Outcome::accept;
    return verdict.rejected() ? ipc::Outcome::reject : ipc::Outcome::defer;
}

ipc::DsnAction action_of(const Verdict& verdict) {
    if (verdict.accepted()) return ipc::DsnAction::delivered;
    return verdict.rejected() ? ipc::DsnAction::failed : ipc::DsnAction::delayed;
}

}  // namespace

Verdict verdict_of(std::string_view agent, std::string_view next_hop) {
    auto [code, text] = split_status(trim(next_hop));
    Verdict::Kind kind = Verdict::Kind::reject;
    if (agent == "retry") kind = Verdict::Kind::defer;
    if (agent == "discard") kind = Verdict::Kind::accept;
    // error:4.x.x defers: the code says so.
    if (kind == Verdict::Kind::reject && code.starts_with('4')) kind = Verdict::Kind::defer;
    char wanted = kind == Verdict::Kind::accept ? '2' : kind == Verdict::Kind::defer ? '4' : '5';
    std::string status =
        code.starts_with(wanted) ? std::string(code) : cat({std::string(1, wanted), ".0.0"});
    std::string_view fallback =
        kind == Verdict::Kind::accept ? "mail discarded" : "mail not deliverable";
    return {kind, status, std::string(text.empty() ? fallback : text)};
}

void ErrorAgent::take_request(ipc::Channel& channel) {
    auto packet = channel.receive_packet(Deadline::in(10s));
    if (!packet) return;
    auto request = packet->as<ipc::DeliverRequest>();
    if (!request) return log::warning(packet->trace(), request.error().what);
    if (auto sent = channel.send(deliver(*request), Deadline::in(10s)); !sent) {
        log::warning(request->queue_id.str(), sent.error().what);
    }
}

ipc::DeliverReport ErrorAgent::deliver(const ipc::DeliverRequest& request) const {
    WallTime started = SystemClock::instance().now();
    Verdict verdict = verdict_of(kind_, request.next_hop);
    ipc::DeliverReport result;
    for (const ipc::DeliverRecipient& recipient : request.recipients) {
        ipc::RecipientReport report;
        report.index = recipient.index;
        report.outcome = outcome_of(verdict);
        report.status = verdict.status;
        report.text = printable(verdict.text, ipc::kMaxReportText);
        report.action = action_of(verdict);
        queue::DeliveryLine line;
        line.to = recipient.address;
        line.original = recipient.original;
        line.relay = "none";
        line.times = {
            request.arrival, request.queue_active, started, {}, SystemClock::instance().now()};
        line.dsn = verdict.status;
        line.status = queue::status_word(verdict.kind, request.probe);
        line.text = verdict.text;
        log::info(request.queue_id.str(), queue::delivery_line(line));
        result.recipients.push_back(std::move(report));
    }
    return result;
}

}  // namespace postern::bounce
