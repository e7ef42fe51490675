// Notices: see notices.h.
#include "smtpd/notices.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::smtpd {
namespace {

constexpr std::size_t kMaxLetters =
    20;  // at a time; a flood of errors is no reason for a flood of mail

ipc::SubmitOpen envelope_of(const NoticeOptions& options) {
    ipc::SubmitOpen open;
    open.origin = ipc::Origin::smtp;  // cleanup takes nothing else from us
    open.sender = options.sender;
    open.client_name = "localhost";
    open.client_address = "127.0.0.1";
    open.helo = options.myhostname;
    open.protocol = "SMTP";
    open.rewrite_headers = true;
    open.no_header_body_checks = true;
    open.recipients.push_back({options.recipient, {}, ipc::kNotifyNever, {}});
    return open;
}

}  // namespace

void Notices::send(const Transcript& transcript, const std::string& client) {
    if (!transcript.is_wanted()) return;
    if (letters_.size() >= kMaxLetters)
        return log::warning("", cat({"no notice about errors from ", client, ": too many wait"}));
    const Place letter = letters_.emplace(letters_.end());
    letter->text = transcript.letter(options_.mail_name, options_.recipient, client);
    Submission::Handler handler;
    handler.on_opened = [this, letter](const QueueId&) { write(letter); };
    handler.on_room = [this, letter] { write(letter); };
    handler.on_result = [this, letter](const ipc::SubmitResult& result) {
        const bool taken = result.outcome == ipc::Outcome::accept;
        over(letter, taken ? "" : result.text, result.queue_id.str());
    };
    handler.on_failed = [this, letter](const Error& error) { over(letter, error.what, ""); };
    letter->submission = std::make_unique<Submission>(links_, std::move(handler));
    letter->submission->open(envelope_of(options_));
}

void Notices::write(Place letter) {
    const std::string_view rest = std::string_view(letter->text).substr(letter->written);
    letter->written += letter->submission->write(rest);
    if (letter->written == letter->text.size()) letter->submission->commit({});
}

void Notices::over(Place letter, std::string_view problem, std::string_view queue_id) {
    if (problem.empty()) {
        log::info(queue_id, "postmaster notification of a session's errors");
    } else {
        log::warning("", cat({"postmaster notification not sent: ", problem}));
    }
    letters_.erase(letter);
}

}  // namespace postern::smtpd
