// The driver, see session_driver.h. pump() runs whenever something has come: it takes lines (or
// content) until the client has to speak again or an answer is awaited. Log lines have Postfix's
// form.
#include "smtpd/session_driver.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/crypto/secret.h"
#include "lib/log/log.h"

namespace postern::smtpd {
namespace {

constexpr Millis kCloseLimit{10000};  // for a client to take our last reply
constexpr Millis kDrainLimit{5000};   // for an idle client of a process that wants to end
constexpr std::size_t kPipeliningShown = 100;
constexpr std::size_t kMaxUnreadReplies = 32 * 1024;  // then a client must read before it is heard

smtp::Answer answer_of(const ipc::PolicyAnswer& policy) {
    smtp::Answer answer;
    answer.accepted = policy.outcome == ipc::Outcome::accept;
    const int least = policy.outcome == ipc::Outcome::defer ? 400 : 500;
    const bool fits = policy.smtp_code >= least && policy.smtp_code < 600;
    answer.code = answer.accepted ? 250 : fits ? policy.smtp_code : least + 50;
    answer.status = policy.status;
    answer.text = printable(policy.text, ipc::kMaxText);
    answer.disconnect = policy.disconnect;
    return answer;
}

}  // namespace

SessionDriver::SessionDriver(Shared& shared, Fd socket, std::function<void(SessionDriver*)> ended)
    : shared_(shared),
      ended_(std::move(ended)),
      session_(shared.options.engine),
      id_(SessionId::make(shared.loop.clock(), shared.random)),
      peer_(sys::peer_address(socket.get())),
      local_(sys::local_address(socket.get())),
      timer_(shared.loop, [this] { on_timer(); }),
      auth_(shared.loop, shared.auth, shared.options.ask_timeout),
      transcript_(shared.options.notices.classes) {
    address_ = peer_.is_inet() ? peer_.ip().str() : std::string("127.0.0.1");
    server_address_ = local_.is_inet() ? local_.ip().str() : std::string("127.0.0.1");
    client_port_ = peer_.port();
    server_port_ = local_.port();
    name_from_hosts();
    if (peer_.is_inet()) sys::set_no_delay(socket.get());
    stream_ = std::make_unique<loop::Stream>(shared.loop, std::move(socket), *this);
    offer_mechanisms();
}

void SessionDriver::name_from_hosts() {
    const auto name = shared_.options.host_names.find(address());
    client_name_ = reverse_name_ =
        name == shared_.options.host_names.end() ? "unknown" : name->second;
}

void SessionDriver::speaks_for(const ipc::Handoff& handoff) {
    address_ = handoff.client_address;
    client_port_ = handoff.client_port;
    server_address_ = handoff.server_address;
    server_port_ = handoff.server_port;
    name_from_hosts();
}

void SessionDriver::start() { shared_.dovecot ? ask_mechanisms() : begin(); }

void SessionDriver::begin() {
    if (shared_.options.name_lookup && client_name_ == "unknown" && peer_.is_inet())
        return ask_name();
    know_client();
}

// The client's first line in the log, once, with what is known of it by then.
void SessionDriver::announce() {
    if (std::exchange(announced_, true)) return;
    client_ = client_text();
    log::info("", "connect from " + client_);
}

void SessionDriver::greet() {
    if (shared_.options.wrapper_mode) {
        auto started = stream_->start_tls_server(*shared_.options.tls);
        if (!started) {
            log::warning("", started.error().what);
            return run(smtp::Close{});
        }
        waiting_ = Waiting::handshake;
        return expect_client(shared_.options.starttls_timeout);
    }
    admit();
}

void SessionDriver::drain() {
    if (closing_ || waiting_ != Waiting::nothing || content_ || !session_.idle()) return;
    timer_.start(kDrainLimit);
}

// --- Input ---

void SessionDriver::pump() {
    if (over_) return;
    while (waiting_ == Waiting::nothing && !closing_) {
        if (dismissed_) {
            perform(smtp::Close{cat({"421 4.3.2 ", shared_.options.engine.hostname,
                                     " Disconnected by the administrator\r\n"})});
        } else if (content_) {
            if (!take_content()) break;
        } else if (session_.too_many_errors()) {
            log::info("", cat({"too many errors after ", session_.where(), " from ", client_}));
            perform(session_.on_too_many_errors());
        } else if (replies_pile_up() || !take_command()) {
            break;
        }
    }
    if (closing_ || over_) return;
    if (waiting_ == Waiting::nothing) {
        if (stream_->at_eof() && stream_->queued() <= kMaxUnreadReplies)
            return lost("lost connection");
        if (!content_) expect_client(shared_.options.command_timeout);
    }
    stream_->flush();
}

// A client that sends commands and never reads would have us keep all our answers.
bool SessionDriver::replies_pile_up() {
    if (stream_->queued() <= kMaxUnreadReplies) return false;
    stream_->flush();
    return stream_->queued() > kMaxUnreadReplies;  // on_drained() goes on
}

bool SessionDriver::take_command() {
    const auto& options = shared_.options;
    const auto line =
        stream_->take_line(session_.in_auth() ? options.auth_line_limit : options.line_limit);
    if (line.kind == loop::Stream::Line::Kind::need_more) return false;
    expecting_ = false;
    session_.in_auth() ? transcript_.in_secret() : transcript_.in(line.text);
    if (line.kind != loop::Stream::Line::Kind::line) {
        perform(session_.on_long_line());
        return true;
    }
    if (debug_) show("<", session_.in_auth() ? "(secret)" : line.text);
    if (options.command_filter && !session_.in_auth()) {
        filter_command(line.text, line.crlf);
    } else {
        obey(line.text, line.crlf);
    }
    return true;
}

void SessionDriver::execute(std::string_view line, bool proper) {
    auto action = session_.on_line(line, proper);
    if (!stream_->input().empty() && session_.must_not_pipeline()) {
        log_pipelining();
        if (shared_.options.forbid_pipelining)
            action = smtp::Close{"554 5.5.0 Error: SMTP protocol synchronization\r\n", false};
    }
    perform(std::move(action));
}

// Moves content from the stream to cleanup. False when there is nothing to do before the loop
// turns.
bool SessionDriver::take_content() {
    const auto step = content_->decoder.next(stream_->input());
    using Kind = smtp::DataDecoder::Kind;
    switch (step.kind) {
        case Kind::need_more: stream_->consume(step.consumed); return false;
        case Kind::end:
            stream_->consume(step.consumed);
            finish_content(end_of_content());
            return true;
        case Kind::content: break;
    }
    content_->size += step.content.size();
    content_->last = shared_.loop.clock().steady();
    const auto limit = shared_.options.engine.size_limit;
    if (limit > 0 && content_->size > limit && !content_->too_big) {
        content_->too_big = true;  // RFC 5321 4.5.3.1.10: read on to the end, keep nothing
        submission_.reset();
    }
    if (submission_ && !result_) {
        const auto taken = submission_->write(step.content);
        if (taken < step.content.size()) {
            content_->held = step.content.substr(taken);
            waiting_ = Waiting::room;
        }
    }
    stream_->consume(step.consumed);
    return true;
}

smtp::ContentEnd SessionDriver::end_of_content() {
    const bool bare_lf = content_->decoder.saw_bare_lf();
    if (bare_lf) session_.note_bare_newline();
    if (content_->too_big) return smtp::ContentEnd::too_big;
    return bare_lf && session_.refuses_bare_newlines() ? smtp::ContentEnd::bare_lf
                                                       : smtp::ContentEnd::complete;
}

void SessionDriver::finish_content(smtp::ContentEnd end) {
    const auto size = content_->size;
    content_.reset();
    expecting_ = false;
    timer_.stop();
    auto action = session_.on_content(end, size);
    if (!std::holds_alternative<smtp::Commit>(action) &&
        !std::holds_alternative<smtp::Ask>(action)) {
        submission_.reset();  // cleanup forgets the message
    }
    perform(std::move(action));
}

// --- Actions ---

void SessionDriver::perform(smtp::Action action) {
    std::visit([this](auto& one) { run(std::move(one)); }, action);
}

void SessionDriver::resume(smtp::Action action) {
    waiting_ = Waiting::nothing;
    tell_login();
    perform(std::move(action));
    pump();
}

void SessionDriver::run(smtp::Say&& say) {
    note_reply(say.text, say.log);
    if (!session_.envelope().open && !content_) {
        submission_.reset();
        queue_id_ = QueueId();
        rule_.passed.clear();
        mail_actions_.clear();
        late_actions_.clear();
    }
    flush_history();
    if (!session_.in_auth()) drop_exchange();  // the client gave it up
    with_footer(std::move(say.text), [this](std::string text) { say_and_wait(std::move(text)); });
}

void SessionDriver::say_and_wait(std::string text) {
    if (debug_) show(">", text);
    if (!session_.slow()) return stream_->write(text);
    held_reply_ = std::move(text);
    waiting_ = Waiting::pause;
    expecting_ = false;
    timer_.start(shared_.options.error_sleep);
}

void SessionDriver::run(smtp::Close&& close) {
    note_reply(close.text, close.log);
    submission_.reset();
    content_.reset();
    with_footer(std::move(close.text), [this](const std::string& text) { say_and_close(text); });
}

void SessionDriver::say_and_close(const std::string& text) {
    closing_ = true;
    if (debug_) show(">", text);
    if (!text.empty()) stream_->write(text);
    stream_->close_after_flush();
    timer_.start(kCloseLimit);
}

void SessionDriver::run(smtp::Ask&& ask) {
    timer_.stop();
    expecting_ = false;
    milter_refused_ = false;
    const bool early = ask.stage == smtp::Stage::connect || ask.stage == smtp::Stage::helo ||
                       ask.stage == smtp::Stage::mail;
    if (shared_.options.milters && early && !shared_.options.policy_early)
        return ask_milters(ask.stage);
    const bool for_milters = shared_.options.milters && (early || ask.stage == smtp::Stage::rcpt);
    waiting_ = Waiting::policy;
    shared_.policy.call<ipc::PolicyAnswer>(
        question(ask.stage), shared_.options.ask_timeout,
        [weak = weak_from_this(), for_milters,
         stage = ask.stage](Result<ipc::PolicyAnswer> answer) {
            const auto self = weak.lock();
            if (!self || self->over_ || self->closing_) return;
            const bool accepted = answer && answer->outcome == ipc::Outcome::accept;
            if (answer) self->rule_.note(*answer);
            if (answer) self->tell_notes(*answer);
            if (answer) self->take_actions(stage, *answer);
            if (accepted && for_milters) return self->ask_milters(stage);
            if (answer) return self->resume(self->session_.on_answer(answer_of(*answer)));
            log::warning("", answer.error().what);
            self->resume(self->session_.on_answer(
                smtp::Answer::refuse(451, "4.3.0", "Error: policy lookup failure")));
        },
        id_.str());
}

// --- The message ---

void SessionDriver::run(smtp::Open&&) {
    waiting_ = Waiting::cleanup;
    result_.reset();
    committing_ = false;
    MessageTarget::Handler handler;
    handler.on_opened = [this](const QueueId& id) { on_opened(id); };
    handler.on_result = [this](ipc::SubmitResult result) { on_result(std::move(result)); };
    handler.on_failed = [this](const Error& error) { on_cleanup_failed(error); };
    handler.on_room = [this] {
        const auto held = std::exchange(content_->held, {});
        const auto taken = submission_->write(held);
        content_->held = held.substr(taken);
        if (!content_->held.empty()) return;
        waiting_ = Waiting::nothing;
        pump();
    };
    if (shared_.options.proxy)
        submission_ = std::make_unique<ProxyDelivery>(shared_.loop, *shared_.options.proxy,
                                                      std::move(handler));
    else
        submission_ = std::make_unique<Submission>(
            shared_.cleanup, std::move(handler), shared_.options.milters ? &milter_link_ : nullptr);
    expecting_ = false;
    timer_.start(shared_.options.cleanup_timeout);
    submission_->open(envelope());
}

void SessionDriver::on_opened(const QueueId& id) {
    if (waiting_ != Waiting::cleanup || committing_) return;
    queue_id_ = id;
    log_message();
    rule_.passed.clear();
    resume(session_.on_opened(smtp::Answer::accept()));
}

// Whose message this id is.
void SessionDriver::log_message() {
    std::string line = "client=" + client_;
    if (!session_.user().empty()) {
        line +=
            cat({", sasl_method=", session_.auth_method(), ", sasl_username=", session_.user()});
    }
    if (const auto& origin = session_.forwarded()) {
        if (!origin->ident.empty()) line += ", orig_queue_id=" + origin->ident;
        line += cat({", orig_client=", origin->name, "[", origin->address, "]"});
    }
    log::info(
        queue_id_.empty() ? "NOQUEUE" : trace(), line,
        {log::kv("client", client_), log::kv("session", id_.str()), log::kv("rule", rule_.passed),
         log::kv("protocol", session_.protocol()), log::kv("service", shared_.options.service)});
}

void SessionDriver::run(smtp::ReadData&& read) {
    stream_->write(read.text);
    transcript_.out(read.text, false);
    content_.emplace();
    if (session_.omits_cr())
        content_->decoder = smtp::DataDecoder(smtp::DataDecoder::Client::lf_only);
    content_->begun = content_->last = shared_.loop.clock().steady();
    timer_.start(shared_.options.command_timeout);
}

void SessionDriver::run(smtp::Commit&&) {
    if (result_) return committed();  // refused while the content came
    waiting_ = Waiting::cleanup;
    committing_ = true;
    timer_.start(shared_.options.cleanup_timeout);
    submission_->commit(std::exchange(late_actions_, {}));
}

void SessionDriver::on_result(ipc::SubmitResult result) {
    result_ = std::move(result);
    if (committing_) {
        waiting_ = Waiting::nothing;
        committed();
        return pump();
    }
    if (result_->outcome == ipc::Outcome::accept) {
        // Accepted what was not committed: a confused neighbour. Better twice than never.
        result_ = ipc::SubmitResult{};
        result_->text = "Error: queue file write error";
    }
    if (waiting_ == Waiting::cleanup) {
        milter_refused_ = result_->smtp_code != 0 && !shared_.options.proxy;
        return resume(session_.on_opened(answer_of(*result_)));
    }
    if (waiting_ == Waiting::room) {
        content_->held.clear();
        waiting_ = Waiting::nothing;
        pump();
    }
}

void SessionDriver::committed() {
    const auto id = result_->queue_id.empty() ? queue_id_.str() : result_->queue_id.str();
    // The cleanup process that offered the id was replaced: the message got another.
    if (!queue_id_.empty() && id != queue_id_.str()) {
        queue_id_ = result_->queue_id;
        log_message();
    }
    const auto answer = answer_of(*result_);
    if (shared_.options.proxy) log_proxy_result();
    told_elsewhere_ = result_->smtp_code != 0;
    perform(session_.on_committed(answer, id));
    committing_ = false;
    queue_id_ = QueueId();
    submission_.reset();
    result_.reset();
}

void SessionDriver::on_cleanup_failed(const Error& error) {
    log::warning(trace(), error.what);
    ipc::SubmitResult result;
    result.text = "Error: queue file write error";
    on_result(std::move(result));
}

// --- Time, log, end ---

void SessionDriver::expect_client(Millis limit) {
    if (std::exchange(expecting_, true)) return;  // absolute: a dribbled byte gains nothing
    timer_.start(shared_.draining && session_.idle() ? std::min(limit, kDrainLimit) : limit);
}

void SessionDriver::on_timer() {
    if (over_) return;
    if (closing_) return end();
    if (waiting_ == Waiting::pause) {
        stream_->write(std::exchange(held_reply_, {}));
        waiting_ = Waiting::nothing;
        return pump();
    }
    if (waiting_ == Waiting::cleanup) {
        submission_.reset();
        return on_cleanup_failed(
            Error{Errc::timeout, cat({"service ", shared_.options.cleanup_path, ": timeout"})});
    }
    if (waiting_ == Waiting::milter) return on_milter_answer(Error{Errc::timeout, "timeout"});
    if (waiting_ == Waiting::auth && exchange_) return on_relay_timeout();
    if (content_) {
        // The transfer may take the command timeout, and longer as long as enough bytes come.
        const bool whole = shared_.options.request_deadline;
        const auto elapsed =
            shared_.loop.clock().steady() - (whole ? content_->begun : content_->last);
        const auto rate = std::max<std::uint64_t>(1, shared_.options.least_data_rate);
        const auto earned = Millis(whole ? content_->size * 1000 / rate : 0);
        const auto left =
            std::chrono::duration_cast<Millis>(shared_.options.command_timeout + earned - elapsed);
        if (left > Millis{0}) return timer_.start(left);
    }
    if (shared_.draining && session_.idle() && !content_ && waiting_ == Waiting::nothing) {
        return perform(session_.on_drain());
    }
    log::info("", cat({"timeout after ", after(), " from ", client_}));
    perform(waiting_ == Waiting::handshake ? smtp::Action(smtp::Close{}) : session_.on_timeout());
}

// smtpd_history_flush_threshold: a long session is told of in parts.
void SessionDriver::flush_history() {
    if (transcript_.lines() <= shared_.options.history_lines) return;
    const auto where = session_.where();
    if (where != "EHLO" && where != "HELO" && where != "RSET" && where != "END-OF-MESSAGE") return;
    shared_.notices.send(transcript_, client_);
    transcript_.clear();
}

std::string SessionDriver::after() const {
    if (content_) return cat({"DATA (", std::to_string(content_->size), " bytes)"});
    return std::string(session_.where());
}

void SessionDriver::lost(std::string_view what) {
    if (over_) return;
    announce();
    log::info("", cat({what, " after ", after(), " from ", client_}));
    transcript_.aborted(cat({what, " after ", after()}));
    end();
}

void SessionDriver::note_reply(std::string_view reply, bool refusal) {
    transcript_.out(reply, refusal);
    if (!refusal || std::exchange(told_elsewhere_, false)) return;
    const std::string line =
        cat({milter_refused_ ? "milter-reject" : "reject", about_command(trim_right(reply))});
    log::info(queue_id_.empty() ? "NOQUEUE" : trace(), line,
              {log::kv("client", client_), log::kv("session", id_.str()),
               log::kv("rule", rule_.refused), log::kv("service", shared_.options.service)});
    rule_.refused.clear();
}

std::string SessionDriver::about_command(std::string_view text) const {
    const auto& envelope = session_.envelope();
    std::string line = cat({": ", session_.where(), " from ", client_, ": ", text, ";"});
    const auto where = session_.where();
    const bool mail =
        envelope.open || where == "MAIL" || where == "END-OF-MESSAGE" || where == "DATA";
    if (mail) line += cat({" from=<", envelope.sender, ">"});
    if (where == "RCPT" || where == "VRFY") line += cat({" to=<", session_.recipient(), ">"});
    const bool last = where == "DATA" || where == "END-OF-MESSAGE";
    if (last && envelope.recipients.size() == 1)
        line += cat({" to=<", envelope.recipients.front().address, ">"});
    line += cat({" proto=", session_.log_protocol()});
    if (!session_.helo().empty()) line += cat({" helo=<", session_.helo(), ">"});
    return line;
}

void SessionDriver::log_pipelining() {
    if (std::exchange(told_pipelining_, true)) return;
    log::info("", cat({"improper command pipelining after ", session_.where(), " from ", client_,
                       ": ", printable(stream_->input().substr(0, kPipeliningShown))}));
}

void SessionDriver::on_closed(const Error* error) {
    if (over_) return;
    if (error && waiting_ == Waiting::handshake && !stream_->secured()) {
        log::info("", cat({"SSL_accept error from ", client_, ": ", error->what}));
    }
    if (error && !closing_) return lost("lost connection");
    end();
}

void SessionDriver::end() {
    if (std::exchange(over_, true)) return;
    announce();
    log::info("", cat({"disconnect from ", client_, session_.summary()}));
    timer_.stop();
    submission_.reset();
    if (counted_in_)
        shared_.anvil.session_over(shared_.options.service, limit_client_, *counted_in_);
    facts_.state = ipc::SessionState::over;
    shared_.ledger.note(facts_);
    shared_.notices.send(transcript_, client_);
    milter_link_.reset();
    if (exchange_) shared_.dovecot->cancel(*exchange_);
    // The last reference goes from the loop: we may be deep in our own calls.
    shared_.loop.post([self = shared_from_this()] { self->ended_(self.get()); });
}

}  // namespace postern::smtpd
