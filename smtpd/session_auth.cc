// SASL in a session of smtpd: what is offered, and whom the exchange is carried to: our own auth
// service, or a Dovecot. See session_driver.h.
#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"

#include "smtpd/session_driver.h"

namespace postern::smtpd {

// --- With our auth service ---

// With a Dovecot this is its word: ask_mechanisms().
void SessionDriver::offer_mechanisms() {
    if (shared_.dovecot) return;
    const auto& options = shared_.options;
    session_.set_mechanisms(options.mechanism_names(false, {}),
                            options.mechanism_names(true, security()));
}

sasl::Security SessionDriver::security() const {
    if (!stream_->secured()) return {};
    return {
        .channel_binding = shared_.options.mechanisms.binds() && stream_->channel_bindings().any(),
        .certificate = !service::certificate_user(shared_.options.certificate_name, tls_).empty()};
}

void SessionDriver::run(smtp::Authenticate&& login) {
    waiting_ = Waiting::auth;
    timer_.stop();
    expecting_ = false;
    if (shared_.dovecot) return relay(std::move(login));
    const crypto::WipeGuard guard(login.response);
    if (login.carried) {
        auto decoded = base64_decode(login.response);
        crypto::wipe(login.response);
        login.response = decoded.value_or("");
        if (decoded) crypto::wipe(*decoded);
    }
    auto done = [weak = weak_from_this()](Result<ipc::AuthAnswer> answer) {
        const auto self = weak.lock();
        if (self && !self->over_ && !self->closing_) self->on_auth_answer(answer);
    };
    if (login.goes_on) return auth_.respond(login.response, std::move(done));
    ipc::AuthRequest request = auth_request();
    const crypto::WipeGuard request_guard(request.response);
    request.mechanism = login.carried ? login.method : "PLAIN";
    request.has_response = login.has_response;
    request.response = login.response;
    auth_.begin(request, std::move(done));
}

// Who asks, and what of his connection matters to auth.
ipc::AuthRequest SessionDriver::auth_request() const {
    ipc::AuthRequest request;
    request.session = id_;
    request.protocol = ipc::AuthProtocol::smtp;
    request.client_address = address_;
    request.secured = stream_->secured() || peer_.ip().is_loopback();
    if (!stream_->secured()) return request;
    auto bindings = stream_->channel_bindings();
    request.tls_exporter = std::move(bindings.exporter);
    request.tls_unique = std::move(bindings.unique);
    request.tls_server_end_point = std::move(bindings.server_end_point);
    request.binding_offered = security().channel_binding;
    request.certificate_user = service::certificate_user(shared_.options.certificate_name, tls_);
    return request;
}

void SessionDriver::on_auth_answer(const Result<ipc::AuthAnswer>& answer) {
    smtp::AuthResult result;
    if (answer && answer->outcome == ipc::AuthOutcome::challenge) {
        result = {smtp::AuthResult::Kind::challenge, {}, base64_encode(answer->challenge)};
        return resume(session_.on_auth(result));
    }
    if (answer && answer->outcome == ipc::AuthOutcome::success && !answer->user.empty()) {
        result = {smtp::AuthResult::Kind::success, answer->user};
        return resume(session_.on_auth(result));
    }
    if (answer && answer->outcome == ipc::AuthOutcome::failure)
        result.kind = smtp::AuthResult::Kind::failure;
    warn_of_failed_login(!answer ? answer.error().what : answer->text);
    resume(session_.on_auth(result));
}

void SessionDriver::warn_of_failed_login(std::string_view why) const {
    log::warning("", cat({client_, ": SASL ", session_.auth_method(), " authentication failed: ",
                          why.empty() ? "authentication failure" : why}));
}

void SessionDriver::drop_exchange() {
    auth_.drop();
    if (!exchange_) return;
    shared_.dovecot->cancel(*exchange_);
    exchange_.reset();
}

// --- SASL with Dovecot ---

// What EHLO will offer is the other server's word, and it may change.
void SessionDriver::ask_mechanisms() {
    waiting_ = Waiting::auth;
    shared_.dovecot->when_ready([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->over_ || self->closing_) return;
        const auto& options = self->shared_.options;
        const auto& all = self->shared_.dovecot->mechanisms();
        self->session_.set_mechanisms(
            sasl::permitted_mechanisms(all, options.sasl_rules, options.sasl_filter),
            sasl::permitted_mechanisms(all, options.sasl_tls_rules, options.sasl_filter));
        self->waiting_ = Waiting::nothing;
        self->begin();
    });
}

// A step of an exchange with Dovecot's server. The timer is for its answer.
void SessionDriver::relay(smtp::Authenticate&& login) {
    timer_.start(shared_.options.ask_timeout);
    if (login.goes_on && exchange_) {
        shared_.dovecot->go_on(*exchange_, login.response);
        return crypto::wipe(login.response);
    }
    sasl::DovecotRequest request;
    request.mechanism = login.method;
    request.local_address = local_.ip().str();
    request.remote_address = address();
    request.secured = stream_->secured() || peer_.ip().is_loopback();
    request.has_response = login.has_response;
    request.response = std::move(login.response);
    exchange_ = shared_.dovecot->start(
        std::move(request), [weak = weak_from_this()](const sasl::DovecotReply& reply) {
            const auto self = weak.lock();
            if (self && !self->over_ && !self->closing_ && self->waiting_ == Waiting::auth)
                self->on_relayed(reply);
        });
}

void SessionDriver::on_relayed(const sasl::DovecotReply& reply) {
    timer_.stop();
    smtp::AuthResult result;
    using Kind = sasl::DovecotReply::Kind;
    if (reply.kind == Kind::challenge) {
        result.kind = smtp::AuthResult::Kind::challenge;
        result.text = reply.challenge;
        return resume(session_.on_auth(result));
    }
    exchange_.reset();
    if (reply.kind == Kind::ok) {
        result.kind = smtp::AuthResult::Kind::success;
        result.user = reply.user;
    } else {
        if (!reply.temporary) result.kind = smtp::AuthResult::Kind::failure;
        result.text = reply.reason;
        warn_of_failed_login(reply.reason);
    }
    resume(session_.on_auth(result));
}

void SessionDriver::on_relay_timeout() {
    shared_.dovecot->cancel(*exchange_);
    sasl::DovecotReply none;
    none.temporary = true;
    none.reason = "authentication server does not answer";
    on_relayed(none);
}

}  // namespace postern::smtpd
