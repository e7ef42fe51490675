#include "forwarder/delivery.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/log/log.h"
#include "lib/mail/field_addresses.h"
#include "lib/mail/xtext.h"

namespace postern::forwarder {
namespace {

// RFC 3463 3.8, X.7.4 and X.7.5: security features not supported, cryptographic failure.
bool concerns_tls(const Verdict& verdict) {
    return verdict.status == "4.7.4" || verdict.status == "4.7.5";
}

constexpr std::pair<std::uint8_t, std::string_view> kNotifyWords[] = {
    {1, "NEVER"}, {2, "SUCCESS"}, {4, "FAILURE"}, {8, "DELAY"}};
constexpr std::size_t kMaxOrcpt = 500;  // RFC 3461 4.2

// RFC 5321 4.1.2: what is no dot-string is quoted, which tables may have left undone; or, for
// servers that do not know that, no quotes at all (smtp_quote_rfc821_envelope = no).
std::string wire_form(const std::string& address, bool quote) {
    if (address.empty()) return address;
    const std::string_view local = std::string_view(address).substr(0, address.rfind('@'));
    const bool quoted = local.size() > 1 && local.front() == '"' && local.back() == '"';
    if (quote) return quoted ? address : mail::quoted_address(address);
    return quoted ? mail::unquoted_address(address) : address;
}

}  // namespace

Delivery::Delivery(const Tools& tools, ipc::DeliverRequest request, Fd file, OnReport on_report)
    : tools_(tools),
      request_(std::move(request)),
      file_(std::move(file)),
      on_report_(std::move(on_report)),
      attempts_(request_.recipients.size()) {
    times_.arrival = request_.arrival;
    times_.active = request_.queue_active;
    times_.started = tools_.loop.clock().now();
}

Delivery::~Delivery() {
    if (connection_) tools_.pool.give_back(*connection_, false);
}

// The addresses for the world outside; log lines and reports keep ours, as in Postfix.
Result<void> Delivery::map_envelope() {
    const bool quote = tools_.options.quote_envelope;
    TRY_ASSIGN(sender_, tools_.outgoing.generic(request_.sender));
    sender_ = wire_form(sender_, quote);
    for (const auto& to : request_.recipients) {
        TRY_ASSIGN(const std::string address, tools_.outgoing.generic(to.address));
        recipients_.push_back(wire_form(address, quote));
    }
    return {};
}

void Delivery::begin() {
    if (auto mapped = map_envelope(); !mapped) {
        log::warning(
            id(),
            cat({tools_.options.lmtp ? "lmtp" : "smtp",
                 "_generic_maps lookup problem -- deferring delivery: ", mapped.error().what}));
        return give_up(Verdict::defer("4.3.0", "address lookup failure"));
    }
    destination_ = fold_case(request_.next_hop);
    destination_key_ = destination_;
    // Who logs in as its sender must not ride on another sender's connection.
    if (tools_.options.sasl.by_sender) destination_key_ += "\n" + request_.sender;
    // Nor a message that needs TLS on one that was made for a message that does not (RFC 8689 5).
    if (request_.tls_optional) destination_key_ += "\ntls-optional";
    if (Connection* kept = tools_.pool.take_for_destination(destination_key_)) {
        current_ = kept->target();
        had_kept_ = true;
        return use(*kept);
    }
    look_up();
}

void Delivery::look_up() {
    auto hops = parse_next_hops(request_.next_hop, !tools_.options.lmtp);
    if (!hops) {
        return give_up(Verdict::defer("4.3.5", cat({"bad destination: ", hops.error().what})));
    }
    for (const std::string& relay : tools_.options.fallback_relays) {
        if (auto hop = parse_next_hop(relay)) hops->push_back(std::move(hop).value());
    }
    const bool dane = wants_dane(*hops);
    search_ = tools_.finder.find(
        std::move(hops).value(), [this](TargetsOrVerdict found) { on_targets(std::move(found)); },
        dane);
}

// Whether some destination is to be known by its TLSA records. What is wrong with a policy comes up
// when the host is tried.
bool Delivery::wants_dane(const std::vector<NextHop>& hops) {
    if (!tools_.options.tls.dnssec) return false;
    return std::any_of(hops.begin(), hops.end(), [this](const NextHop& hop) {
        const auto policy = tools_.tls.find(hop.text);
        return policy && (policy->level == smtp::TlsLevel::dane ||
                          policy->level == smtp::TlsLevel::dane_only);
    });
}

// ---- for the destination's reports (TLSRPT) ----------------------------------------------------

// Only of mail to a domain: of a host that main.cf names nobody wants to hear. Nor where the sender
// has asked for no policy (RFC 8689 5).
void Delivery::tell_tls(const TlsPolicy& policy, TlsFailure failure, std::string_view why) {
    const bool by_domain = current_ && current_->path.empty() && !current_->domain.empty() &&
                           !current_->hop.starts_with('[');
    if (tools_.reports == nullptr || request_.tls_optional || !by_domain) return;
    TlsAttempt attempt;
    attempt.domain = current_->domain;
    attempt.tlsa_base = policy.tlsa.base;
    attempt.tlsa = policy.tlsa.records;
    attempt.failure = failure;
    attempt.server = current_->host;
    attempt.server_address = current_->address.str();
    if (connection_ != nullptr) attempt.own_address = connection_->own_address();
    attempt.why = why;
    tools_.reports->tell(std::move(attempt));
}

void Delivery::tell_refused_dane(const std::string& why) {
    TlsPolicy policy;
    policy.tlsa = current_->tlsa;
    tell_tls(policy,
             policy.tlsa.state == Tlsa::State::failed  ? TlsFailure::dnssec_invalid
             : policy.tlsa.state == Tlsa::State::found ? TlsFailure::tlsa_invalid
                                                       : TlsFailure::dane_required,
             why);
}

void Delivery::tell_opened() {
    const TlsPolicy& policy = connection_->plan().tls;
    if (policy.level == smtp::TlsLevel::none) return;
    if (!connection_->session().encrypted()) {
        if (!connection_->session().extensions().starttls)
            tell_tls(policy, TlsFailure::starttls_not_supported);
        return;
    }
    if (!connection_->tls_resumed() || tools_.options.report_resumed_tls)
        tell_tls(policy, TlsFailure::none);
}

void Delivery::tell_failed(const smtp::RecipientOutcome& failure) {
    const TlsPolicy& policy = connection_->plan().tls;
    const Verdict& verdict = failure.verdict;
    if (connection_->tls_failed())
        return tell_tls(policy, TlsFailure::validation_failure, verdict.text);
    if (verdict.status == "4.7.4" && failure.reply.empty())
        return tell_tls(policy, TlsFailure::starttls_not_supported, verdict.text);
    if (verdict.status != "4.7.5" || !failure.reply.empty()) return;
    const bool named =
        policy.level == smtp::TlsLevel::verify || policy.level == smtp::TlsLevel::secure;
    tell_tls(policy,
             !named                                ? TlsFailure::validation_failure
             : !connection_->certificate_trusted() ? TlsFailure::certificate_not_trusted
                                                   : TlsFailure::certificate_host_mismatch,
             verdict.text);
}

// A host whose certificate could not be judged: the next one, as Postfix does.
void Delivery::skip_target(const std::string& why) {
    log::info(id(), why);
    attempts_.on_failure({Verdict::defer("4.7.5", why), ""}, nullptr, more_targets());
    proceed();
}

void Delivery::on_targets(TargetsOrVerdict found) {
    search_.reset();
    looked_up_ = true;
    if (auto* verdict = std::get_if<Verdict>(&found)) {
        // RFC 3463 3.5, X.4.6: routing loop.
        if (verdict->status == "5.4.6" && request_.passes_loops) {
            attempts_.loop_back(*verdict);
            return report();
        }
        return give_up(*verdict);
    }
    targets_ = *std::get_if<std::vector<Target>>(&found);
    // The host behind the kept connection has given its answer.
    std::erase_if(targets_, [this](const Target& t) { return t.endpoint() == answered_endpoint_; });
    next_target();
}

bool Delivery::more_targets() const {
    const Options& options = tools_.options;
    return next_target_ < targets_.size() &&
           (options.address_limit == 0 || addresses_tried_ < options.address_limit) &&
           (options.session_limit == 0 || sessions_tried_ < options.session_limit);
}

void Delivery::next_target() {
    if (!more_targets()) {
        return give_up(Verdict::defer("4.4.1", "delivery temporarily suspended"));
    }
    ++addresses_tried_;
    try_target(targets_[next_target_++], Tls::as_planned, true);
}

Result<ConnectionPlan> Delivery::plan_for(const Target& target, Tls tls) {
    ConnectionPlan plan;
    if (tls == Tls::as_planned) {
        TRY_ASSIGN(plan.tls,
                   tools_.tls.find(target.hop.empty() ? destination_ : target.hop, target.host));
        if (request_.tls_optional) plan.tls = tools_.tls.unenforced(std::move(plan.tls));
        auto refused = tools_.tls.settle_dane(plan.tls, target.tlsa, target.host, target.port);
        if (refused) {
            plan.refused = std::move(*refused);
            return plan;
        }
        if (plan.tls.level != smtp::TlsLevel::none) {
            TRY_ASSIGN(plan.context, tools_.tls.context(plan.tls));
        }
    }
    auto login = tools_.passwords.find(request_.sender, target.host, target.hop);
    if (login.failed()) return std::move(login).error();
    plan.destination_key = destination_key_;
    plan.opener = id();
    plan.endpoint_key = cat({target.endpoint(), "\n", plan.tls.key(), "\n"});
    if (!login.found()) return plan;
    plan.endpoint_key += login->user;
    plan.login_key = tools_.passwords.refusal_key(target.host, *login);
    const SteadyTime now = tools_.loop.clock().steady();
    if (const auto* refusal = tools_.passwords.known_refusal(plan.login_key, now)) {
        const std::string text = cat({"SASL [CACHED] authentication failed; server ",
                                      target.peer().with_address(), " said: ", refusal->reply});
        plan.known_refusal = {refusal->status[0] == '5' ? Verdict::reject(refusal->status, text)
                                                        : Verdict::defer(refusal->status, text),
                              refusal->reply};
    }
    plan.authenticator = tools_.passwords.authenticator(std::move(*login));
    return plan;
}

void Delivery::try_target(const Target& target, Tls tls, bool may_reuse) {
    current_ = target;
    had_kept_ = false;
    auto plan = plan_for(target, tls);
    if (!plan) {
        log::warning(id(), plan.error().what);
        return give_up(
            Verdict::defer("4.3.5", cat({"client configuration problem: ", plan.error().what})));
    }
    if (!plan->refused.empty()) {
        tell_refused_dane(plan->refused);
        return skip_target(plan->refused);
    }
    if (plan->known_refusal) {
        attempts_.on_failure(*plan->known_refusal, nullptr, more_targets());
        return proceed();
    }
    if (may_reuse) {
        if (Connection* kept = tools_.pool.take_for_endpoint(plan->endpoint_key)) {
            had_kept_ = true;
            return use(*kept);
        }
    }
    connection_ = &tools_.pool.make(target, std::move(*plan), destination_);
    connection_->open(this);
}

void Delivery::use(Connection& connection) {
    connection_ = &connection;
    transmit();
}

// ---- what the connection tells ------------------------------------------------------------------

void Delivery::on_ready() {
    tell_opened();
    transmit();
}

void Delivery::on_failed() {
    smtp::RecipientOutcome failure = connection_->failure();
    bool reached = connection_->connected();
    bool tls_failed = connection_->tls_failed();
    smtp::PeerName peer = connection_->session().peer();
    const ConnectionPlan& plan = connection_->plan();
    if (reached) tell_failed(failure);
    // Opportunistic: better in plaintext than not at all, once; but no password goes that way.
    const bool plaintext =
        tls_failed && plan.tls.level == smtp::TlsLevel::may && !plan.authenticator;
    // RFC 4954 6: 535 is about the credentials, not about now.
    if (failure.reply.starts_with("535") && plan.authenticator)
        tools_.passwords.note_refusal(plan.login_key, failure.verdict.status, failure.reply,
                                      tools_.loop.clock().steady());
    if (concerns_tls(failure.verdict)) {
        tls_failure_ = failure.verdict.text;
        tls_rule_ = plan.tls.rule;
    }
    tools_.pool.give_back(*std::exchange(connection_, nullptr), false);
    if (plaintext) {
        log::info(id(),
                  cat({failure.verdict.text, ": delivering in plaintext to ", peer.with_port()}));
        return try_target(Target(*current_), Tls::never, false);
    }
    if (reached) ++sessions_tried_;
    // As Postfix: a connection that was refused is no one message's business.
    if (!reached) {
        log::info("", failure.verdict.text);
    } else if (more_targets()) {
        log::info(id(), failure.verdict.text);
    }
    attempts_.on_failure(failure, reached ? &peer : nullptr, more_targets() || !looked_up_);
    proceed();
}

void Delivery::transmit() {
    times_.connected = tools_.loop.clock().now();
    tried_ = attempts_.open();
    smtp::ClientTransaction transaction;
    transaction.sender = sender_;
    transaction.size = request_.body_size;
    transaction.body_8bit = request_.body_8bit;
    transaction.smtputf8 = request_.smtputf8;
    transaction.utf8_header = request_.utf8_header;
    transaction.probe = request_.probe;
    transaction.priority = request_.priority;
    // A local submitter writes his ENVID himself: what is no xtext goes no further.
    if (mail::is_printable_xtext(request_.envid)) transaction.envid = request_.envid;
    if (request_.ret == ipc::DsnReturn::full) transaction.ret = "FULL";
    if (request_.ret == ipc::DsnReturn::headers) transaction.ret = "HDRS";
    if (tools_.options.send_xforward) transaction.origin = origin();
    for (std::size_t i : tried_) {
        const ipc::DeliverRecipient& to = request_.recipients[i];
        smtp::ClientRecipient recipient{recipients_[i], "", mail::orcpt_for_wire(to.orcpt)};
        // RFC 3461 5.2.1: for whoever reports on it, the address as we were given it.
        if (to.orcpt.empty())
            recipient.orcpt = mail::orcpt_of(to.original.empty() ? to.address : to.original);
        if (recipient.orcpt.size() > kMaxOrcpt) recipient.orcpt.clear();
        for (const auto& [bit, word] : kNotifyWords) {
            if (to.notify & bit)
                recipient.notify += cat({recipient.notify.empty() ? "" : ",", word});
        }
        transaction.recipients.push_back(std::move(recipient));
    }
    connection_->start(
        this, std::move(transaction),
        {file_.get(), request_.body_offset, request_.body_size, request_.has_dot_lines, late_end()},
        filter());
}

// What stands between the queue file and the wire; null: nothing.
std::unique_ptr<OutgoingFilter> Delivery::filter() const {
    const smtp::ClientSession& session = connection_->session();
    const bool convert =
        tools_.options.convert_8bit && request_.body_8bit && !session.extensions().eight_bit_mime;
    if (!convert && !tools_.outgoing.changes_text()) return nullptr;
    if (convert)
        log::story(id(), cat({"8-bit content becomes quoted-printable: 8BITMIME is not offered by ",
                              session.peer().with_address()}));
    return std::make_unique<OutgoingFilter>(
        tools_.outgoing, id(),
        convert ? OutgoingFilter::Bits::seven : OutgoingFilter::Bits::as_they_are);
}

// A message that did not get through the firewall before gets its end later.
bool Delivery::late_end() const {
    const smtp::ClientSession& session = connection_->session();
    return session.behind_pix() && session.options().pix.delay_dotcrlf &&
           times_.connected - request_.arrival >= tools_.options.pix_threshold;
}

// Where the message came from, as XFORWARD tells it.
smtp::Forwarded Delivery::origin() const {
    smtp::Forwarded from;
    from.name = request_.client_name;
    from.address = request_.client_address;
    from.port = request_.client_port;
    from.protocol = request_.protocol;
    from.helo = request_.helo;
    from.ident = request_.log_ident.empty() ? request_.queue_id.str() : request_.log_ident;
    from.local = !request_.from_network;
    return from;
}

void Delivery::on_finished() {
    const smtp::ClientSession& session = connection_->session();
    if (had_kept_ && session.lost_before_end()) {
        // The server had closed the kept connection: not its last word about this message.
        tools_.pool.give_back(*std::exchange(connection_, nullptr), false);
        return try_target(Target(*current_), Tls::as_planned, false);
    }
    ++sessions_tried_;
    if (!session.complaint().empty()) log::warning(request_.queue_id.str(), session.complaint());
    bool more = more_targets() || !looked_up_;
    attempts_.on_outcomes(tried_, session.outcomes(), session.peer(), session.extensions().dsn,
                          more);
    if (more) log_kept_open(tried_);
    tools_.pool.give_back(*std::exchange(connection_, nullptr), request_.connection_may_cache);
    proceed();
}

// Postfix logs a temporary refusal that is followed by another host.
void Delivery::log_kept_open(const std::vector<std::size_t>& tried) const {
    for (std::size_t i : tried) {
        const Decision& decision = attempts_[i];
        if (!decision.final) log::info(id(), decision.outcome.verdict.text);
    }
}

// ---- on to the next host, or the end ------------------------------------------------------------

void Delivery::proceed() {
    if (attempts_.done()) return report();
    // A kept connection was tried before any lookup: the other hosts are found now.
    if (!looked_up_ && current_) {
        answered_endpoint_ = current_->endpoint();
        return look_up();
    }
    next_target();
}

void Delivery::give_up(const Verdict& verdict) {
    attempts_.give_up(verdict);
    report();
}

void Delivery::log_recipient(std::size_t i, const Decision& decision) {
    const Verdict& verdict = decision.outcome.verdict;
    queue::DeliveryLine line;
    line.to = request_.recipients[i].address;
    line.original = request_.recipients[i].original;
    line.relay = decision.relay;
    line.times = times_;
    line.dsn = verdict.status;
    line.status = queue::status_word(verdict.kind, request_.probe);
    line.text = verdict.text;
    const bool by_rule = !tls_rule_.empty() && verdict.text == tls_failure_;
    log::info(id(), queue::delivery_line(line), {log::kv("rule", by_rule ? tls_rule_ : "")});
}

void Delivery::report() {
    times_.finished = tools_.loop.clock().now();
    ipc::DeliverReport message;
    for (std::size_t i = 0; i < request_.recipients.size(); ++i) {
        attempts_.retell(i, tools_.options.status_filter);
        if (!attempts_[i].loops_back) log_recipient(i, attempts_[i]);
        message.recipients.push_back(
            make_report(request_.recipients[i].index, attempts_[i], tools_.options.assume_final));
    }
    on_report_(message);
}

}  // namespace postern::forwarder
