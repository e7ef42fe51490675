// Agents: see agents.h. An agent that dies without a report has delivered or not, nobody knows: the
// recipients are deferred, which may deliver twice but loses nothing.
#include "qmgr/agents.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mail/verp.h"

namespace postern::qmgr {
namespace {

ipc::DsnReturn return_option(std::string_view value) {
    if (value == "full") return ipc::DsnReturn::full;
    return value == "hdrs" ? ipc::DsnReturn::headers : ipc::DsnReturn::unset;
}

ipc::RecipientReport deferral(std::uint32_t index, const Verdict& reason) {
    ipc::RecipientReport report;
    report.index = index;
    report.outcome = ipc::Outcome::defer;
    report.status = reason.status;
    report.text = reason.text;
    report.action = ipc::DsnAction::delayed;
    return report;
}

DeliveryResult no_answer(const ipc::DeliverRequest& request, const Error& error) {
    DeliveryResult result;
    result.silent = false;
    bool unreachable = error.code == Errc::not_found || error.code == Errc::denied ||
                       error.code == Errc::temporary;
    result.outcome =
        unreachable ? Scheduler::Outcome::transport_down : Scheduler::Outcome::site_down;
    result.reason = Verdict::defer(
        "4.3.0", unreachable ? "mail transport unavailable" : "unknown mail transport error");
    for (const auto& recipient : request.recipients)
        result.reports.push_back(deferral(recipient.index, result.reason));
    return result;
}

// The status must say what the outcome says: an agent's slip must not turn a deferral into a
// bounce.
void make_consistent(ipc::RecipientReport& report) {
    char wanted = report.outcome == ipc::Outcome::accept   ? '2'
                  : report.outcome == ipc::Outcome::reject ? '5'
                                                           : '4';
    if (report.status.size() < 5 || report.status[0] != wanted)
        report.status = cat({std::string(1, wanted), ".0.0"});
}

}  // namespace

ipc::DeliverRequest make_request(const ActiveMessage& message, const std::string& transport,
                                 const std::string& next_hop,
                                 std::span<const std::uint32_t> recipients) {
    const queue::Envelope& envelope = message.envelope();
    ipc::DeliverRequest request;
    request.queue_id = envelope.id;
    request.service = transport;
    request.next_hop = next_hop;
    const std::string_view verp = envelope.attribute(queue::attribute::kVerp);
    request.sender = envelope.sender;
    if (!verp.empty() && !recipients.empty())
        request.sender = mail::verp_sender(
            envelope.sender, verp, envelope.recipients.at(recipients.front()).shown_original());
    request.envid = envelope.attribute(queue::attribute::kEnvid);
    request.ret = return_option(envelope.attribute(queue::attribute::kRet));
    request.body_offset = message.message.body.offset;
    request.body_size = message.message.body.size;
    request.has_dot_lines = envelope.has(queue::kHasDotLines);
    request.body_8bit = envelope.has(queue::kBody8bit);
    request.smtputf8 = envelope.has(queue::kSmtpUtf8);
    request.utf8_header = envelope.has(queue::kUtf8Header);
    request.tls_optional = envelope.has(queue::kTlsOptional);
    request.probe = envelope.is_probe();
    request.priority = envelope.priority();
    request.arrival = envelope.arrival;
    request.queue_active = message.since;
    request.client_name = envelope.attribute(queue::attribute::kClientName);
    request.client_address = envelope.attribute(queue::attribute::kClientAddress);
    request.client_port = envelope.attribute(queue::attribute::kClientPort);
    request.log_ident = envelope.attribute(queue::attribute::kLogIdent);
    request.from_network = envelope.attribute(queue::attribute::kRewriteContext) == "remote";
    request.helo = envelope.attribute(queue::attribute::kHelo);
    request.protocol = envelope.attribute(queue::attribute::kProtocol);
    request.sasl_username = envelope.attribute(queue::attribute::kSaslUsername);

    std::size_t bytes = 0;
    for (std::uint32_t index : recipients) {
        const queue::Recipient& recipient = envelope.recipients.at(index);
        bytes +=
            recipient.address.size() + recipient.original.size() + recipient.orcpt.size() + 100;
        bool full = !verp.empty() || bytes > ipc::kRecipientBudget ||
                    request.recipients.size() == ipc::kMaxRecipientsPerMessage;
        if (full && !request.recipients.empty()) break;
        request.recipients.push_back(
            {index, recipient.address, recipient.original, recipient.notify, recipient.orcpt});
    }
    return request;
}

DeliveryResult judge(const ipc::DeliverRequest& request, const Result<ipc::DeliverReport>& answer) {
    if (!answer) return no_answer(request, answer.error());
    DeliveryResult result;
    std::size_t down = 0;
    for (const auto& recipient : request.recipients) {
        auto report = std::find_if(answer->recipients.begin(), answer->recipients.end(),
                                   [&](const auto& one) { return one.index == recipient.index; });
        if (report == answer->recipients.end()) {
            result.reports.push_back(
                deferral(recipient.index, Verdict::defer("4.3.0", "unknown mail transport error")));
            continue;
        }
        result.reports.push_back(*report);
        make_consistent(result.reports.back());
        if (report->site_down && report->outcome == ipc::Outcome::defer) {
            ++down;
            result.reason = Verdict::defer(result.reports.back().status, report->text);
        }
    }
    if (down == request.recipients.size()) result.outcome = Scheduler::Outcome::site_down;
    return result;
}

ipc::Client& Agents::client_for(const std::string& transport) {
    auto [place, is_new] = clients_.try_emplace(transport);
    if (is_new)
        place->second = std::make_unique<ipc::Client>(loop_, cat({directory_, "/", transport}),
                                                      ipc::Client::Connections::offered);
    return *place->second;
}

void Agents::deliver(const ipc::DeliverRequest& request, int queue_file,
                     std::function<void(DeliveryResult)> done) {
    std::array<int, 1> descriptors{queue_file};
    client_for(request.service)
        .call<ipc::DeliverReport>(
            request, timeout_,
            [request, done = std::move(done)](const Result<ipc::DeliverReport>& answer) {
                if (!answer) {
                    log::warning(request.queue_id.str(),
                                 cat({"transport ", request.service, ": ", answer.error().what}));
                }
                done(judge(request, answer));
            },
            request.queue_id.str(), descriptors);
}

}  // namespace postern::qmgr
