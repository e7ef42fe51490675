#include "login/client_session.h"

#include <sys/eventfd.h>

#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"
#include "lib/sasl/server_exchange.h"
#include "lib/sys/error.h"
#include "lib/sys/unix_socket.h"

namespace postern::login {
namespace {

// A client that has not logged in gets little room; what it sends beyond waits in its own kernel.
constexpr std::size_t kInputLimit = 16 * 1024;
constexpr std::size_t kMaxPending = 16 * 1024;  // Handoff::pending
constexpr std::size_t kMaxUnreadReplies = 32 * 1024;
constexpr Millis kCloseTimeout{10'000};

std::string ip_text(const sys::SocketAddress& address) {
    return address.is_inet() ? address.ip().str() : "127.0.0.1";
}

std::string_view program_of(ipc::AuthProtocol protocol) {
    return protocol == ipc::AuthProtocol::pop3 ? "pop3-login: " : "imap-login: ";
}

std::uint32_t login_delay_of(const Options& options) {
    return static_cast<std::uint32_t>(options.limits.pop3_login_delay.count());
}

}  // namespace

ClientSession::ClientSession(Shared& shared, Fd socket, std::function<void(ClientSession*)> ended)
    : shared_(shared),
      ended_(std::move(ended)),
      id_(SessionId::make(shared.loop.clock(), shared.random)),
      peer_(sys::peer_address(socket.get())),
      local_(sys::local_address(socket.get())),
      auth_(shared.loop, shared.auth, shared.options.auth_timeout) {
    // Dovecot's rule: from this host itself (loopback, or our own address) nobody can listen in.
    local_client_ = !peer_.is_inet() || peer_.ip().is_loopback() || peer_.ip() == local_.ip();
    const EngineOptions options{shared.options.tls.has_value() && !shared.options.wrapper_mode,
                                may_login_in_plaintext(),
                                shared.options.greeting,
                                shared.options.mechanisms,
                                shared.options.tls_required,
                                login_delay_of(shared.options)};
    engine_ = shared.options.protocol == ipc::AuthProtocol::imap ? make_imap_login(options)
                                                                 : make_pop3_login(options);
    if (peer_.is_inet()) sys::set_no_delay(socket.get());
    stream_ = std::make_unique<loop::Stream>(shared.loop, std::move(socket), *this);
    stream_->set_input_limit(kInputLimit);
    timer_ = std::make_unique<loop::Timer>(shared.loop, [this] { on_timeout(); });
    introduce();
}

ClientSession::~ClientSession() { crypto::wipe(question_.response); }

bool ClientSession::may_login_in_plaintext() const {
    return !shared_.options.tls_required && (shared_.options.plaintext_allowed || local_client_);
}

void ClientSession::start() {
    timer_->start(shared_.options.login_timeout);
    admit();
}

void ClientSession::begin() {
    if (shared_.options.wrapper_mode) return start_tls();
    greet();
}

void ClientSession::greet() {
    perform(engine_->greet());
    if (!over_ && stream_) stream_->flush();
}

void ClientSession::start_tls() {
    stream_->flush();
    const auto started = stream_->start_tls_server(*shared_.options.tls);
    if (started) return;
    log_end(started.error().what);
    say_farewell({});
}

// --- Events

void ClientSession::on_input() {
    if (relay_) return relay_->client_input();
    pump();
}

void ClientSession::on_secured() {
    if (!engine_) return;
    engine_->on_tls(security());
    if (shared_.options.wrapper_mode) perform(engine_->greet());
}

sasl::Security ClientSession::security() const {
    return {.channel_binding = shared_.options.mechanisms.binds() && stream_->secured() &&
                               stream_->channel_bindings().any(),
            .certificate = !certificate_user().empty()};
}

std::string ClientSession::certificate_user() const {
    if (!shared_.options.ask_client_certificate || !stream_->secured()) return {};
    return service::certificate_user(shared_.options.certificate_name, stream_->tls_info());
}

void ClientSession::on_drained() {
    if (relay_) return relay_->client_drained();
    pump();
}

void ClientSession::on_closed(const Error* error) {
    if (relay_) return relay_->client_closed();
    if (!over_) log_end(error != nullptr ? error->what : "");
    finish();
}

void ClientSession::pump() {
    while (!waiting_ && !over_ && !replies_pile_up()) {
        const std::string_view before = stream_->input();
        std::string_view rest = before;
        auto step = engine_->feed(rest);
        stream_->consume(before.size() - rest.size());
        if (!step) break;
        perform(*std::move(step));
        if (stream_->tls_started() && !stream_->secured()) return;  // the rest is a handshake's
    }
    const bool heard_all = stream_->at_eof() && stream_->queued() <= kMaxUnreadReplies;
    if (!heard_all || waiting_ || over_) return;
    log_end("");
    say_farewell({});
}

// A client that asks and never reads would have us keep all our answers.
bool ClientSession::replies_pile_up() {
    if (stream_->queued() <= kMaxUnreadReplies) return false;
    stream_->flush();
    return stream_->queued() > kMaxUnreadReplies;  // on_drained() goes on
}

void ClientSession::perform(Step step) {
    stream_->write(step.reply);
    if (step.then != Step::Then::authenticate) auth_.drop();  // an exchange that was under way
    switch (step.then) {
        case Step::Then::go_on: return;
        case Step::Then::start_tls: return start_tls();
        case Step::Then::authenticate: return ask_auth(std::move(step));
        case Step::Then::close: log_end(""); return say_farewell({});
    }
}

// --- The question to auth

void ClientSession::ask_auth(Step step) {
    crypto::wipe(question_.response);
    question_ = step.question;
    crypto::wipe(step.question.response);
    if (auto credentials = sasl::parse_plain(question_.response)) {
        user_ = printable(credentials->user, 255);
        crypto::wipe(credentials->password);
    }
    mechanism_ = std::move(step.mechanism);
    asked_again_ = false;
    admitted_ = false;
    waiting_ = true;
    if (!question_.goes_on) ++attempts_;
    send_auth_request();
}

void ClientSession::send_auth_request() {
    auto done = [weak = weak_from_this()](Result<ipc::AuthAnswer> answer) {
        if (auto self = weak.lock()) self->on_auth_answer(std::move(answer));
    };
    if (question_.goes_on) return auth_.respond(question_.response, std::move(done));
    ipc::AuthRequest request;
    const crypto::WipeGuard request_guard(request.response);
    identify(request);
    request.mechanism = question_.mechanism;
    request.has_response = question_.has_response;
    request.response = question_.response;
    auth_.begin(request, std::move(done));
}

// Who asks, and what of his connection matters to auth.
void ClientSession::identify(ipc::AuthRequest& request) const {
    request.session = id_;
    request.protocol = engine_->protocol();
    request.client_address = ip_text(peer_);
    request.secured = stream_->secured() || local_client_;
    if (!stream_->secured()) return;
    const auto bindings = stream_->channel_bindings();
    request.tls_exporter = bindings.exporter;
    request.tls_unique = bindings.unique;
    request.tls_server_end_point = bindings.server_end_point;
    request.binding_offered = security().channel_binding;
    request.certificate_user = certificate_user();
}

void ClientSession::on_auth_answer(Result<ipc::AuthAnswer> answer) {
    if (over_) return;
    if (!answer) log::warning(id_.str(), answer.error().what);
    const bool success = answer && answer->outcome == ipc::AuthOutcome::success;
    if (success) {
        user_ = answer->user;
        return admit_user(*answer);
    }
    waiting_ = false;
    crypto::wipe(question_.response);
    if (leaving_ != Leaving::no) return leave(leaving_);
    if (answer && !answer->user.empty()) user_ = printable(answer->user, 255);
    const bool temporary = !answer || answer->outcome != ipc::AuthOutcome::failure;
    if (answer && answer->outcome == ipc::AuthOutcome::challenge)
        stream_->write(engine_->on_challenge(answer->challenge).reply);
    else
        perform(engine_->on_auth_failed(temporary));
    pump();
    if (stream_) stream_->flush();
}

// --- The hand-off

// Without TLS the worker gets the client's socket itself. With TLS (or when more input waits than a
// message carries) it gets one end of a socketpair, and this session relays.
void ClientSession::hand_off(const ipc::AuthAnswer& answer) {
    stream_->pause_reading();
    ipc::Handoff handoff;
    handoff.token = answer.token;
    handoff.session = id_;
    handoff.protocol = engine_->protocol();
    handoff.client_address = ip_text(peer_);
    handoff.server_address = ip_text(local_);
    handoff.client_port = peer_.port();
    handoff.server_port = local_.port();
    handoff.secured = stream_->secured() || local_client_;
    handoff.tag = engine_->tag().substr(0, 256);
    dismissal_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!dismissal_) return on_handed_off(sys::system_error("eventfd"), handoff);
    int descriptors[] = {stream_->fd(), dismissal_.get()};
    Fd worker_end;
    if (stream_->tls_started() || stream_->input().size() > kMaxPending || stream_->queued() > 0) {
        auto ends = sys::stream_pair();
        if (!ends) return on_handed_off(std::move(ends).error(), handoff);
        relay_end_ = std::move(ends->first);
        worker_end = std::move(ends->second);
        descriptors[0] = worker_end.get();
    } else {
        handoff.pending = stream_->input();
    }
    shared_.worker.converse<ipc::HandoffAnswer>(
        handoff, shared_.options.handoff_timeout,
        [weak = weak_from_this(), handoff](Result<ipc::HandoffAnswer> result, Fd connection) {
            if (auto self = weak.lock())
                self->on_handed_off(std::move(result), handoff, std::move(connection));
        },
        id_.str(), descriptors);
}

void ClientSession::on_handed_off(Result<ipc::HandoffAnswer> answer, const ipc::Handoff& handoff,
                                  Fd connection) {
    if (over_) return;
    const bool accepted = answer && answer->ok;
    if (!accepted) {
        relay_end_.reset();
        stream_->resume_reading();
    }
    if (!accepted && !asked_again_ && !question_.goes_on) {
        // A reload between token and hand-off gave us a new auth, which does not know the token of
        // the old one (or a new worker): once more from the start. A worker that has not said "ok"
        // has not served. An exchange of several messages cannot be had again without the client.
        asked_again_ = true;
        log::debug(id_.str(), cat({"hand-off refused, asking again: ",
                                   answer ? answer->text : answer.error().what}));
        return send_auth_request();
    }
    crypto::wipe(question_.response);
    if (!accepted) {
        log::warning(id_.str(),
                     cat({facts(), ": no worker: ", answer ? answer->text : answer.error().what}));
        perform(engine_->on_no_worker());
        if (stream_) stream_->flush();
        return;
    }
    log::info(id_.str(), cat({program_of(engine_->protocol()), "Login: ", facts()}));
    logged_in_ = true;
    facts_.worker = answer->worker;
    shared_.link({handoff, facts_, facts(), std::move(connection), std::move(dismissal_),
                  static_cast<bool>(relay_end_)},
                 leaving_ == Leaving::dismissed);
    timer_.reset();
    engine_.reset();
    if (relay_end_) {
        stream_->set_input_limit(loop::Stream::kDefaultInputLimit);
        relay_ = std::make_unique<Relay>(shared_.loop, *stream_, std::move(relay_end_),
                                         [this] { finish(); });
        return;
    }
    // The worker has the socket. Closing our descriptor leaves the connection alone.
    std::string taken_already;
    (void)stream_->detach(taken_already);
    finish();
}

// --- Ends

// Before the login only: then it is the worker who says goodbye.
void ClientSession::leave(Leaving how) {
    leaving_ = how;
    if (over_ || logged_in_ || waiting_) return;
    if (how == Leaving::dismissed) log_end("by the administrator");
    say_farewell(how == Leaving::dismissed ? engine_->on_dismissal() : engine_->on_shutdown());
}

void ClientSession::on_timeout() {
    if (over_) return finish();  // it does not even take our farewell
    if (waiting_)
        return timer_->start(
            shared_.options.login_timeout);  // auth and worker have limits of their own
    log_end("Inactivity");
    const bool handshake = stream_->tls_started() && !stream_->secured();
    say_farewell(handshake ? "" : engine_->on_timeout());
}

void ClientSession::say_farewell(const std::string& text) {
    over_ = true;
    timer_->start(kCloseTimeout);
    stream_->write(text);
    stream_->close_after_flush();
}

void ClientSession::finish() {
    over_ = true;
    timer_.reset();
    if (!logged_in_) {
        facts_.state = ipc::SessionState::over;
        shared_.ledger.note(facts_);
    }
    if (!ended_) return;
    const auto ended = std::move(ended_);
    ended_ = nullptr;
    ended(this);
}

std::string ClientSession::facts() const {
    const bool tls = stream_ && stream_->secured();
    return cat({"user=<", user_, ">, method=", mechanism_.empty() ? "-" : mechanism_,
                ", rip=", ip_text(peer_), ", lip=", ip_text(local_),
                tls             ? ", TLS"
                : local_client_ ? ", secured"
                                : ""});
}

void ClientSession::log_end(std::string_view how) const {
    const std::string detail = attempts_ == 0
                                   ? "no auth attempts"
                                   : cat({"auth failed, ", std::to_string(attempts_), " attempts"});
    log::info(id_.str(), cat({program_of(shared_.options.protocol), "Disconnected",
                              how.empty() ? "" : ": ", how, " (", detail, "): ", facts()}));
}

}  // namespace postern::login
