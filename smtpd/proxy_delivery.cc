#include "smtpd/proxy_delivery.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/received.h"

namespace postern::smtpd {
namespace {

constexpr std::size_t kMaxQueued = 256 << 10;  // of text that the filter has not taken
constexpr std::pair<std::uint8_t, std::string_view> kNotifyWords[] = {
    {ipc::kNotifyNever, "NEVER"},
    {ipc::kNotifySuccess, "SUCCESS"},
    {ipc::kNotifyFailure, "FAILURE"},
    {ipc::kNotifyDelay, "DELAY"}};

std::string notify_words(std::uint8_t bits) {
    std::string words;
    for (const auto& [bit, word] : kNotifyWords)
        if (bits & bit) words += cat({words.empty() ? "" : ",", word});
    return words;
}

// "250 2.0.0 Ok: queued as X" -> what is behind the code and the status.
std::string_view words_of(std::string_view reply, std::string_view status) {
    reply = trim(reply.size() > 4 ? reply.substr(4) : std::string_view());
    if (reply.starts_with(status)) reply = trim(reply.substr(status.size()));
    return reply;
}

}  // namespace

smtp::Forwarded forwarded_of(const ipc::SubmitOpen& envelope) {
    smtp::Forwarded from;
    if (envelope.forwarded) {
        from.name = envelope.origin_name;
        from.address = envelope.origin_address;
        from.port = envelope.origin_port;
        from.protocol = envelope.origin_protocol;
        from.helo = envelope.origin_helo;
        from.ident = envelope.origin_ident;
        return from;
    }
    from.name = envelope.client_name;
    from.address = envelope.client_address;
    from.port = envelope.client_port == 0 ? "unknown" : std::to_string(envelope.client_port);
    from.protocol = envelope.protocol;
    from.helo = envelope.helo;
    from.local = envelope.rewrite_headers;
    return from;
}

ProxyDelivery::ProxyDelivery(loop::Loop& loop, const ProxyOptions& options, Handler handler)
    : loop_(loop),
      options_(options),
      handler_(std::move(handler)),
      timer_(loop, [this] { fail("timeout"); }) {}

ProxyDelivery::~ProxyDelivery() { *alive_ = false; }

void ProxyDelivery::later(std::function<void()> call) {
    loop_.post([alive = alive_, call = std::move(call)] {
        if (*alive) call();
    });
}

void ProxyDelivery::open(ipc::SubmitOpen envelope) {
    envelope_ = std::move(envelope);
    smtp::ClientOptions session;
    session.helo_name = options_.helo_name;
    session_.emplace(std::move(session), smtp::PeerName{options_.name, options_.name, 0});
    timer_.start(options_.timeout);
    auto socket = sys::start_connect(options_.address);
    if (!socket) {
        const std::string why = socket.error().what;
        return later([this, why] { fail(why); });
    }
    stream_ = loop::Stream::connecting(loop_, std::move(socket).value(), options_.name, *this);
}

void ProxyDelivery::on_connected() { take(session_->on_connected()); }

void ProxyDelivery::on_input() {
    if (told_) return;
    const std::string input(stream_->input());
    stream_->consume(input.size());
    Step step = input.empty() ? Step::wait : session_->on_input(input);
    if (step == Step::wait && stream_->at_eof()) step = session_->on_lost();
    take(step);
}

void ProxyDelivery::on_drained() {
    if (!std::exchange(wants_room_, false) || told_) return;
    timer_.start(options_.timeout);
    const auto callback = handler_.on_room;
    callback();
}

void ProxyDelivery::on_closed(const Error* error) {
    if (told_) return;
    fail(error ? error->what : std::string("lost connection"));
}

// Telling the handler comes last: it may destroy us.
void ProxyDelivery::take(Step step) {
    push();
    timer_.start(options_.timeout);
    switch (step) {
        case Step::wait: return;
        case Step::ready: return start_transaction();
        case Step::send_body: return begin_content();
        case Step::finished: return finish();
        case Step::failed: return tell(session_->failure());
        case Step::start_tls:
        case Step::close: return fail("lost connection");
    }
}

void ProxyDelivery::push() {
    if (!stream_ || !session_->has_output()) return;
    stream_->write(session_->take_output());
    stream_->flush();
}

void ProxyDelivery::start_transaction() {
    smtp::ClientTransaction transaction;
    transaction.sender = envelope_.sender;
    transaction.size = envelope_.size_hint;
    transaction.body_8bit = envelope_.body_8bit;
    transaction.smtputf8 = envelope_.smtputf8;
    transaction.envid = envelope_.envid;
    if (envelope_.ret == ipc::DsnReturn::full) transaction.ret = "FULL";
    if (envelope_.ret == ipc::DsnReturn::headers) transaction.ret = "HDRS";
    transaction.origin = forwarded_of(envelope_);
    for (const auto& to : envelope_.recipients)
        transaction.recipients.push_back({to.address, notify_words(to.notify), to.orcpt});
    take(session_->start(std::move(transaction)));
}

// All or nothing: what becomes of the message is one answer to our client.
void ProxyDelivery::begin_content() {
    for (const auto& outcome : session_->outcomes()) {
        if (!outcome.reply.empty() && !outcome.verdict.accepted()) return tell(outcome);
    }
    std::string header;
    for (const auto& action : envelope_.actions) {
        if (action.kind == ipc::MailActionKind::prepend)
            header += printable(action.argument, ipc::kMaxText) + "\r\n";
        else
            log::warning("", cat({"an action of an access table is not possible with "
                                  "smtpd_proxy_filter: ",
                                  action.why}));
    }
    const auto& only =
        envelope_.recipients.size() == 1 ? envelope_.recipients[0].address : std::string();
    if (!envelope_.forwarded)
        header += queue::received_field(envelope_, {options_.hostname, options_.mail_name},
                                        QueueId(), only, queue::mail_date(loop_.clock().now()));
    std::string out;
    stuffer_.add(header, out);
    stream_->write(out);
    stream_->flush();
    const auto callback = handler_.on_opened;
    callback(QueueId());
}

std::size_t ProxyDelivery::write(std::string_view content) {
    if (told_ || !stream_) return content.size();
    if (stream_->queued() > kMaxQueued) {
        wants_room_ = true;
        return 0;
    }
    std::string out;
    stuffer_.add(content, out);
    stream_->write(out);
    stream_->flush();
    timer_.start(options_.timeout);
    return content.size();
}

void ProxyDelivery::commit(std::vector<ipc::MailAction> actions) {
    if (told_) return;
    for (const auto& action : actions)
        log::warning("", cat({"an action at the end of the text is not possible with "
                              "smtpd_proxy_filter: ",
                              action.why}));
    std::string out;
    stuffer_.finish(out);
    stream_->write(out);
    session_->on_body_sent();
    push();
    stream_->flush();
    timer_.start(options_.timeout);
}

void ProxyDelivery::finish() {
    const auto& outcomes = session_->outcomes();
    const auto refused = std::find_if(outcomes.begin(), outcomes.end(), [](const auto& outcome) {
        return !outcome.verdict.accepted();
    });
    tell(refused == outcomes.end() ? outcomes.front() : *refused);
}

// The filter's own words. Where it has said nothing, it has failed.
void ProxyDelivery::tell(const smtp::RecipientOutcome& outcome) {
    const auto code = parse_number<std::uint16_t>(std::string_view(outcome.reply).substr(0, 3));
    if (!code || *code < 200 || *code > 599) return fail(outcome.verdict.text);
    told_ = true;
    timer_.stop();
    ipc::SubmitResult result;
    result.outcome = outcome.verdict.accepted() ? ipc::Outcome::accept
                     : *code < 500              ? ipc::Outcome::defer
                                                : ipc::Outcome::reject;
    result.status = outcome.verdict.status;
    result.text = words_of(outcome.reply, result.status);
    result.smtp_code = *code;
    if (outcome.verdict.accepted() && stream_) {
        (void)session_->quit();
        push();
    }
    const auto callback = handler_.on_result;
    callback(std::move(result));
}

void ProxyDelivery::fail(std::string why) {
    if (std::exchange(told_, true)) return;
    timer_.stop();
    const auto callback = handler_.on_failed;
    callback(Error{Errc::temporary, cat({"proxy ", options_.name, ": ", printable(why, 300)})});
}

}  // namespace postern::smtpd
