#include "commands/stand_alone.h"

#include <utility>
#include <variant>

#include "lib/base/strings.h"
#include "lib/smtp/data_decoder.h"

namespace postern::commands {
namespace {

constexpr std::size_t kMaxLine = 2048;  // of a command, as smtpd takes it

smtp::Answer failure() {
    return smtp::Answer::refuse(451, "4.3.0", "Error: queue file write error");
}

}  // namespace

StandAlone::StandAlone(std::string hostname, std::uint64_t size_limit,
                       queue::MaildropEnvelope defaults, StandAloneDoors doors)
    : defaults_(std::move(defaults)), doors_(std::move(doors)), session_(options_) {
    options_.hostname = std::move(hostname);
    options_.banner = options_.hostname + " ESMTP Postern";
    options_.size_limit = size_limit;
    session_.set_rules({.may_omit_cr = true});  // scripts write what printf(1) gives them
    options_.vrfy_enabled = false;              // nobody here who could look
}

Result<void> StandAlone::run() {
    TRY(perform(session_.greet()));
    while (!over_) TRY(take_line());
    return {};
}

Result<bool> StandAlone::more_input() {
    TRY_ASSIGN(const std::string more, doors_.read());
    input_ += more;
    return !more.empty();
}

Result<void> StandAlone::take_line() {
    const auto end = input_.find('\n');
    if (end > kMaxLine && input_.size() > kMaxLine) {
        over_ = true;  // no mail program: where its next command begins is anybody's guess
        return perform(session_.on_long_line());
    }
    if (end == std::string::npos) {
        TRY_ASSIGN(const bool more, more_input());
        over_ = !more;
        return {};
    }
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    const bool proper = line.ends_with('\r');
    if (proper) line.pop_back();
    TRY(perform(session_.on_line(line, proper)));
    if (session_.too_many_errors()) return perform(session_.on_too_many_errors());
    return {};
}

Result<void> StandAlone::perform(smtp::Action action) {
    return std::visit([this](auto& one) { return perform_one(one); }, action);
}

// A local user may send to anybody.
Result<void> StandAlone::perform_one(smtp::Ask&) {
    return perform(session_.on_answer(smtp::Answer::accept()));
}

// Neither AUTH nor STARTTLS is offered: the engine refuses both.
Result<void> StandAlone::perform_one(smtp::Authenticate&) { return perform(session_.on_auth({})); }

Result<void> StandAlone::perform_one(smtp::StartTls&) {
    over_ = true;
    return {};
}

// Nobody has the right to it here.
Result<void> StandAlone::perform_one(smtp::Impersonate&) { return perform(session_.greet()); }

// There is no queue to flush here, only maildrop/.
Result<void> StandAlone::perform_one(smtp::Flush&) {
    return perform(session_.on_flushed(smtp::Flushed::failed));
}

Result<void> StandAlone::perform_one(smtp::Open&) {
    kept_ = open_submission();
    return perform(session_.on_opened(kept_ ? smtp::Answer::accept() : failure()));
}

Result<void> StandAlone::open_submission() {
    const smtp::Envelope& from = session_.envelope();
    queue::MaildropEnvelope envelope = defaults_;
    envelope.sender = from.sender;
    envelope.recipients.clear();
    for (const auto& recipient : from.recipients) envelope.recipients.push_back(recipient.address);
    if (from.mail.body == smtp::Body::eight_bit) envelope.body_8bit = true;
    writer_ = {};
    TRY_ASSIGN(const std::string head, writer_.begin(envelope));
    TRY_ASSIGN(submission_, doors_.open());
    return submission_->write(head);
}

Result<void> StandAlone::perform_one(smtp::ReadData& read) {
    TRY(doors_.write(read.text));
    std::uint64_t size = 0;
    TRY_ASSIGN(const auto end, take_content(size));
    Result<void> answered;
    // If the input ended in the middle, nobody is there to hear an answer.
    if (!over_) answered = perform(session_.on_content(end, size));
    submission_.reset();  // what is not committed now is forgotten
    return answered;
}

Result<smtp::ContentEnd> StandAlone::take_content(std::uint64_t& size) {
    using Kind = smtp::DataDecoder::Kind;
    // Whoever talks here may do all that its user may: there is nothing to smuggle.
    smtp::DataDecoder decoder(session_.omits_cr() ? smtp::DataDecoder::Client::lf_only
                                                  : smtp::DataDecoder::Client::any);
    for (;;) {
        const auto step = decoder.next(input_);
        if (step.kind == Kind::content) {
            size += step.content.size();
            keep(step.content);
        }
        input_.erase(0, step.consumed);
        if (step.kind == Kind::end) break;
        if (step.kind == Kind::content) continue;
        TRY_ASSIGN(const bool more, more_input());
        if (more) continue;
        over_ = true;
        return smtp::ContentEnd::pipe_broken;
    }
    const bool too_big = options_.size_limit != 0 && size > options_.size_limit;
    return too_big ? smtp::ContentEnd::too_big : smtp::ContentEnd::complete;
}

// After a failure the rest is read and dropped, so that the client hears of it.
void StandAlone::keep(std::string_view content) {
    if (kept_) kept_ = submission_->write(writer_.content(content));
}

Result<void> StandAlone::perform_one(smtp::Commit&) {
    if (kept_) kept_ = finish();
    return perform(session_.on_committed(kept_ ? smtp::Answer::accept() : failure(), "maildrop"));
}

Result<void> StandAlone::finish() {
    TRY(submission_->write(writer_.end()));
    return submission_->commit();
}

Result<void> StandAlone::perform_one(smtp::Close& close) {
    over_ = true;
    submission_.reset();
    return doors_.write(close.text);
}

}  // namespace postern::commands
