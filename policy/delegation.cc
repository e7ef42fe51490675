#include "policy/delegation.h"

#include <poll.h>

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/config/policy_service.h"
#include "lib/log/log.h"
#include "lib/table/source.h"

namespace postern::policy {
namespace {

constexpr std::size_t kMaxLine = 4096;
constexpr int kMaxLines = 100;
constexpr std::size_t kMaxKept = 20;

std::string_view state_of(ipc::PolicyStage stage) {
    switch (stage) {
        case ipc::PolicyStage::connect: return "CONNECT";
        case ipc::PolicyStage::helo: return "EHLO";
        case ipc::PolicyStage::mail: return "MAIL";
        case ipc::PolicyStage::rcpt: return "RCPT";
        case ipc::PolicyStage::data: return "DATA";
        case ipc::PolicyStage::end_of_data: return "END-OF-MESSAGE";
        case ipc::PolicyStage::vrfy: return "VRFY";
        default: return "ETRN";
    }
}

}  // namespace

Result<DelegationTarget> DelegationTarget::parse(std::string_view text,
                                                 const DelegationOptions& base) {
    TRY_ASSIGN(auto service, config::PolicyService::parse(text));
    DelegationTarget target{std::move(service.address), base};
    const auto take = [](const auto& own, auto& value) {
        if (own) value = *own;
    };
    take(service.timeout, target.options.timeout);
    take(service.retry_delay, target.options.retry_delay);
    take(service.max_idle, target.options.max_idle);
    take(service.max_ttl, target.options.max_ttl);
    take(service.try_limit, target.options.try_limit);
    take(service.request_limit, target.options.request_limit);
    take(service.default_action, target.options.default_action);
    take(service.context, target.options.context);
    return target;
}

std::string delegation_request(const ipc::PolicyQuestion& q, const std::string& context) {
    std::string out;
    const auto add = [&out](std::string_view name, std::string_view value) {
        out += cat({name, "=", printable(value, kMaxLine), "\n"});
    };
    add("request", "smtpd_access_policy");
    add("protocol_state", state_of(q.stage));
    add("protocol_name", q.protocol.starts_with("ESMTP") ? "ESMTP" : q.protocol);
    add("client_address", q.client_address);
    add("client_name", q.client_name);
    add("client_port", std::to_string(q.client_port));
    add("reverse_client_name", q.reverse_name);
    add("server_address", q.server_address);
    add("server_port", std::to_string(q.server_port));
    add("helo_name", q.helo);
    add("sender", q.sender);
    const bool etrn = q.stage == ipc::PolicyStage::etrn;
    add("recipient", etrn ? "" : q.recipient);
    add("recipient_count",
        std::to_string(q.stage == ipc::PolicyStage::rcpt ? 0 : q.recipient_count));
    add("queue_id", q.queue_id.str());
    add("instance", q.session.str());
    add("size", std::to_string(q.size));
    add("etrn_domain", etrn ? q.recipient : "");
    out += "stress=\n";
    add("sasl_method", q.sasl_method);
    add("sasl_username", q.sasl_username);
    add("sasl_sender", "");
    add("ccert_subject", q.certificate_subject);
    add("ccert_issuer", q.certificate_issuer);
    add("ccert_fingerprint", q.certificate_fingerprint);
    add("ccert_pubkey_fingerprint", q.key_fingerprint);
    add("encryption_protocol", q.tls_protocol);
    add("encryption_cipher", q.tls_cipher);
    add("encryption_keysize", std::to_string(q.tls_bits));
    add("policy_context", context);
    return out;
}

// smtpd_policy_service_max_idle and its kind.
bool Delegation::Kept::worn_out(const DelegationOptions& options, SteadyTime now) const {
    return now - used > options.max_idle || now - made > options.max_ttl ||
           (options.request_limit > 0 && requests >= options.request_limit);
}

Result<std::string> Delegation::attempt(const DelegationTarget& target,
                                        const std::string& request) {
    const auto deadline = Deadline::in(target.options.timeout);
    const auto now = clock_.steady();
    auto at = kept_.find(target.address);
    if (at != kept_.end() && at->second.worn_out(target.options, now)) {
        kept_.erase(at);
        at = kept_.end();
    }
    if (at == kept_.end()) {
        if (kept_.size() >= kMaxKept) kept_.clear();
        TRY_ASSIGN(auto stream, table::Stream::connect(target.address, deadline));
        at = kept_.emplace(target.address, Kept{std::move(stream), now, now}).first;
    }
    table::Stream& stream = at->second.stream;
    at->second.used = now;
    ++at->second.requests;
    TRY(stream.send(request + "\n", deadline));
    std::string action;
    for (int i = 0; i < kMaxLines; ++i) {
        TRY_ASSIGN(const std::string line, stream.read_until('\n', kMaxLine, deadline));
        if (line.empty() && !action.empty()) return action;
        if (line.empty()) return Error{Errc::invalid, "answer without an action"};
        if (line.starts_with("action=")) action = trim(line.substr(7));
    }
    return Error{Errc::invalid, "answer too long"};
}

std::string Delegation::ask(const DelegationTarget& target, const ipc::PolicyQuestion& question) {
    const std::string request = delegation_request(question, target.options.context);
    // A kept connection may have been closed meanwhile: that costs no attempt.
    const bool kept = kept_.contains(target.address);
    for (std::size_t i = 0; i < target.options.try_limit + (kept ? 1 : 0); ++i) {
        if (i > (kept ? 1u : 0u))
            poll(nullptr, 0, static_cast<int>(target.options.retry_delay.count()));
        auto action = attempt(target, request);
        if (action) return *action;
        kept_.erase(target.address);
        if (i > 0 || !kept)
            log::warning(question.session.str(), cat({"problem talking to server ", target.address,
                                                      ": ", action.error().what}));
    }
    return target.options.default_action;
}

}  // namespace postern::policy
