// Manager, second half: what becomes of a recipient after an answer, and of a message when none of
// its recipients is open any more.
#include <malloc.h>

#include <chrono>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/admin.h"
#include "lib/queue/delivery_log.h"
#include "lib/queue/directories.h"

#include "qmgr/manager.h"
#include "qmgr/routes.h"

namespace postern::qmgr {

using queue::Directory;

namespace {

constexpr std::size_t kMoveGroup = 64;  // messages that share a sync
constexpr Millis kMoveWait{20};         // for others to join

ipc::DeliverRecipient recipient_of(const queue::Envelope& envelope, std::uint32_t index) {
    const queue::Recipient& recipient = envelope.recipients.at(index);
    return {index, recipient.address, recipient.original, recipient.notify, recipient.orcpt};
}

ipc::BounceAppend record_of(const ActiveMessage& message, ipc::BounceLog log,
                            const ipc::RecipientReport& report) {
    return {log, message.id(), recipient_of(message.envelope(), report.index), report};
}

// RFC 3461 4.1: an absent NOTIFY means failures (and, as local policy, delays).
bool wants(std::uint8_t notify, std::uint8_t what, bool when_absent) {
    return notify == 0 ? when_absent : (notify & what) != 0;
}

ipc::DsnReturn return_of(const queue::Envelope& envelope) {
    std::string_view value = envelope.attribute(queue::attribute::kRet);
    if (value == "full") return ipc::DsnReturn::full;
    return value == "hdrs" ? ipc::DsnReturn::headers : ipc::DsnReturn::unset;
}

// For mailtrace; no log tool expects it.
void tell_rest(const QueueId& id, Directory where, WallTime retry) {
    if (!log::records_kept()) return;
    if (where == Directory::hold) return log::story(id.str(), "rests in the hold queue");
    log::story(id.str(), "rests in the deferred queue",
               {log::kv("until", retry.time_since_epoch().count())});
}

// soft_bounce: what would have been returned stays in the queue until it is too old.
ipc::RecipientReport softened(const ActiveMessage& message, ipc::RecipientReport report) {
    log::info(message.id().str(),
              cat({"soft_bounce: to=<", message.envelope().recipients.at(report.index).address,
                   "> stays in the queue"}));
    report.outcome = ipc::Outcome::defer;
    report.action = ipc::DsnAction::delayed;
    if (!report.status.empty()) report.status[0] = '4';
    return report;
}

}  // namespace

// A verdict that no agent gave (the resolver's, or that of a suspended site).
void Manager::decide(Message& message, std::uint32_t index, const Verdict& verdict) {
    ipc::RecipientReport report;
    report.index = index;
    report.outcome = verdict.rejected() ? ipc::Outcome::reject : ipc::Outcome::defer;
    report.status =
        verdict.status.empty() ? (verdict.rejected() ? "5.0.0" : "4.3.0") : verdict.status;
    report.text = printable(verdict.text, ipc::kMaxReportText);
    report.action = verdict.rejected() ? ipc::DsnAction::failed : ipc::DsnAction::delayed;
    log_outcome(message, report);
    on_report(message, report);
}

void Manager::log_outcome(const Message& message, const ipc::RecipientReport& report) const {
    const queue::Recipient& recipient = message.envelope().recipients.at(report.index);
    queue::DeliveryLine line;
    line.to = recipient.address;
    line.original = recipient.original;
    line.relay = "none";
    line.times = {message.envelope().arrival, message.since, {}, {}, now()};
    line.dsn = report.status;
    const bool rejected = report.outcome == ipc::Outcome::reject;
    line.status = queue::status_word(rejected ? Verdict::Kind::reject : Verdict::Kind::defer,
                                     message.envelope().is_probe());
    line.text = report.text;
    log::info(message.id().str(), queue::delivery_line(line));
}

bool Manager::reports_all(const Message& message) {
    return message.envelope().has(queue::kReportAll) &&
           (message.file->mode & queue::kModeFirstReportTold) == 0;
}

// Keeps the message open until the record is in trace/.
void Manager::note_for_report(Message& message, const ipc::BounceAppend& record) {
    ++message.pending;
    bouncer_.append(record, once_written(message, [this](Message& still, bool written) {
                        still.reported |= written;
                        settle(still);
                    }));
}

// Nobody else may have the message until then: a recipient who is not marked yet would be served
// again.
Bouncer::Done Manager::once_written(Message& message, Written then) {
    ++message.recording;
    ++message.file->in_hand;
    return [this, key = message.key, then = std::move(then)](const Result<void>& done) {
        Message* still = find(key);
        POSTERN_CHECK(still != nullptr && still->recording > 0);
        --still->recording;
        --still->file->in_hand;
        if (!done) log::warning(still->id().str(), done.error().what);
        then(*still, done.has_value());
        let_go_if_idle(key);
    };
}

namespace {

ipc::AddressStatus address_status(ipc::Outcome outcome) {
    switch (outcome) {
        case ipc::Outcome::accept: return ipc::AddressStatus::deliverable;
        case ipc::Outcome::reject: return ipc::AddressStatus::undeliverable;
        case ipc::Outcome::defer: break;
    }
    return ipc::AddressStatus::deferred;
}

}  // namespace

// Whatever was found out ends the probe: nothing of it is tried again.
void Manager::on_probed(Message& message, const ipc::RecipientReport& report) {
    const bool good = report.outcome == ipc::Outcome::accept;
    if (message.envelope().has(queue::kProbeReport)) {
        ipc::BounceAppend record = record_of(message, ipc::BounceLog::trace, report);
        record.report.action = good ? ipc::DsnAction::deliverable : ipc::DsnAction::undeliverable;
        note_for_report(message, record);
        give_up(message, report.index);
        return settle(message);
    }
    const queue::Recipient& recipient = message.envelope().recipients.at(report.index);
    const ipc::AddressStatus status = address_status(report.outcome);
    std::vector<ipc::VerifyUpdate> news{{recipient.shown_original(), status, report.text}};
    if (recipient.address != news.front().address)
        news.push_back({recipient.address, status, report.text});
    tell_verify(message, report.index, std::move(news));
}

void Manager::tell_verify(Message& message, std::uint32_t index,
                          std::vector<ipc::VerifyUpdate> news) {
    ipc::VerifyUpdate next = std::move(news.back());
    news.pop_back();
    verifications_.tell(
        std::move(next),
        once_written(message, [this, index, news = std::move(news)](Message& still, bool) {
            if (!news.empty()) return tell_verify(still, index, news);
            give_up(still, index);
            settle(still);
        }));
}

void Manager::on_report(Message& message, const ipc::RecipientReport& report) {
    if (message.envelope().is_probe()) return on_probed(message, report);
    if (reports_all(message))
        note_for_report(message, record_of(message, ipc::BounceLog::trace, report));
    switch (report.outcome) {
        case ipc::Outcome::accept: return on_accepted(message, report);
        case ipc::Outcome::reject:
            return options_.soft_bounce ? on_deferred(message, softened(message, report))
                                        : on_rejected(message, report);
        case ipc::Outcome::defer: return on_deferred(message, report);
    }
}

// Who has heard of a delay hears that it is over (confirm_delay_cleared).
bool Manager::clears_delay(const Message& message, std::uint8_t notify) const {
    return options_.confirm_delay_cleared && wants(notify, ipc::kNotifyDelay, true) &&
           (message.file->mode & queue::kModeDelayTold) != 0;
}

// RFC 3461 5.2: success is reported where it was asked for, and not by the next host.
void Manager::on_accepted(Message& message, const ipc::RecipientReport& report) {
    std::uint8_t notify = message.envelope().recipients.at(report.index).notify;
    const bool asked = !report.passed_on && wants(notify, ipc::kNotifySuccess, false);
    if (reports_all(message) || !(asked || clears_delay(message, notify))) {
        give_up(message, report.index);
        return settle(message);
    }
    bouncer_.append(
        record_of(message, ipc::BounceLog::trace, report),
        once_written(message, [this, index = report.index](Message& still, bool written) {
            still.reported |= written;
            give_up(still, index);
            settle(still);
        }));
}

void Manager::on_rejected(Message& message, const ipc::RecipientReport& report) {
    if (wants(message.envelope().recipients.at(report.index).notify, ipc::kNotifyFailure, true)) {
        return record_bounce(message, report);
    }
    give_up(message, report.index);
    settle(message);
}

void Manager::record_bounce(Message& message, const ipc::RecipientReport& report) {
    ipc::BounceAppend record = record_of(message, ipc::BounceLog::bounce, report);
    record.report.action = ipc::DsnAction::failed;
    auto then = [this, index = report.index](Message& still, bool written) {
        if (written) {
            still.bounced = true;
            give_up(still, index);
        } else {  // nobody may be given up without a record: it is tried again
            still.notice_failed = true;
        }
        settle(still);
    };
    bouncer_.append(std::move(record), once_written(message, std::move(then)));
}

void Manager::on_deferred(Message& message, const ipc::RecipientReport& report) {
    bool expired = message.force_expire || is_expired(options_.retry, message.born(), now(),
                                                      message.envelope().sender.empty());
    if (!expired) {
        sites_.note(message.envelope().recipients.at(report.index).address, message.id(), now());
        note_deferral(message, report);
        return settle(message);
    }
    if (!message.told_expired) {
        message.told_expired = true;
        log::info(message.id().str(), cat({"from=<", message.envelope().sender, ">, status=",
                                           message.force_expire ? "force-expired" : "expired",
                                           ", returned to sender"}));
    }
    on_rejected(message, report);
}

// The recipient needs nothing more. When the whole file is about to be unlinked (and not kept for
// another message of it), its mark is not worth a write; one that is used again may be found after a power cut under the name of the next
// message, but with the old contents.
void Manager::give_up(Message& message, std::uint32_t index) {
    queue::Recipient& recipient = message.envelope().recipients.at(index);
    recipient.done = true;
    const QueueFile& file = *message.file;
    const bool last = !file.reusable && !file.keep && file.live == 1 && message.pending == 1 &&
                      !message.bounced && !message.reported &&
                      message.envelope().remaining() == 0;
    if (!last) store_.mark_done(*message.file, recipient);
}

void Manager::settle(Message& message) {
    POSTERN_CHECK(message.pending > 0);
    if (--message.pending == 0) complete(message);
}

void Manager::complete(Message& message) {
    if (message.pending > 0 || message.under_way > 0 || message.notifying || message.moving) return;
    if (message.fate == Message::Fate::remove) return finish(message);
    if (message.bounced) return notify(message, ipc::Notification::failure);
    if (message.reported)
        return notify(message, reports_all(message) || message.envelope().has(queue::kProbeReport)
                                   ? ipc::Notification::trace
                                   : ipc::Notification::success);
    if (message.envelope().remaining() == 0 && !message.notice_failed) return finish(message);

    bool told = (message.file->mode & queue::kModeDelayTold) != 0;
    bool late =
        options_.delay_warning > Micros{0} && now() - message.born() >= options_.delay_warning;
    bool resting = message.file->directory == Directory::deferred;
    if (late && !told && resting && message.fate == Message::Fate::none && !draining_ &&
        !message.envelope().sender.empty()) {
        // The notice is made from defer/: not before this attempt's records are there. Who drains
        // leaves that to the next attempt: nobody's lock shall wait for advice.
        message.warn_delay = notes_.contains(message.id().str());
        if (!message.warn_delay) notify(message, ipc::Notification::delay);
        return;
    }
    put_to_rest(message);
}

void Manager::notify(Message& message, ipc::Notification notification) {
    const queue::Envelope& envelope = message.envelope();
    ipc::BounceSend request;
    request.notification = notification;
    request.queue_id = envelope.id;
    request.sender = envelope.sender;
    if (options_.verp_bounces && notification == ipc::Notification::failure)
        request.verp = envelope.attribute(queue::attribute::kVerp);
    request.envid = envelope.attribute(queue::attribute::kEnvid);
    request.ret = return_of(envelope);
    request.body_offset = message.message.body.offset;
    request.body_size = message.message.body.size;
    request.body_8bit = envelope.has(queue::kBody8bit);
    request.smtputf8 = envelope.has(queue::kSmtpUtf8);
    request.arrival = envelope.arrival;
    message.notifying = true;
    ++message.file->in_hand;
    MessageKey key = message.key;
    bouncer_.send(
        std::move(request), [this, file = message.file] { return store_.descriptor(*file); },
        [this, key, notification](const Result<void>& done) {
            on_notified(key, notification, done);
        });
}

void Manager::on_notified(MessageKey key, ipc::Notification notification,
                          const Result<void>& done) {
    Message* message = find(key);
    POSTERN_CHECK(message != nullptr);
    message->notifying = false;
    --message->file->in_hand;
    if (!done) log::warning(message->id().str(), done.error().what);
    switch (notification) {
        case ipc::Notification::failure:
            message->bounced = false;
            message->notice_failed |=
                !done;  // bounce/ still has the records: sent at the next attempt
            break;
        case ipc::Notification::success:
        case ipc::Notification::trace:
            message->reported = false;
            message->notice_failed |= !done;  // so has trace/
            if (done) first_report_told(*message);
            break;
        case ipc::Notification::delay:  // told or not: not again
            set_mark(*message, queue::kModeDelayTold);
            break;
    }
    complete(*message);
}

// A message in a batch is copied when it rests: without what is told by then.
void Manager::first_report_told(Message& message) {
    queue::Envelope& envelope = message.envelope();
    if (envelope.expanded.empty() && !envelope.has(queue::kReportAll)) return;
    envelope.expanded.clear();
    envelope.flags &= ~std::uint32_t{queue::kReportAll};
    if (!message.file->is_batch()) set_mark(message, queue::kModeFirstReportTold);
}

void Manager::set_mark(Message& message, mode_t mark) {
    QueueFile& file = *message.file;
    if ((file.mode & mark) != 0) return;
    file.mode |= mark;
    auto marked = store_.fs().set_mode(file.path(), file.mode);
    if (!marked) log::warning(message.id().str(), marked.error().what);
}

// Not before its time, whoever asks.
WallTime Manager::next_try(const Message& message) const {
    if (message.envelope().release() > now()) return message.envelope().release();
    const bool expires = draining_ && message.force_expire;  // the successor returns it
    if (message.fate == Message::Fate::requeue || expires) return now();
    return next_attempt(options_.retry, message.born(), now());
}

void Manager::wake_at(WallTime release, const QueueId& id) {
    constexpr std::size_t kMostKnown = 10'000;
    releases_.emplace(release, id.str());
    if (releases_.size() > kMostKnown) releases_.erase(std::prev(releases_.end()));
    release_due();
}

void Manager::release_due() {
    while (!releases_.empty() && releases_.begin()->first <= now()) {
        const auto id = QueueId::parse(releases_.begin()->second);
        releases_.erase(releases_.begin());
        if (id && has_room(Directory::deferred)) take_up(Directory::deferred, *id, Reason::found);
    }
    if (releases_.empty() || draining_) return;
    const Micros left = releases_.begin()->first - now();
    release_timer_.start(std::min(std::chrono::ceil<Millis>(left), options_.queue_run_delay));
}

// A requeued message; one that drains leaves it to its successor.
void Manager::take_up_again(const QueueId& id) {
    if (draining_) return;
    loop_.post([this, id] { take_up(Directory::deferred, id, Reason::flushed); });
}

void Manager::put_to_rest(Message& message) {
    if (message.file->is_batch()) {
        message.moving = true;
        ++message.file->in_hand;
        moving_.push_back(message.key);
        if (moving_.size() >= kMoveGroup) {
            move_timer_.start(Millis{0});
        } else if (!move_timer_.active() && file_sync_.outstanding() == 0) {
            move_timer_.start(kMoveWait);
        }
        return;
    }
    if (message.force_expire) set_mark(message, queue::kModeForceExpire);
    bool hold = message.fate == Message::Fate::hold;
    bool at_once = message.fate == Message::Fate::requeue;
    const WallTime release = message.envelope().release();
    WallTime retry = next_try(message);
    QueueId id = message.id();
    const Directory place = hold ? Directory::hold : Directory::deferred;
    auto resting = store_.rest(message.file, place, retry);
    if (!resting) log::warning(id.str(), resting.error().what);
    if (resting) names_.changed(queue::parent_of(place, id));
    if (resting && !hold && release > now()) wake_at(release, id);
    if (resting) tell_rest(id, place, retry);
    erase(message);
    if (at_once) take_up_again(id);
}

// One group at a time: who comes while it is synced makes the next one.
void Manager::move_batch_out() {
    if (file_sync_.outstanding() > 0) return;
    std::vector<MessageKey> owners;
    std::vector<Move> moves;
    loop::SyncJob job;
    while (!moving_.empty() && moves.size() < kMoveGroup) {
        Message* message = find(moving_.back());
        moving_.pop_back();
        if (message == nullptr) continue;
        if (message->fate == Message::Fate::remove) {
            finish(*message);
            continue;
        }
        bool hold = message->fate == Message::Fate::hold;
        Move move{message->file, &message->message, hold ? Directory::hold : Directory::deferred,
                  next_try(*message)};
        std::string directory =
            options_.sync_directories ? queue::parent_of(move.to, message->id()) : std::string();
        if (!moves.empty() &&
            directory != job.directory) {  // a job syncs one directory: a group each
            moving_.push_back(message->key);
            break;
        }
        job.directory = std::move(directory);
        Result<Fd> copy = store_.copy_out(move);
        if (!copy) {
            log::warning(message->id().str(), copy.error().what);
            store_.take_back(move);
            incoming_missed_ = true;  // still in its batch: the next scan finds it
            note_late_orders(*message);
            erase(*message);
            continue;
        }
        message->fate_moved = message->fate;
        job.files.push_back({move.path(), {}, std::move(*copy), {}});
        owners.push_back(message->key);
        moves.push_back(std::move(move));
    }
    if (moves.empty()) return;
    file_sync_.submit(std::move(job), [this, owners, moves](const loop::SyncJob& done) {
        on_moved(owners, moves, done);
    });
}

void Manager::on_moved(const std::vector<MessageKey>& owners, const std::vector<Move>& moves,
                       const loop::SyncJob& job) {
    for (std::size_t i = 0; i < owners.size(); ++i) {
        Message& message = *find(owners[i]);
        QueueId id = message.id();
        bool safe = job.files[i].outcome.has_value();
        if (safe) {
            store_.moved(moves[i]);
            const WallTime release = message.envelope().release();
            if (moves[i].to == Directory::deferred && release > now()) wake_at(release, id);
            tell_rest(id, moves[i].to, moves[i].retry);
        } else {
            log::warning(id.str(), job.files[i].outcome.error().what);
            store_.take_back(moves[i]);
            message.fate_moved = Message::Fate::none;
            incoming_missed_ = true;
        }
        note_late_orders(message);
        erase(message);
    }
    if (!moving_.empty()) move_timer_.start(Millis{0});
}

void Manager::finish(Message& message) {
    if (notes_.contains(message.id().str())) forget_deferrals(message.id());
    if (message.fate == Message::Fate::remove) {
        message.file->reusable = false;  // who orders it removed wants its text gone now
        for (Directory log : {Directory::defer, Directory::bounce, Directory::trace})
            remove_log(log, message.id());
        // The file stays: for its other messages, or for a successor who has some of them.
        if (message.file->live > 1 || message.file->keep) {
            for (const queue::Recipient& recipient : message.envelope().recipients) {
                if (!recipient.done) store_.mark_done(*message.file, recipient);
            }
        }
    }
    store_.finish(message.file);
    // Not before: who waits for this line finds the queue without the message.
    if (message.fate != Message::Fate::remove) log::info(message.id().str(), "removed");
    names_.changed(queue::parent_of(message.file->directory, message.file->name));
    erase(message);
}

void Manager::erase(Message& message) {
    if (message.moving) --message.file->in_hand;
    recipients_ -= message.envelope().recipients.size();
    if (message.envelope().is_probe()) --probes_;
    by_id_.erase(message.id().str());
    passed_on_.erase(message.key);
    messages_.erase(message.key);
    give_memory_back();
    room_again();
}

// A queue that was full once would keep that memory for ever.
void Manager::give_memory_back() {
    constexpr std::size_t kWorthIt = 1000;
    if (most_recipients_ < kWorthIt || recipients_ > most_recipients_ / 10) return;
    ::malloc_trim(0);
    most_recipients_ = recipients_;
}

void Manager::note_deferral(const Message& message, const ipc::RecipientReport& report) {
    const QueueId id = message.id();
    const auto written = [this, id](const Result<void>& done) {
        if (!done) log::debug(id.str(), done.error().what);
        const auto notes = notes_.find(id.str());
        if (--notes->second.under_way > 0) return;
        if (notes->second.unwanted || is_gone(id)) remove_log(Directory::defer, id);
        notes_.erase(notes);
        const auto owner = by_id_.find(id.str());
        Message* const waiting = owner == by_id_.end() ? nullptr : find(owner->second);
        if (waiting != nullptr && std::exchange(waiting->warn_delay, false)) complete(*waiting);
    };
    if (!bouncer_.note(record_of(message, ipc::BounceLog::defer, report), written)) return;
    Notes& notes = notes_[id.str()];
    ++notes.under_way;
    notes.unwanted = false;  // what was written meanwhile may stand beside it
}

// postsuper removes what waits without asking us.
bool Manager::is_gone(const QueueId& id) {
    return !by_id_.contains(id.str()) &&
           !store_.fs().info(queue::path_of(Directory::deferred, id)) &&
           !store_.fs().info(queue::path_of(Directory::hold, id));
}

void Manager::forget_deferrals(const QueueId& id) {
    const auto notes = notes_.find(id.str());
    if (notes != notes_.end()) notes->second.unwanted = true;
    remove_log(Directory::defer, id);
}

void Manager::remove_log(Directory directory, const QueueId& id) {
    auto removed = store_.fs().unlink(queue::path_of(directory, id));
    if (!removed && removed.error().code != Errc::not_found)
        log::warning(id.str(), removed.error().what);
}

}  // namespace postern::qmgr
