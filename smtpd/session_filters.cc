// The parts of the driver that ask others: policy, peername, milters (through cleanup). See
// session_driver.h.
#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"

#include "smtpd/session_driver.h"

namespace postern::smtpd {
namespace {

ipc::PolicyStage stage_of(smtp::Stage stage) {
    switch (stage) {
        case smtp::Stage::connect: return ipc::PolicyStage::connect;
        case smtp::Stage::helo: return ipc::PolicyStage::helo;
        case smtp::Stage::mail: return ipc::PolicyStage::mail;
        case smtp::Stage::rcpt: return ipc::PolicyStage::rcpt;
        case smtp::Stage::data: return ipc::PolicyStage::data;
        case smtp::Stage::end_of_data: return ipc::PolicyStage::end_of_data;
        case smtp::Stage::vrfy: return ipc::PolicyStage::vrfy;
        case smtp::Stage::etrn: return ipc::PolicyStage::etrn;
    }
    return ipc::PolicyStage::rcpt;
}

}  // namespace

// --- The client's name ---

// Only this client waits, and not for long; without an answer it is unknown.
void SessionDriver::ask_name() {
    waiting_ = Waiting::name;
    shared_.names.call<ipc::NameAnswer>(
        ipc::NameQuestion{address()}, shared_.options.name_timeout,
        [weak = weak_from_this()](Result<ipc::NameAnswer> answer) {
            const auto self = weak.lock();
            if (self && !self->over_ && !self->closing_) self->on_name(answer);
        },
        id_.str());
}

void SessionDriver::on_name(const Result<ipc::NameAnswer>& answer) {
    waiting_ = Waiting::nothing;
    if (!answer) log::warning("", answer.error().what);
    if (answer && !answer->warning.empty()) log::warning("", printable(answer->warning));
    if (answer && !answer->reverse_name.empty()) reverse_name_ = printable(answer->reverse_name);
    if (answer && !answer->name.empty()) client_name_ = printable(answer->name);
    know_client();
}

// --- Milters, which cleanup speaks to ---

void SessionDriver::ask_milters(smtp::Stage stage) {
    waiting_ = Waiting::milter;
    milter_stage_ = stage;
    timer_.start(shared_.options.cleanup_timeout);
    auto sent = send_milter_event(stage);
    if (sent) return;
    // Not from inside our own calls.
    shared_.loop.post([weak = weak_from_this(), error = std::move(sent).error()] {
        if (const auto self = weak.lock()) self->on_milter_answer(error);
    });
}

Result<void> SessionDriver::send_milter_event(smtp::Stage stage) {
    if (!milter_link_) {
        TRY_ASSIGN(milter_link_, shared_.cleanup.connect());
    }
    milter_link_->set_handler({[weak = weak_from_this()](const ipc::Packet& packet) {
                                   if (const auto self = weak.lock())
                                       self->on_milter_answer(packet.as<ipc::MilterAnswer>());
                               },
                               [weak = weak_from_this()](const Error& error) {
                                   const auto self = weak.lock();
                                   if (!self) return;
                                   self->milter_link_.reset();
                                   self->on_milter_answer(error);
                               }});
    return milter_link_->channel().send(milter_event(stage), id_.str());
}

void SessionDriver::on_milter_answer(const Result<ipc::MilterAnswer>& answer) {
    if (waiting_ != Waiting::milter || over_ || closing_) return;
    timer_.stop();
    if (!answer) {
        log::warning("", cat({"milters: ", answer.error().what}));
        milter_link_.reset();
        return resume(
            session_.on_answer(smtp::Answer::refuse(451, "4.3.0", "Error: mail filter failure")));
    }
    if (answer->accepted) return resume(session_.on_answer(smtp::Answer::accept()));
    milter_refused_ = true;
    rule_.refused = answer->rule;
    if (milter_stage_ == smtp::Stage::connect) {
        // As Postfix has it: what the milter says is not for a client that is not served at all.
        const bool later = answer->smtp_code < 500;
        auto refusal = smtp::Answer::refuse(
            later ? 421 : 554, "",
            cat({shared_.options.engine.hostname, later ? " Service unavailable - try again later"
                                                        : " ESMTP not accepting connections"}));
        return resume(session_.on_answer(refusal));
    }
    const auto [status, text] =
        split_once(answer->text, ' ')
            .value_or(std::pair<std::string_view, std::string_view>(answer->text, ""));
    auto refusal = smtp::Answer::refuse(answer->smtp_code, status, printable(text, ipc::kMaxText));
    refusal.disconnect = answer->disconnect;
    resume(session_.on_answer(refusal));
}

ipc::MilterEvent SessionDriver::milter_event(smtp::Stage stage) const {
    const auto& from = session_.envelope();
    ipc::MilterEvent event;
    event.stage = stage == smtp::Stage::connect ? ipc::MilterStage::connect
                  : stage == smtp::Stage::helo  ? ipc::MilterStage::helo
                  : stage == smtp::Stage::mail  ? ipc::MilterStage::mail
                                                : ipc::MilterStage::rcpt;
    event.service = shared_.options.service;
    event.session = id_;
    event.client_name = client_name_;
    event.reverse_name = reverse_name_;
    event.client_address = address();
    event.server_address = server_address_;
    event.client_port = client_port_;
    event.server_port = server_port_;
    event.helo = stage == smtp::Stage::helo ? session_.asked_helo() : session_.helo();
    event.esmtp = session_.esmtp();
    if (stage == smtp::Stage::mail) {
        event.address = from.sender;
        if (from.mail.size > 0)
            event.parameters.push_back(cat({"SIZE=", std::to_string(from.mail.size)}));
        if (from.mail.body == smtp::Body::eight_bit) event.parameters.emplace_back("BODY=8BITMIME");
    }
    if (stage == smtp::Stage::rcpt) event.address = session_.recipient();
    event.sasl_username = session_.user();
    if (!event.sasl_username.empty()) event.sasl_method = session_.auth_method();
    event.sasl_sender = from.mail.auth;
    event.tls_protocol = tls_.protocol;
    event.tls_cipher = tls_.cipher;
    event.tls_bits = static_cast<std::uint32_t>(tls_.cipher_bits);
    if (tls_.peer_verified) {
        event.certificate_subject = printable(tls_.peer_name, ipc::kMaxName);
        event.certificate_issuer = printable(tls_.issuer_name, ipc::kMaxName);
    }
    return event;
}

// --- ETRN ---

void SessionDriver::run(smtp::Flush&& flush) {
    waiting_ = Waiting::flush;
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::flush_site;
    order.site = flush.site;
    shared_.qmgr.call<ipc::QueueControlAnswer>(
        order, shared_.options.ask_timeout,
        [weak = weak_from_this(), site = flush.site](Result<ipc::QueueControlAnswer> answer) {
            const auto self = weak.lock();
            if (!self || self->over_ || self->closing_) return;
            const bool not_served = answer && answer->not_served;
            if (not_served) {
                log::warning("", cat({"reject: ETRN ", site, "... from ", self->client_}));
            } else if (!answer || !answer->ok) {
                log::warning("", cat({"ETRN ", site, " from ", self->client_, ": ",
                                      answer ? answer->text : answer.error().what}));
            }
            self->resume(self->session_.on_flushed(not_served ? smtp::Flushed::not_served
                                                   : answer && answer->ok ? smtp::Flushed::begun
                                                                          : smtp::Flushed::failed));
        },
        id_.str());
}

// --- Cleanup ---

ipc::SubmitOpen SessionDriver::envelope() const {
    const auto& from = session_.envelope();
    ipc::SubmitOpen to;
    to.origin = ipc::Origin::smtp;
    to.session = id_;
    to.sender = from.sender;
    to.body_8bit = from.mail.body == smtp::Body::eight_bit;
    to.smtputf8 = from.mail.smtputf8;
    to.client_name = client_name_;
    to.reverse_name = reverse_name_;
    to.client_address = address_;
    to.client_port = client_port_;
    to.helo = session_.helo();
    to.protocol = session_.protocol();
    to.sasl_username = session_.user();
    if (!to.sasl_username.empty()) to.sasl_method = session_.auth_method();
    to.sasl_sender = from.mail.auth;
    to.priority = from.priority;
    to.release = from.release;
    to.name_login = shared_.options.name_login;
    if (shared_.options.tls_received_header) {
        to.tls_protocol = tls_.protocol;
        to.tls_peer = certificate_note();
    }
    to.tls_cipher = tls_.cipher;
    to.tls_bits = static_cast<std::uint32_t>(tls_.cipher_bits);
    to.hide_client = shared_.options.hide_client;
    to.verp = from.mail.verp;
    to.envid = from.mail.envid;
    to.ret = from.mail.ret == "FULL"   ? ipc::DsnReturn::full
             : from.mail.ret == "HDRS" ? ipc::DsnReturn::headers
                                       : ipc::DsnReturn::unset;
    to.size_hint = from.mail.size;
    to.no_address_mappings = shared_.options.overrides.no_address_mappings;
    to.no_header_body_checks = shared_.options.overrides.no_header_body_checks;
    to.no_milters = shared_.options.overrides.no_milters;
    to.has_milters = shared_.options.milters;
    to.content_filter = shared_.options.content_filter;
    const auto ip = IpAddress::parse(address_);
    const bool ours = ip && (*ip == local_.ip() || ip->is_loopback());
    to.rewrite_headers = (ours && shared_.options.rewrite_own) || rewrites_headers_ ||
                         (shared_.options.rewrite_authenticated && !session_.user().empty());
    if (const auto& origin = session_.forwarded()) {
        to.forwarded = true;
        to.origin_name = origin->name;
        to.origin_address = origin->address;
        to.origin_port = origin->port;
        to.origin_protocol = origin->protocol;
        to.origin_helo = origin->helo;
        to.origin_ident = origin->ident;
        to.rewrite_headers = origin->local;
    }
    to.actions = client_actions_;
    for (const auto& action : mail_actions_)
        if (to.actions.size() < ipc::kMaxMailActions) to.actions.push_back(action);
    to.recipients.reserve(from.recipients.size());
    for (const auto& recipient : from.recipients) {
        to.recipients.push_back({recipient.address, {}, recipient.notify, recipient.orcpt});
    }
    return to;
}

// --- The filter before the queue ---

// What the filter before the queue said, in Postfix's words.
void SessionDriver::log_proxy_result() {
    const bool accepted = result_->outcome == ipc::Outcome::accept;
    if (result_->smtp_code == 0) return;  // its failure has been logged
    const auto& envelope = session_.envelope();
    std::string line = cat({accepted ? "proxy-accept" : "proxy-reject", ": END-OF-MESSAGE from ",
                            client_, ": ", std::to_string(result_->smtp_code), " ", result_->status,
                            " ", printable(result_->text, 200), "; from=<", envelope.sender, ">"});
    if (!envelope.recipients.empty())
        line += cat({" to=<", envelope.recipients.front().address, ">"});
    line += cat({" proto=", session_.log_protocol()});
    if (!session_.helo().empty()) line += cat({" helo=<", session_.helo(), ">"});
    log::info("NOQUEUE", line, {log::kv("client", client_), log::kv("rule", "smtpd_proxy_filter")});
}

// --- Policy ---

ipc::PolicyQuestion SessionDriver::question(smtp::Stage stage) const {
    ipc::PolicyQuestion q;
    q.stage = stage_of(stage);
    q.service = shared_.options.service;
    q.session = id_;
    q.client_address = address_;
    q.client_name = client_name_;
    q.reverse_name = reverse_name_;
    q.client_port = client_port_;
    q.server_address = server_address_;
    q.server_port = server_port_;
    q.protocol = session_.protocol();
    q.helo = session_.helo();
    if (session_.envelope().open || stage == smtp::Stage::mail)
        q.sender = session_.envelope().sender;
    if (stage == smtp::Stage::rcpt || stage == smtp::Stage::vrfy || stage == smtp::Stage::etrn)
        q.recipient = session_.recipient();
    q.recipient_count = static_cast<std::uint32_t>(session_.envelope().recipients.size());
    q.size = session_.envelope().mail.size;
    q.sasl_username = session_.user();
    if (!q.sasl_username.empty()) q.sasl_method = session_.auth_method();
    q.tls_protocol = tls_.protocol;
    q.tls_cipher = tls_.cipher;
    q.tls_bits = static_cast<std::uint32_t>(tls_.cipher_bits);
    q.certificate_trusted = tls_.peer_certificate && tls_.peer_verified;
    if (q.certificate_trusted) {
        q.certificate_subject = printable(tls_.peer_name, ipc::kMaxName);
        q.certificate_issuer = printable(tls_.issuer_name, ipc::kMaxName);
    }
    if (tls_.peer_fingerprints.size() == 2) {
        q.certificate_fingerprint = tls_.peer_fingerprints[0];
        q.key_fingerprint = tls_.peer_fingerprints[1];
    }
    q.queue_id = queue_id_;
    return q;
}

}  // namespace postern::smtpd
