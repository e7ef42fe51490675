// Notifier: see notifier.h.
#include "bounce/notifier.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/base/strings.h"
#include "lib/ipc/submission.h"
#include "lib/log/log.h"
#include "lib/mail/verp.h"
#include "lib/mail/xtext.h"

#include "bounce/threading.h"

namespace postern::bounce {
namespace {

constexpr std::size_t kChunk = 64 << 10;
constexpr std::uint64_t kMaxHeader = 128 << 10;  // of a message that is returned as its header

ipc::BounceLog log_of(ipc::Notification what) {
    switch (what) {
        case ipc::Notification::failure: return ipc::BounceLog::bounce;
        case ipc::Notification::delay: return ipc::BounceLog::defer;
        case ipc::Notification::success:
        case ipc::Notification::trace: return ipc::BounceLog::trace;
    }
    return ipc::BounceLog::bounce;
}

// defer/ may have a recipient of an attempt before this one too: its latest record counts.
std::vector<queue::BounceRecord> latest(std::vector<queue::BounceRecord> records) {
    std::set<std::pair<std::string, std::string>> seen;
    std::vector<queue::BounceRecord> kept;
    for (auto one = records.rbegin(); one != records.rend(); ++one) {
        if (seen.emplace(one->address, one->orcpt).second) kept.push_back(std::move(*one));
    }
    std::reverse(kept.begin(), kept.end());
    return kept;
}

const queue::BounceTemplate& text_of(const queue::BounceTemplates& all, Dsn::Kind kind) {
    switch (kind) {
        case Dsn::Kind::failure: return all.failure;
        case Dsn::Kind::delay: return all.delay;
        case Dsn::Kind::success: return all.success;
        case Dsn::Kind::verify: return all.verify;
    }
    return all.failure;
}

// The recipient as its sender knows it.
const std::string& asked_for(const queue::BounceRecord& record) {
    return record.original.empty() ? record.address : record.original;
}

// RFC 3461 4.1: a delay is told unless NOTIFY was given without DELAY.
bool wants_delay(const queue::BounceRecord& record) {
    return record.notify.empty() || record.notify.find("DELAY") != std::string::npos;
}

}  // namespace

bool Notifier::has_class(std::string_view name) const {
    return std::any_of(options_.notify_classes.begin(), options_.notify_classes.end(),
                       [&](const std::string& one) { return iequals(one, name); });
}

Notifier::Letter Notifier::letter(const ipc::BounceSend& request,
                                  const std::vector<queue::BounceRecord>& records) const {
    Letter letter;
    Dsn& dsn = letter.dsn;
    dsn.queue_id = request.queue_id.str();
    dsn.myhostname = options_.myhostname;
    dsn.from_domain = options_.myorigin;
    dsn.mail_name = options_.mail_name;
    dsn.sender = request.sender;
    // RFC 3461 6.3: decoded. What is none (a local submitter wrote it) is shown as it is.
    dsn.envid = printable(mail::xtext_decode(request.envid).value_or(request.envid));
    dsn.arrival = request.arrival;
    dsn.now = clock_.now();
    dsn.retry_until = request.arrival + options_.queue_lifetime;
    dsn.eight_bit = request.body_8bit;
    dsn.utf8 = request.smtputf8;
    dsn.recipients = records;
    // RFC 3461 6.2: RET applies to failures; other reports return the header alone.
    bool failure = request.notification == ipc::Notification::failure;
    dsn.headers_only = !failure || request.ret == ipc::DsnReturn::headers ||
                       request.body_size > options_.size_limit;
    return letter;
}

std::vector<Notifier::Letter> Notifier::letters(const ipc::BounceSend& request,
                                                std::vector<queue::BounceRecord> records) const {
    std::vector<Letter> letters;
    const auto add = [&](Dsn::Kind kind, const std::string& to, std::string_view logged_as) {
        Letter one = letter(request, records);
        one.dsn.kind = kind;
        one.dsn.text = text_of(options_.templates, kind);
        one.dsn.to = to;
        one.logged_as = logged_as;
        letters.push_back(std::move(one));
    };
    const std::string double_sender = this->double_sender();
    const std::vector<queue::BounceRecord> none;
    const auto add_copy = [&](Dsn::Kind kind, const std::string& to, std::string_view logged_as) {
        add(kind, to, logged_as);
        letters.back().from = double_sender;
        letters.back().dsn.to_postmaster = true;
        // What has no other reader comes whole.
        letters.back().dsn.headers_only |= !request.sender.empty();
    };
    switch (request.notification) {
        case ipc::Notification::failure:
            if (iequals(request.sender, double_sender)) {
                log::warning(request.queue_id.str(),
                             "undeliverable postmaster notification discarded");
            } else if (!request.sender.empty()) {
                if (request.verp.empty())
                    add(Dsn::Kind::failure, request.sender, "sender non-delivery notification");
                for (const auto& record : request.verp.empty() ? none : records) {
                    add(Dsn::Kind::failure,
                        mail::verp_sender(request.sender, request.verp, asked_for(record)),
                        "sender non-delivery notification");
                    letters.back().dsn.recipients = {record};
                }
                if (has_class("bounce"))
                    add_copy(Dsn::Kind::failure, options_.bounce_notice_recipient,
                             "postmaster non-delivery notification");
            } else if (has_class("2bounce")) {
                add_copy(Dsn::Kind::failure, options_.double_bounce_notice_recipient,
                         "postmaster non-delivery notification");
            } else {
                log::info(request.queue_id.str(), "double bounce discarded");
            }
            break;
        case ipc::Notification::delay:
            std::erase_if(records, [](const auto& record) { return !wants_delay(record); });
            records = latest(std::move(records));
            if (records.empty() || request.sender.empty() || iequals(request.sender, double_sender))
                break;
            add(Dsn::Kind::delay, request.sender, "sender delay notification");
            if (has_class("delay"))
                add_copy(Dsn::Kind::delay, options_.delay_notice_recipient,
                         "postmaster delay notification");
            break;
        case ipc::Notification::success:
        case ipc::Notification::trace:
            if (request.sender.empty()) break;
            add(request.notification == ipc::Notification::success ? Dsn::Kind::success
                                                                   : Dsn::Kind::verify,
                request.sender, "sender delivery status notification");
            break;
    }
    return letters;
}

std::string Notifier::double_sender() const {
    return cat({options_.double_bounce_sender, "@", options_.myorigin});
}

Result<void> Notifier::tell_postmaster(const ipc::PostmasterNotice& notice) {
    if (!has_class("protocol")) return {};
    ipc::SubmitOpen envelope;
    envelope.origin = ipc::Origin::internal;
    envelope.sender = double_sender();
    envelope.rewrite_headers = true;
    envelope.recipients.push_back({options_.error_notice_recipient, "", ipc::kNotifyNever, ""});
    const std::string peer = printable(notice.peer, ipc::kMaxName);
    std::string text = cat(
        {"From: MAILER-DAEMON (Mail Delivery System)\r\nTo: ", options_.error_notice_recipient,
         "\r\nSubject: ", options_.mail_name, " ", printable(notice.client, 32), ": errors from ",
         peer, "\r\nAuto-Submitted: auto-generated\r\n\r\nUnexpected response from ", peer,
         ".\r\n\r\nTranscript of session follows.\r\n\r\n"});
    for (const std::string_view line : split(notice.transcript, '\n'))
        text += cat({printable(trim_right(line), 600), "\r\n"});
    text += "\r\nFor other details, see the local mail logfile\r\n";
    TRY_ASSIGN(
        ipc::Submission submission,
        ipc::Submission::open(options_.cleanup, envelope, Deadline::in(options_.submit_timeout)));
    TRY(submission.write(text));
    TRY_ASSIGN(const ipc::SubmitResult result, std::move(submission).commit());
    if (result.outcome != ipc::Outcome::accept)
        return Error{Errc::temporary, cat({"cleanup: ", result.text})};
    log::info(result.queue_id.str(), cat({"postmaster notification of a session with ", peer}));
    return {};
}

Result<void> Notifier::send(const ipc::BounceSend& request, int queue_file) {
    ipc::BounceLog log = log_of(request.notification);
    TRY_ASSIGN(std::vector<queue::BounceRecord> records, records_.read(log, request.queue_id));
    if (records.empty()) {
        log::warning(request.queue_id.str(), "nothing is recorded to tell the sender of");
    } else {
        for (Letter& letter : letters(request, std::move(records)))
            TRY(submit(request, std::move(letter), queue_file));
    }
    if (log == ipc::BounceLog::defer) return {};
    return records_.forget(log, request.queue_id);
}

// With the line end before the empty line; what is too long is cut at the end of a line.
Result<std::string> Notifier::header_of(const ipc::BounceSend& request, int queue_file) const {
    const std::uint64_t most = std::min(request.body_size, kMaxHeader);
    TRY_ASSIGN(std::string head,
               fs_.read_at(queue_file, request.body_offset, static_cast<std::size_t>(most)));
    auto end = head.find("\r\n\r\n");
    if (end == std::string::npos) end = head.rfind("\r\n");
    head.resize(end == std::string::npos ? 0 : end + 2);
    return head;
}

// How much of the message goes back: all, or its header.
Result<std::uint64_t> Notifier::returned_size(const ipc::BounceSend& request, const Dsn& dsn,
                                              int queue_file) const {
    if (!dsn.headers_only) return request.body_size;
    TRY_ASSIGN(const std::string head, header_of(request, queue_file));
    return head.size();
}

Result<void> Notifier::submit(const ipc::BounceSend& request, Letter letter, int queue_file) {
    if (options_.threaded) {
        TRY_ASSIGN(const std::string head, header_of(request, queue_file));
        letter.dsn.thread_fields = thread_fields(head);
    }
    ipc::SubmitOpen envelope;
    envelope.origin = ipc::Origin::internal;
    envelope.sender = letter.from;
    envelope.body_8bit = letter.dsn.eight_bit || is_8bit(letter.dsn);
    envelope.smtputf8 = letter.dsn.utf8;
    envelope.recipients.push_back({letter.dsn.to, "", 0, ""});

    TRY_ASSIGN(std::uint64_t left, returned_size(request, letter.dsn, queue_file));
    DsnText text = make_dsn(letter.dsn);
    TRY_ASSIGN(
        ipc::Submission submission,
        ipc::Submission::open(options_.cleanup, envelope, Deadline::in(options_.submit_timeout)));
    TRY(submission.write(text.before));
    for (std::uint64_t at = request.body_offset; left > 0;) {
        auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunk));
        TRY_ASSIGN(std::string bytes, fs_.read_at(queue_file, at, want));
        if (bytes.empty())
            return Error{Errc::corrupt, cat({request.queue_id.str(), ": message is cut short"})};
        TRY(submission.write(bytes));
        at += bytes.size();
        left -= bytes.size();
    }
    TRY(submission.write(text.after));
    TRY_ASSIGN(ipc::SubmitResult result, std::move(submission).commit());
    if (result.outcome == ipc::Outcome::defer)
        return Error{Errc::temporary, cat({"cleanup: ", result.text})};
    if (result.outcome == ipc::Outcome::reject) {  // it will not be taken later either
        log::warning(request.queue_id.str(), cat({letter.logged_as, " refused: ", result.text}));
        return {};
    }
    log::info(request.queue_id.str(), cat({letter.logged_as, ": ", result.queue_id.str()}));
    return {};
}

}  // namespace postern::bounce
