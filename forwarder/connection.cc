#include "forwarder/connection.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/socket.h"

#include "forwarder/server_rules.h"

namespace postern::forwarder {
namespace {

// Content that a fast network takes in one go before others have their turn.
constexpr int kPiecesPerTurn = 8;
constexpr std::string_view kEndOfContent = ".\r\n";

}  // namespace

Connection::Connection(loop::Loop& loop, const Options& options, ConnectionPlan plan, Target target,
                       smtp::ClientOptions session_options, OnOver on_over)
    : loop_(loop),
      options_(options),
      plan_(std::move(plan)),
      target_(std::move(target)),
      session_(std::move(session_options), target_.peer()),
      on_over_(std::move(on_over)),
      timer_(loop, [this] { on_timeout(); }),
      pause_(loop, [this] { end_body(); }) {}

Connection::~Connection() { *alive_ = false; }

// ---- what the user asks for ---------------------------------------------------------------------

void Connection::open(User* user) {
    user_ = user;
    opened_ = loop_.clock().steady();
    auto stream = connect();
    if (!stream) {
        failure_ = {Verdict::defer("4.4.1", stream.error().what), ""};
        closed_ = true;
        return later(Step::failed);
    }
    stream_ = std::move(stream).value();
    if (options_.connect > Millis{0}) timer_.start(options_.connect);
}

Result<std::unique_ptr<loop::Stream>> Connection::connect() {
    sys::SocketAddress to;
    std::optional<sys::SocketAddress> from;
    if (target_.path.empty()) {
        to = sys::SocketAddress::inet(target_.address, target_.port);
        const auto& bind = target_.address.is_v4() ? options_.bind_address : options_.bind_address6;
        if (auto address = IpAddress::parse(bind)) from = sys::SocketAddress::inet(*address, 0);
    } else {
        TRY_ASSIGN(to, sys::SocketAddress::unix_path(target_.path));
    }
    std::string name =
        target_.path.empty() ? session_.peer().with_port() : session_.peer().with_address();
    auto socket = sys::start_connect(to, from ? &*from : nullptr);
    // Another address may do, unless one was asked for that others know us by.
    if (!socket && from && socket.error().what.starts_with("bind ")) {
        log::warning("", socket.error().what);
        if (!options_.bind_enforce) socket = sys::start_connect(to);
    }
    if (!socket) {
        Error error = std::move(socket).error();
        // The same text as when the answer comes later.
        std::size_t why = error.what.rfind(": ");
        if (why != std::string::npos)
            error.what = cat({"connect to ", name, error.what.substr(why)});
        return error;
    }
    return loop::Stream::connecting(loop_, std::move(socket).value(), name, *this);
}

void Connection::start(User* user, smtp::ClientTransaction transaction, const BodyExtent& body,
                       std::unique_ptr<OutgoingFilter> filter) {
    user_ = user;
    ++transactions_;
    body_.emplace(body, options_.line_limit, std::move(filter));
    late_end_ = body.late_end;
    timing_ = false;
    Step step = session_.start(std::move(transaction));
    if (step == Step::wait && (closed_ || stream_->at_eof())) step = session_.on_lost();
    if (step != Step::wait) return later(step);
    push();
    stream_->flush();
    restart_timer();
}

void Connection::idle(Millis limit) {
    user_ = nullptr;
    timing_ = false;
    body_.reset();
    timer_.start(limit);
}

void Connection::leave() {
    user_ = nullptr;
    body_.reset();
    leaving_ = true;
    if (closed_) return tell_over();
    Step step = session_.quit();
    push();
    if (step == Step::close) return close();
    stream_->flush();
    timer_.start(options_.quit);
}

bool Connection::usable() const {
    return !closed_ && session_.reusable() && stream_ && !stream_->at_eof();
}

bool Connection::open_long_enough() const {
    return (options_.reuse_count > 0 && transactions_ >= options_.reuse_count) ||
           loop_.clock().steady() - opened_ >= options_.reuse_time;
}

// ---- what the stream tells ----------------------------------------------------------------------

void Connection::on_connected() {
    connected_ = true;
    if (!options_.tls_report_socket.empty() && target_.path.empty())
        own_address_ = sys::local_address(stream_->fd()).ip().str();
    if (target_.path.empty()) sys::set_no_delay(stream_->fd());
    if (options_.tls_wrapper) {
        timer_.start(options_.starttls);
        return start_tls();
    }
    take(session_.on_connected());
}

void Connection::on_input() {
    std::string input(stream_->input());
    stream_->consume(input.size());
    if (options_.tell_protocol) transcript_.received(input);
    Step step = Step::wait;
    if (!input.empty()) step = session_.on_input(input);
    note_firewall();
    take(step);
}

void Connection::on_closed(const Error* error) {
    closed_ = true;
    timer_.stop();
    if (leaving_ || !user_) return tell_over();
    if (!connected_) {
        failure_ = {Verdict::defer("4.4.1", error ? error->what : "connection closed"), ""};
        return user_->on_failed();
    }
    const bool opening =
        options_.tls_wrapper || session_.stage() == smtp::ClientSession::Stage::starttls;
    const bool handshake = opening && stream_->tls_started() && !stream_->secured();
    obey(handshake ? session_.on_tls(false, error ? error->what : "") : session_.on_lost());
}

void Connection::on_drained() {
    if (!held_.empty() && !pause_.active()) pause_.start(options_.pix_delay);
    if (body_ && session_.stage() == smtp::ClientSession::Stage::data_xfer) send_body();
    push();
    restart_timer();
}

void Connection::on_secured() {
    const tls::Info info = stream_->tls_info();
    const auto doubt =
        mistrust(plan_.tls, info, target_.host, target_.domain, options_.tls.multiple_labels);
    tls_resumed_ = info.resumed;
    certificate_trusted_ = info.peer_certificate && info.peer_verified;
    if (options_.tls_loglevel > 0) log_tls(info, !doubt);
    if (doubt) return obey(session_.on_untrusted(*doubt));
    // Only at these levels is it known who the server must be.
    if (plan_.tls.level > smtp::TlsLevel::encrypt) session_.set_verified();
    take(options_.tls_wrapper ? session_.on_connected() : session_.on_tls(true));
}

// As Postfix: Anonymous (no certificate), Untrusted, Trusted (by a certificate authority),
// Verified (and named as it must be).
void Connection::log_tls(const tls::Info& info, bool trusted) const {
    const bool checked = plan_.tls.level > smtp::TlsLevel::encrypt;
    const std::string peer = session_.peer().with_port();
    if (checked && !trusted) {
        log::info("", cat({"server certificate verification failed for ", peer, ": ",
                           info.verify_error.empty() ? "name or fingerprint does not match"
                                                     : info.verify_error}));
    }
    log::info("", cat({!info.peer_certificate ? "Anonymous"
                       : checked && trusted   ? "Verified"
                       : info.peer_verified   ? "Trusted"
                                              : "Untrusted",
                       " TLS connection established to ", peer, ": ", info.describe()}));
    if (options_.tls_loglevel > 1 && info.peer_certificate) {
        log::info("", cat({peer, ": subject_CN=", printable(info.peer_name, 200),
                           ", issuer_CN=", printable(info.issuer_name, 200)}));
    }
}

// ---- the engine's steps -------------------------------------------------------------------------

void Connection::take(Step step) {
    // The end of input counts only when what came before it has decided nothing.
    if (step == Step::wait && stream_->at_eof()) step = session_.on_lost();
    push();
    // Idle, and the server has closed or spoken: of no use any more.
    if (!user_ && !leaving_ && !usable()) return leave();
    restart_timer();
    obey(step);
}

// Calling the user comes last: it may destroy us.
void Connection::obey(Step step) {
    switch (step) {
        case Step::wait: return;
        case Step::start_tls: return start_tls();
        case Step::send_body:
            if (body_) send_body();
            return restart_timer();
        case Step::ready:
            timer_.stop();
            if (options_.note_starttls_offer && session_.extensions().starttls &&
                !stream_->secured() && transactions_ == 0)
                log::info("", cat({"Host offered STARTTLS: [", target_.host, "]"}));
            if (user_) user_->on_ready();
            return;
        case Step::failed:
            timer_.stop();
            if (failure_.verdict.text.empty()) failure_ = session_.failure();
            if (user_) user_->on_failed();
            return;
        case Step::finished:
            timer_.stop();
            body_.reset();
            if (user_) user_->on_finished();
            return;
        case Step::close: return close();
    }
}

void Connection::later(Step step) {
    loop_.post([this, alive = alive_, step] {
        if (*alive) obey(step);
    });
}

void Connection::start_tls() {
    Error error{Errc::invalid, "no TLS context"};
    if (plan_.context) {
        const auto& tlsa = plan_.tls.tlsa;
        const tls::Dane by_dns{tlsa.records, tlsa.base, {target_.host, target_.domain}};
        const tls::Dane by_anchors{plan_.tls.anchors, {}, {}};
        auto started =
            stream_->start_tls_client(*plan_.context, plan_.tls.sni(target_.host, target_.domain),
                                      !tlsa.records.empty()        ? &by_dns
                                      : !plan_.tls.anchors.empty() ? &by_anchors
                                                                   : nullptr);
        if (started) return restart_timer();
        error = std::move(started).error();
    }
    obey(session_.on_tls(false, error.what));
}

void Connection::send_body() {
    if (stream_->at_eof()) return later(session_.on_lost());
    // What the network does not take is followed by on_drained(); what it takes at once, by a turn
    // for the other deliveries.
    for (int pieces = 0; body_ && stream_->queued() == 0; ++pieces) {
        if (pieces == kPiecesPerTurn) return later(Step::send_body);
        std::string piece;
        if (auto read = body_->read(piece); !read) {
            body_.reset();
            return later(session_.on_body_failed(read.error().what));
        }
        extend_deadline(piece.size());
        const bool finished = body_->finished();
        if (finished && late_end_) {
            held_ = piece.substr(piece.size() - kEndOfContent.size());
            piece.resize(piece.size() - kEndOfContent.size());
        }
        stream_->write(piece);
        if (finished) body_.reset();
        if (finished && held_.empty()) session_.on_body_sent();
        stream_->flush();
        if (!held_.empty() && stream_->queued() == 0) pause_.start(options_.pix_delay);
    }
}

// Some firewalls do not see the end of the content unless it comes alone.
void Connection::end_body() {
    if (held_.empty() || closed_ || leaving_ || !user_) return;
    stream_->write(std::exchange(held_, {}));
    session_.on_body_sent();
    stream_->flush();
    restart_timer();
}

void Connection::note_firewall() {
    if (firewall_noted_ || !session_.behind_pix()) return;
    firewall_noted_ = true;
    const std::string names = pix_names(session_.options().pix);
    if (names.empty()) return;
    log::info(plan_.opener,
              cat({"enabling PIX workarounds: ", names, " for ", session_.peer().with_port()}));
}

void Connection::push() {
    if (!stream_ || closed_ || !session_.has_output()) return;
    const std::string output = session_.take_output();
    if (options_.tell_protocol) transcript_.sent(output);
    stream_->write(output);
}

void Connection::close() {
    leaving_ = true;
    timer_.start(Seconds{5});  // for the last bytes
    if (stream_ && !closed_) {
        stream_->close_after_flush();
    } else {
        tell_over();
    }
}

void Connection::tell_over() {
    timer_.stop();
    if (!on_over_) return;
    loop_.post([on_over = std::exchange(on_over_, nullptr), this] { on_over(this); });
}

// ---- time ---------------------------------------------------------------------------------------

void Connection::restart_timer() {
    if (closed_ || leaving_ || !user_) return;
    if (!options_.per_request_deadline) return timer_.start(limit());
    const auto stage = session_.stage();
    const SteadyTime now = loop_.clock().steady();
    if (!timing_ || stage != timed_stage_ || session_.replies() != timed_reply_) {
        timing_ = true;
        timed_stage_ = stage;
        timed_reply_ = session_.replies();
        deadline_ = now + limit();
    }
    timer_.start(std::max(std::chrono::ceil<Millis>(deadline_ - now), Millis{0}));
}

// Content that has gone out earns time for what follows, up to the stage's limit.
void Connection::extend_deadline(std::size_t bytes) {
    if (!options_.per_request_deadline || options_.min_data_rate == 0) return;
    const Millis earned{static_cast<std::int64_t>(bytes * 1000 / options_.min_data_rate)};
    deadline_ = std::min(deadline_ + earned, loop_.clock().steady() + limit());
}

Millis Connection::limit() const {
    using Stage = smtp::ClientSession::Stage;
    if (options_.tls_wrapper && stream_ && !stream_->secured()) return options_.starttls;
    switch (session_.stage()) {
        case Stage::helo: return options_.helo;
        case Stage::starttls: return options_.starttls;
        case Stage::xforward: return options_.xforward;
        case Stage::mail: return options_.mail;
        case Stage::rcpt: return options_.rcpt;
        case Stage::data_init: return options_.data_init;
        case Stage::data_xfer: return options_.data_xfer;
        case Stage::data_done: return options_.data_done;
        case Stage::rset: return options_.rset;
        case Stage::quit: return options_.quit;
        case Stage::idle: break;
    }
    return options_.cache_time;
}

void Connection::on_timeout() {
    if (leaving_) {
        stream_.reset();
        closed_ = true;
        return tell_over();
    }
    if (!user_) return leave();  // idle long enough
    if (!connected_) {
        stream_.reset();
        closed_ = true;
        failure_ = {Verdict::defer("4.4.1", cat({"connect to ", session_.peer().with_port(),
                                                 ": Connection timed out"})),
                    ""};
        return user_->on_failed();
    }
    obey(session_.on_timeout());
}

}  // namespace postern::forwarder
