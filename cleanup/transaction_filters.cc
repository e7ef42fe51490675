// Transaction, between content and queue file: addresses in the header that tables may change, and
// milters. Each waits for somebody else's answers.
#include "lib/base/strings.h"
#include "lib/log/log.h"

#include "cleanup/transaction.h"

namespace postern::cleanup {

// --- the header's addresses

bool Transaction::header_asks() const {
    const Options& o = tools_.options;
    return (o.rewrite_header_senders || o.rewrite_header_recipients) &&
           !open_.no_address_mappings && (is_local() || o.remote_completion);
}

// What the tables make of addresses in the header is put into the filtered text, as soon as its
// header is whole. False: not yet.
bool Transaction::header_rewritten() {
    if (header_rewritten_ || !header_asks()) return true;
    if (header_ || (state_ == State::receiving && filter_->in_header())) return false;
    header_ = std::make_unique<HeaderRewriting>(tools_.options);
    header_->collect(text_);
    ask_about_header();
    return header_rewritten_;
}

void Transaction::ask_about_header() {
    auto asked = header_->next();
    if (asked.empty()) {
        text_ = header_->apply(text_);
        // Tables may have put UTF-8 there.
        if (finds_utf8() && has_utf8_field(text_)) filter_->effects().utf8_header = true;
        header_.reset();
        header_rewritten_ = true;
        return;
    }
    const ipc::HeaderRequest request{asked.senders, asked.recipients};
    tools_.rewrite.call<ipc::HeaderAnswer>(
        request, kRewriteTimeout,
        [weak = weak_from_this(), asked = std::move(asked)](const Result<ipc::HeaderAnswer>& got) {
            const auto self = weak.lock();
            if (!self || !self->header_) return;
            const bool ok = got && got->outcome == ipc::LookupOutcome::ok &&
                            got->senders.size() == asked.senders.size() &&
                            got->recipients.size() == asked.recipients.size();
            if (!ok) return self->header_failed(got ? got->text : got.error().what);
            self->header_->answered(asked, {got->senders, got->recipients});
            self->ask_about_header();
            if (self->header_rewritten_) self->header_done();
        },
        envelope_.id.str());
}

void Transaction::header_failed(const std::string& why) {
    header_.reset();
    header_rewritten_ = true;
    log::warning(envelope_.id.str(), "address rewriting failed: " + why);
    if (!trouble_) trouble_ = Verdict::defer("4.3.0", "Error: address lookup failure");
    text_.clear();
    if (state_ == State::rewriting) answer(*trouble_);
}

void Transaction::header_done() {
    write_spilled();
    if (state_ != State::rewriting) return;
    if (trouble_) return answer(*trouble_);
    milters_ ? ask_milters() : accept_text();
}

// --- milters

// Mail of local users has no session: it is made up, as Postfix does it.
void Transaction::ask_milters() {
    state_ = State::filtering;
    if (open_.has_milters && milters_->discards()) return on_milters({});
    tell_milters(open_.has_milters ? SIZE_MAX : 0);
}

// Step 0 is MAIL (connect and HELO come by themselves), then each recipient, DATA, and the text.
void Transaction::tell_milters(std::size_t step) {
    const auto then = [weak = weak_from_this(), step](const milter::Outcome& outcome) {
        const auto self = weak.lock();
        if (!self || self->state_ != State::filtering) return;
        if (!outcome.proceeds()) return self->refuse(outcome, "END-OF-MESSAGE");
        self->tell_milters(step + 1);
    };
    if (step <= recipients_.size()) {
        ipc::MilterEvent event;
        event.stage = step == 0 ? ipc::MilterStage::mail : ipc::MilterStage::rcpt;
        event.client_name = event.reverse_name = event.helo = "localhost";
        event.client_address = "127.0.0.1";
        event.esmtp = true;
        event.address = step == 0 ? open_.sender : recipients_[step - 1].address;
        return milters_->tell(std::move(event), then);
    }
    if (step == recipients_.size() + 1) return milters_->data(envelope_.id.str(), then);
    milters_->message(text_for_milters(),
                      [weak = weak_from_this()](const milter::Outcome& outcome) {
                          const auto self = weak.lock();
                          if (self && self->state_ == State::filtering) self->on_milters(outcome);
                      });
}

// The text, and milter_header_checks for the fields that milters put in.
milter::Text Transaction::text_for_milters() {
    milter::Text text(text_, text_.starts_with("Received:"));
    if (tools_.milter_rules == nullptr) return text;
    text.filter_fields([weak = weak_from_this()](std::string field) -> std::optional<std::string> {
        const auto self = weak.lock();
        if (!self) return field;
        std::string before;  // nothing: PREPEND is not supported here
        return content::judge_field(*self->tools_.milter_rules, content::Kind::header,
                                    std::move(field), self->filter_->effects(), before);
    });
    return text;
}

void Transaction::on_milters(const milter::Outcome& outcome) {
    tell_notes();
    if (!outcome.proceeds()) return refuse(outcome, "END-OF-MESSAGE");
    if (milters_->discards()) {
        tell_milter_line("milter-discard", "milter triggers DISCARD action");
        return answer(Verdict::accept("2.0.0", "Ok"));
    }
    if (const auto& refusal = filter_->effects().refusal) return answer(Verdict(*refusal));
    obey_milters();
    accept_text();
}

void Transaction::obey_milters() {
    using Kind = milter::EnvelopeEdit::Kind;
    if (!milters_->hold().empty()) {
        envelope_.flags |= queue::kHold;
        tell_milter_line("milter-hold", milters_->hold());
    }
    for (const auto& edit : milters_->edits()) {
        if (edit.kind == Kind::sender) open_.sender = edit.text;
        if (edit.kind == Kind::add_recipient) add_bcc(edit.text);
        if (edit.kind == Kind::delete_recipient)
            std::erase_if(recipients_,
                          [&](const auto& r) { return iequals(r.address, edit.text); });
    }
    text_ = milters_->text().str();
    if (finds_utf8() && has_utf8_field(text_)) filter_->effects().utf8_header = true;
    if (milters_->text().has_dot_lines()) envelope_.flags |= queue::kHasDotLines;
    hold_memory(text_.size());
}

void Transaction::tell_milter_line(std::string_view what, std::string_view text) {
    std::string line = cat({what, ": END-OF-MESSAGE from "});
    line += open_.client_name.empty() ? "localhost[127.0.0.1]"
                                      : cat({open_.client_name, "[", open_.client_address, "]"});
    line += cat({": ", text, "; from=<", open_.sender, ">"});
    if (!recipients_.empty()) line += cat({" to=<", recipients_.back().address, ">"});
    if (!open_.protocol.empty()) line += cat({" proto=", open_.protocol});
    if (!open_.helo.empty()) line += cat({" helo=<", open_.helo, ">"});
    const bool local = open_.origin == ipc::Origin::local;
    log::info(envelope_.id.str(), printable(line, 1000),
              {log::kv("rule", cat({local ? "non_smtpd_milters " : "smtpd_milters ",
                                    milters_->decided_by()}))});
}

// `where` is DATA before the text has come: then smtpd writes the line.
void Transaction::refuse(const milter::Outcome& outcome, std::string_view where) {
    if (where == "END-OF-MESSAGE") tell_milter_line("milter-reject", outcome.text);
    told_refusal_ = true;
    reply_code_ = static_cast<std::uint16_t>(outcome.code);
    const auto space = outcome.text.find(' ');
    const auto status = outcome.text.substr(0, space);
    const auto text = space == std::string::npos ? std::string() : outcome.text.substr(space + 1);
    answer(outcome.code < 500 ? Verdict::defer(status, text) : Verdict::reject(status, text));
}

}  // namespace postern::cleanup
