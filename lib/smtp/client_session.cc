#include "lib/smtp/client_session.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/strings.h"

namespace postern::smtp {
namespace {

// An address that could end the command line early or begin another one is never sent.
bool safe_on_wire(std::string_view address) {
    return std::none_of(address.begin(), address.end(), [](char c) { return is_control(c); });
}

}  // namespace

std::string PeerName::with_address() const { return cat({host, "[", address, "]"}); }

std::string PeerName::with_port() const {
    return cat({host, "[", address, "]:", std::to_string(port)});
}

ClientSession::ClientSession(ClientOptions options, PeerName peer)
    : options_(std::move(options)),
      peer_(std::move(peer)),
      parser_(options_.reply_filter),
      encrypted_(options_.tls_from_start) {}

// ---- events -------------------------------------------------------------------------------------

ClientSession::Step ClientSession::on_connected() {
    POSTERN_CHECK(state_ == State::start);
    state_ = State::opening;
    expected_.push_back({Verb::greeting});
    return Step::wait;
}

ClientSession::Step ClientSession::on_input(std::string_view bytes) {
    Step step = Step::wait;
    while (!bytes.empty() && state_ != State::over) {
        auto outcome = parser_.feed(bytes);
        if (std::holds_alternative<ReplyParser::NeedMore>(outcome)) break;
        if (auto* error = std::get_if<Error>(&outcome)) return protocol_error(error->what);
        Step next = on_reply(*std::get_if<Reply>(&outcome));
        if (next != Step::wait) step = next;
        // RFC 3207 4.2: nothing may come between the answer to STARTTLS and the handshake
        // (CVE-2011-0411).
        if (state_ == State::tls && !bytes.empty()) {
            tls_failed_ = true;
            return fail(Verdict::defer("4.7.5", cat({"host ", peer_.with_address(),
                                                     " sent text after its STARTTLS response"})));
        }
    }
    return step;
}

ClientSession::Step ClientSession::on_tls(bool established, std::string_view problem) {
    // With TLS from the start it may fail before the session has begun.
    POSTERN_CHECK(state_ == State::tls || (!established && state_ == State::start));
    if (!established) {
        tls_failed_ = true;
        std::string text = "Cannot start TLS: handshake failure";
        if (!problem.empty()) text += cat({" (", printable(problem, 200), ")"});
        return fail(Verdict::defer("4.7.5", text));
    }
    encrypted_ = true;
    state_ = State::opening;
    extensions_ = {};  // RFC 3207 4.2: what was learnt before counts no more
    send_ehlo();
    return Step::wait;
}

ClientSession::Step ClientSession::on_untrusted(std::string_view why) {
    POSTERN_CHECK(state_ == State::tls || state_ == State::start);
    return fail(Verdict::defer("4.7.5", std::string(why)));
}

ClientSession::Step ClientSession::on_body_sent() {
    if (state_ != State::body) return Step::wait;  // the server has refused already
    state_ = State::transaction;
    if (!options_.lmtp) {
        expected_.push_back({Verb::end_of_data});
        return Step::wait;
    }
    // RFC 2033 4.2: one reply for each accepted recipient, in their order.
    for (std::size_t i = 0; i < progress_.size(); ++i) {
        if (progress_[i].accepted) expected_.push_back({Verb::end_of_data, i});
    }
    return Step::wait;
}

ClientSession::Step ClientSession::on_body_failed(std::string_view problem) {
    return lose(cat({"local data error while talking to ", peer_.with_address(), ": ",
                     printable(problem, 200)}));
}

ClientSession::Step ClientSession::on_lost() {
    if (state_ == State::quitting || state_ == State::over) return Step::close;
    return lose(cat({"lost connection with ", peer_.with_address(), " while ", doing()}));
}

ClientSession::Step ClientSession::on_timeout() {
    if (state_ == State::quitting || state_ == State::over) return Step::close;
    return lose(cat({"conversation with ", peer_.with_address(), " timed out while ", doing()}));
}

ClientSession::Step ClientSession::start(ClientTransaction transaction) {
    POSTERN_CHECK(state_ == State::ready);
    transaction_ = std::move(transaction);
    next_recipient_ = 0;
    mail_sent_ = data_sent_ = lost_before_end_ = false;
    progress_.assign(transaction_.recipients.size(), {});
    outcomes_.assign(transaction_.recipients.size(), {});
    state_ = State::transaction;
    xforward_.clear();
    complaint_.clear();
    if (transaction_.origin && !extensions_.xforward.empty())
        xforward_ = xforward_commands(extensions_.xforward, *transaction_.origin);
    // CVE-2009-3555: answers to commands that somebody else put before ours.
    if (options_.block_early_reply && early_reply_)
        decide_rest({Verdict::defer("4.7.0", "unexpected server message"), ""});
    if ((options_.block_early_reply && early_reply_) || refused_by_extensions()) {
        state_ = State::ready;
        return Step::finished;
    }
    refuse_bad_addresses();
    return send_more();
}

ClientSession::Step ClientSession::quit() {
    if (state_ != State::ready || closing_) {
        state_ = State::over;
        return Step::close;
    }
    state_ = State::quitting;
    send(Verb::quit, {"QUIT"});
    return options_.skip_quit_response ? Step::close : Step::wait;
}

// ---- replies ------------------------------------------------------------------------------------

ClientSession::Step ClientSession::on_reply(const Reply& reply) {
    ++replies_;
    // RFC 5321 3.8: after 421 the server closes; the reply still answers its command.
    if (reply.code == 421) closing_ = true;
    if (state_ == State::body) return early_reply(reply);
    if (expected_.empty()) {
        closing_ = true;  // nobody asked: whatever comes next could be taken for another's answer
        early_reply_ = early_reply_ || encrypted_;
        return Step::wait;
    }
    Expected what = expected_.front();
    expected_.pop_front();
    const bool optional = what.verb == Verb::ehlo || what.verb == Verb::starttls ||
                          what.verb == Verb::xforward || what.verb == Verb::rset ||
                          what.verb == Verb::quit;
    if (!optional) note_trouble(reply);
    switch (what.verb) {
        case Verb::greeting: return on_greeting(reply);
        case Verb::ehlo:
        case Verb::lhlo: return on_ehlo(reply);
        case Verb::helo: return on_helo(reply);
        case Verb::starttls: return on_starttls(reply);
        case Verb::auth: return on_auth(reply);
        case Verb::xforward:
            // Its facts are for the log of the server; the message goes without.
            if (!reply.positive())
                complaint_ = cat({"host ", peer_.with_address(), " said: ", reply.text(),
                                  " (in reply to XFORWARD command)"});
            return send_more();
        case Verb::mail: return on_mail(reply);
        case Verb::rcpt: return on_rcpt(reply, what.recipient);
        case Verb::data: return on_data(reply);
        case Verb::end_of_data: return on_end_of_data(reply, what.recipient);
        case Verb::rset: return send_more();
        case Verb::quit: break;
    }
    state_ = State::over;
    return Step::close;
}

ClientSession::Step ClientSession::on_mail(const Reply& reply) {
    if (!reply.positive()) {
        decide_rest(said(reply, "MAIL FROM command"));
        next_recipient_ = progress_.size();
    } else {
        needs_reset_ = true;
    }
    return send_more();
}

ClientSession::Step ClientSession::on_rcpt(const Reply& reply, std::size_t recipient) {
    if (reply.positive()) {
        progress_[recipient].accepted = !progress_[recipient].decided;
        const RecipientOutcome taken{Verdict::accept(reply.status, reply.text()), reply.text()};
        if (transaction_.probe && options_.probe_at_data)
            outcomes_[recipient] = taken;  // if DATA is not refused
        else if (transaction_.probe)
            decide(recipient, taken);
    } else {
        decide(recipient, said(reply, "RCPT TO command"));
    }
    return send_more();
}

ClientSession::Step ClientSession::on_data(const Reply& reply) {
    if (!reply.intermediate()) {
        decide_rest(said(reply, "DATA command"));
        if (reply.positive()) closing_ = true;  // no longer in step with each other
        return end_transaction();
    }
    if (transaction_.probe && accepted_count() > 0) {
        for (std::size_t i = 0; i < progress_.size(); ++i) {
            if (progress_[i].accepted) decide(i, RecipientOutcome(outcomes_[i]));
        }
        closing_ = true;  // without an end of data: nothing was sent
        return end_transaction();
    }
    if (accepted_count() > 0) {
        state_ = State::body;
        return Step::send_body;
    }
    // RFC 2920 3.1: DATA was sent with the recipients and accepted although none of them was. The
    // content must not go out; an empty one ends the transaction.
    output_ += ".\r\n";
    if (options_.lmtp) {
        closing_ = true;
        return end_transaction();
    }
    expected_.push_back({Verb::end_of_data});
    return Step::wait;
}

ClientSession::Step ClientSession::on_end_of_data(const Reply& reply, std::size_t recipient) {
    RecipientOutcome outcome = said(reply, "end of DATA command");
    needs_reset_ = false;  // RFC 5321 4.1.1.4: buffers are cleared whatever the answer
    if (!options_.lmtp) {
        decide_rest(outcome);
        return end_transaction();
    }
    decide(recipient, outcome);
    return expected_.empty() ? end_transaction() : Step::wait;
}

// The server speaks while the content is on its way: it can only be a refusal.
ClientSession::Step ClientSession::early_reply(const Reply& reply) {
    RecipientOutcome outcome = said(reply, "end of DATA command");
    if (outcome.verdict.accepted()) {
        return protocol_error(reply.text());
    }
    decide_rest(outcome);
    closing_ = true;
    return end_transaction();
}

// ---- outcomes -----------------------------------------------------------------------------------

ClientSession::Step ClientSession::end_transaction() {
    expected_.clear();
    state_ = State::ready;
    decide_rest({Verdict::defer("4.4.2", cat({"no answer from ", peer_.with_address()})), ""});
    return Step::finished;
}

ClientSession::Step ClientSession::refuse(const Reply& reply, bool soften) {
    std::string text =
        cat({"host ", peer_.with_address(), " refused to talk to me: ", reply.text()});
    if (reply.permanent() && !soften)
        return fail(Verdict::reject(reply.status, text), reply.text());
    std::string status = reply.status;
    status[0] = '4';
    return fail(Verdict::defer(status, text), reply.text());
}

ClientSession::Step ClientSession::fail(Verdict verdict, std::string_view reply) {
    failure_ = {std::move(verdict), std::string(reply)};
    state_ = State::over;
    expected_.clear();
    return Step::failed;
}

ClientSession::Step ClientSession::protocol_error(std::string_view text) {
    protocol_trouble_ = true;
    return lose(cat({"Protocol error: host ", peer_.with_address(), " said: ", text, " (while ",
                     doing(), ")"}));
}

// The session is over without an answer: recipients that had none may be tried elsewhere or later.
ClientSession::Step ClientSession::lose(std::string_view text) {
    bool in_transaction = state_ == State::transaction || state_ == State::body;
    if (state_ == State::tls) tls_failed_ = true;
    RecipientOutcome outcome{Verdict::defer("4.4.2", text), ""};
    closing_ = true;
    if (!in_transaction) return fail(std::move(outcome.verdict));
    lost_before_end_ =
        state_ == State::body || expected_.empty() || expected_.front().verb != Verb::end_of_data;
    decide_rest(outcome);
    expected_.clear();
    state_ = State::over;
    return Step::finished;
}

// As Postfix: RFC 5321 4.2.1, x0z is about syntax; 555 is RFC 5321 4.1.1.11.
void ClientSession::note_trouble(const Reply& reply) {
    if (reply.positive() || reply.intermediate()) return;
    if (reply.code < 400 || reply.code > 599 || reply.code == 555 ||
        (reply.code >= 500 && reply.code < 510))
        protocol_trouble_ = true;
}

RecipientOutcome ClientSession::said(const Reply& reply, std::string_view command) const {
    std::string text = reply.text();
    if (reply.positive() && command == "end of DATA command") {
        return {Verdict::accept(reply.status, text), text};
    }
    std::string said =
        cat({"host ", peer_.with_address(), " said: ", text, " (in reply to ", command, ")"});
    if (reply.permanent()) return {Verdict::reject(reply.status, said), text};
    if (reply.transient()) return {Verdict::defer(reply.status, said), text};
    return {Verdict::defer("4.5.0", cat({"Protocol error: ", said})), text};
}

void ClientSession::decide(std::size_t recipient, const RecipientOutcome& outcome) {
    Progress& progress = progress_[recipient];
    if (progress.decided) return;
    progress = {true, false};
    outcomes_[recipient] = outcome;
}

void ClientSession::decide_rest(const RecipientOutcome& outcome) {
    for (std::size_t i = 0; i < progress_.size(); ++i) decide(i, outcome);
}

std::size_t ClientSession::accepted_count() const {
    return static_cast<std::size_t>(std::count_if(progress_.begin(), progress_.end(),
                                                  [](const Progress& p) { return p.accepted; }));
}

void ClientSession::refuse_bad_addresses() {
    if (!safe_on_wire(transaction_.sender)) {
        decide_rest({Verdict::reject("5.1.7", "bad sender address syntax"), ""});
        next_recipient_ = progress_.size();
        mail_sent_ = true;  // nothing is left to say
        xforward_.clear();
    }
    for (std::size_t i = 0; i < progress_.size(); ++i) {
        if (!safe_on_wire(transaction_.recipients[i].address)) {
            decide(i, {Verdict::reject("5.1.3", "bad recipient address syntax"), ""});
        }
    }
}

// ---- stages -------------------------------------------------------------------------------------

ClientSession::Stage ClientSession::stage() const {
    if (state_ == State::body) return Stage::data_xfer;
    if (state_ == State::tls) return Stage::starttls;
    if (expected_.empty()) return Stage::idle;
    switch (expected_.front().verb) {
        case Verb::greeting:
        case Verb::ehlo:
        case Verb::lhlo:
        case Verb::helo: return Stage::helo;
        case Verb::starttls: return Stage::starttls;
        case Verb::auth: return Stage::helo;
        case Verb::xforward: return Stage::xforward;
        case Verb::mail: return Stage::mail;
        case Verb::rcpt: return Stage::rcpt;
        case Verb::data: return Stage::data_init;
        case Verb::end_of_data: return Stage::data_done;
        case Verb::rset: return Stage::rset;
        case Verb::quit: return Stage::quit;
    }
    return Stage::idle;
}

// As Postfix says it in its log lines.
std::string_view ClientSession::doing() const {
    if (state_ == State::body) return "sending message body";
    if (state_ == State::tls) return "performing the TLS handshake";
    if (expected_.empty()) return "sending MAIL FROM";
    switch (expected_.front().verb) {
        case Verb::greeting: return "receiving the initial server greeting";
        case Verb::ehlo: return "performing the EHLO handshake";
        case Verb::lhlo: return "performing the LHLO handshake";
        case Verb::helo: return "performing the HELO handshake";
        case Verb::starttls: return "receiving the STARTTLS response";
        case Verb::auth: return "performing SASL authentication";
        case Verb::xforward: return "sending XFORWARD";
        case Verb::mail: return "sending MAIL FROM";
        case Verb::rcpt: return "sending RCPT TO";
        case Verb::data: return "sending DATA command";
        case Verb::end_of_data: return "sending end of data -- message may be sent more than once";
        case Verb::rset: return "sending RSET";
        case Verb::quit: return "sending QUIT";
    }
    return "talking";
}

}  // namespace postern::smtp
