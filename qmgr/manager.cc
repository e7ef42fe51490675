// Manager, first half: files are taken up, recipients find their way, requests go out. The second
// half (what becomes of recipients and messages) is fate.cc; orders from commands are control.cc;
// the end is drain.cc.
#include "qmgr/manager.h"

#include <algorithm>
#include <map>
#include <utility>

#include "lib/base/date_time.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/admin.h"
#include "lib/queue/directories.h"

#include "qmgr/routes.h"

namespace postern::qmgr {

using queue::Directory;

namespace {

constexpr Millis kRescan{1000};
constexpr std::size_t kShares = 20;        // a destination's share of the messages in memory
constexpr std::size_t kMostInMemory = 10;  // times the limit, with what is beyond the shares
constexpr Millis kIncomingRescan{30'000};
constexpr char kSeparator = '\0';

std::size_t share_of(std::size_t limit) { return std::max<std::size_t>(1, limit / kShares); }

// "smtp:[127.0.0.1]:10025": without a destination, and a usual one, the recipient's domain is one.
ipc::ResolveAnswer route_of(std::string_view setting, const std::string& recipient,
                            std::string_view rule, const std::string& usual = {}) {
    ipc::ResolveAnswer answer;
    const std::size_t colon = setting.find(':');
    answer.outcome = ipc::LookupOutcome::ok;
    answer.transport = setting.substr(0, colon);
    if (colon != std::string_view::npos) answer.next_hop = setting.substr(colon + 1);
    if (answer.next_hop.empty()) answer.next_hop = usual;
    if (answer.next_hop.empty()) answer.next_hop = recipient.substr(recipient.rfind('@') + 1);
    answer.recipient = recipient;
    answer.rule = rule;
    return answer;
}

Resolver::Limits resolver_limits(const Options& options) {
    Resolver::Limits limits;
    limits.timeout = options.ipc_timeout;
    limits.retry = options.service_retry;
    return limits;
}

// "next_hop", or "next_hop\0recipient" where each recipient is a destination of its own.
std::string destination_name(const ipc::ResolveAnswer& route, const std::string& recipient,
                             bool per_recipient) {
    if (!per_recipient) return route.next_hop;
    return cat({route.next_hop, std::string_view(&kSeparator, 1), to_lower(recipient)});
}

std::string next_hop_of(const std::string& destination) {
    return destination.substr(0, destination.find(kSeparator));
}

bool is_service_name(std::string_view name) {
    return !name.empty() && name.size() <= 100 && name.find('/') == std::string_view::npos &&
           name[0] != '.';
}

}  // namespace

Manager::Manager(loop::Loop& loop, sys::Fs& fs, Options options, const std::string& services)
    : loop_(loop),
      options_(std::move(options)),
      store_(fs, options_.max_open_files, options_.save_finished),
      file_sync_(loop, fs),
      names_(loop, file_sync_,
             [this] {
                 if (!moving_.empty()) move_timer_.start(Millis{0});
             }),
      scheduler_(options_.limits_for, {share_of(options_.message_active_limit),
                                       share_of(options_.recipient_active_limit)}),
      resolver_(loop, cat({services, "/", options_.rewrite_service}), resolver_limits(options_)),
      bouncer_(loop, cat({services, "/", options_.bounce_service}), options_.ipc_timeout),
      verifications_(loop, cat({services, "/", options_.verify_service}), options_.ipc_timeout),
      agents_(loop, services, options_.delivery_timeout),
      scanner_(loop, fs,
               {[this](Directory directory) { return has_room(directory); },
                [this](Directory directory, const QueueId& name, bool asked) {
                    found(directory, name, asked);
                },
                [this](const QueueId& name) {
                    if (store_.look_at_spare(name, now())) scanner_.scan_incoming();
                }}),
      sites_(fs, options_.site_refresh),
      run_timer_(loop, [this] { start(); }),
      incoming_timer_(loop,
                      [this] {
                          scanner_.scan_incoming();
                          incoming_timer_.start(kIncomingRescan);
                      }),
      move_timer_(loop, [this] { move_batch_out(); }),
      pump_timer_(loop, [this] { pump(); }),
      pause_timer_(loop, [this] { pump(); }),
      release_timer_(loop, [this] { release_due(); }),
      rescan_timer_(loop,
                    [this] {
                        scanner_.scan_incoming();
                        scanner_.scan_deferred(Scanner::Which::due);
                    }),
      late_timer_(loop, [this] { apply_late_orders(); }) {}

Manager::~Manager() = default;

void Manager::start() {
    if (draining_) return;
    scheduler_.expire(steady());
    scanner_.scan_incoming();
    scanner_.go_through(sites_.take_old(now()));
    scanner_.scan_deferred(Scanner::Which::due);
    run_timer_.start(options_.queue_run_delay);
    // Soon for the first time: a nudge may have gone to a qmgr that was just ending.
    if (!incoming_timer_.active()) incoming_timer_.start(2 * kRescan);
}

// New mail comes first: retries of old mail take at most four fifths of the places. What waits for
// a busy or stalled destination beyond its share takes none, or it would keep everybody's mail out;
// but memory has an end.
bool Manager::has_room(Directory directory) const {
    if (draining_) return false;
    const bool fresh = directory == Directory::incoming;
    const std::size_t fifths = fresh ? 5 : 4;
    const std::size_t messages = options_.message_active_limit * fifths / 5;
    const std::size_t recipients = options_.recipient_active_limit * fifths / 5;
    if (messages_.size() >= kMostInMemory * messages || recipients_ >= kMostInMemory * recipients)
        return false;
    const Backlog load = counted_load();
    return load.jobs < messages &&
           load.recipients < options_.recipient_active_limit * (fresh ? 2 : 1);
}

Backlog Manager::counted_load() const {
    const Backlog excess = scheduler_.excess();
    return {messages_.size() - std::min(excess.jobs, messages_.size()),
            recipients_ - std::min(excess.recipients, recipients_)};
}

void Manager::room_again() {
    if (incoming_missed_ && has_room(Directory::incoming) &&
        counted_load().jobs < options_.message_active_limit * 9 / 10) {
        incoming_missed_ = false;
        scanner_.scan_incoming();
    }
    if (!scanner_.idle()) scanner_.resume();
}

void Manager::on_nudge(const QueueId& file) {
    if (has_room(Directory::incoming)) {
        take_up(Directory::incoming, file, Reason::announced);
    } else {
        incoming_missed_ = true;
    }
}

void Manager::found(Directory directory, const QueueId& name, bool asked) {
    take_up(directory, name, asked ? Reason::flushed : Reason::found);
}

bool Manager::take_up(Directory directory, const QueueId& name, Reason reason) {
    bool announced = reason == Reason::announced;
    if (draining_ || store_.is_loaded(name)) return false;
    Result<LoadedFile> loaded =
        store_.load(directory, name, !announced && directory == Directory::incoming, now());
    if (!loaded) {
        Errc code = loaded.error().code;
        if (code == Errc::temporary && !rescan_timer_.active()) rescan_timer_.start(kRescan);
        bool expected = code == Errc::temporary || code == Errc::not_found || code == Errc::closed;
        if (!expected && code != Errc::corrupt && code != Errc::invalid)
            log::warning(name.str(), loaded.error().what);
        return false;
    }
    for (queue::Message& message : loaded->messages)
        admit(loaded->file, std::move(message), reason);
    return true;
}

void Manager::admit(const QueueFilePtr& file, queue::Message found, Reason reason) {
    bool announced = reason == Reason::announced;
    if (by_id_.contains(found.envelope.id.str())) return store_.abandon(file);
    if (!announced && settled_before(file, found)) return store_.finish(file);

    auto message = std::make_unique<Message>();
    message->key = next_key_++;
    message->file = file;
    message->message = std::move(found);
    message->since = now();
    message->pending = static_cast<std::uint32_t>(message->envelope().remaining());
    message->flushed = reason == Reason::flushed;
    message->force_expire = (file->mode & queue::kModeForceExpire) != 0;
    if (!announced) {
        const QueueId& id = message->id();
        message->bounced = store_.fs().info(queue::path_of(Directory::bounce, id)).has_value();
        message->reported = store_.fs().info(queue::path_of(Directory::trace, id)).has_value();
    }
    recipients_ += message->envelope().recipients.size();
    most_recipients_ = std::max(most_recipients_, recipients_);
    if (message->envelope().is_probe()) ++probes_;
    by_id_.emplace(message->id().str(), message->key);
    Message& held = *messages_.emplace(message->key, std::move(message)).first->second;
    begin(held, reason);
}

// Found after a crash: all recipients had been served (and nothing is left to report), or the
// message had been moved to a file of its own already.
bool Manager::settled_before(const QueueFilePtr& file, const queue::Message& message) {
    const queue::Envelope& envelope = message.envelope;
    if (envelope.remaining() == 0) {
        return !store_.fs().info(queue::path_of(Directory::bounce, envelope.id)) &&
               !store_.fs().info(queue::path_of(Directory::trace, envelope.id));
    }
    if (!file->is_batch() || !store_.has_own_file(envelope.id)) return false;
    for (const queue::Recipient& recipient : envelope.recipients) {
        if (!recipient.done) store_.mark_done(*file, recipient);
    }
    return true;
}

void Manager::log_active(const Message& message) const {
    const queue::Envelope& envelope = message.envelope();
    log::info(envelope.id.str(),
              cat({"from=<", envelope.sender, ">, size=", std::to_string(message.message.body.size),
                   ", nrcpt=", std::to_string(message.pending), " (queue active)"}));
}

void Manager::begin(Message& message, Reason reason) {
    bool resting = message.file->directory == Directory::deferred;
    if (message.envelope().has(queue::kHold) && !resting) {
        message.fate = Message::Fate::hold;
        message.pending = 0;
        return complete(message);
    }
    // What was announced is new; what was found may have been tried in an earlier life.
    if (resting || reason != Reason::announced) forget_deferrals(message.id());
    const WallTime release = message.envelope().release();
    if (message.pending > 0 && release > now() && !message.force_expire) {
        if (reason == Reason::announced)
            log::info(message.id().str(),
                      cat({"future release: held until ", format_date_time(release)}));
        message.pending = 0;
        return complete(message);
    }
    if (message.pending > 0) log_active(message);
    if (message.pending > 0 && message.envelope().priority() != 0)
        log::story(message.id().str(),
                   cat({"has priority ", std::to_string(message.envelope().priority())}));
    note_expansions(message);
    if (message.pending == 0) return complete(message);
    resolve_all(message);
}

// RFC 3461 5.2.7.3: what cleanup expanded goes into the first report.
void Manager::note_expansions(Message& message) {
    if ((message.file->mode & queue::kModeFirstReportTold) != 0) return;
    for (const queue::Recipient& recipient : message.envelope().expanded) {
        ipc::BounceAppend record;
        record.log = ipc::BounceLog::trace;
        record.queue_id = message.id();
        record.recipient = {0, recipient.address, recipient.original, recipient.notify,
                            recipient.orcpt};
        record.report.outcome = ipc::Outcome::accept;
        record.report.status = "2.0.0";
        record.report.text = "alias expanded";
        record.report.action = ipc::DsnAction::expanded;
        note_for_report(message, record);
    }
}

void Manager::resolve_all(Message& message) {
    std::vector<std::uint32_t> open;
    const queue::Envelope& envelope = message.envelope();
    for (std::uint32_t i = 0; i < envelope.recipients.size(); ++i) {
        if (!envelope.recipients[i].done) open.push_back(i);
    }
    if (open.empty()) return;
    MessageKey key = message.key;
    routes_[key].open = static_cast<std::uint32_t>(open.size());
    for (std::uint32_t index : open) {
        Message* still = find(key);
        if (still == nullptr) return;
        if (still->envelope().has(queue::kProbe) && probes_ > options_.probe_limit) {
            ipc::ResolveAnswer later;
            later.status = "4.3.3";
            later.text = "too many address probes at once";
            on_resolved(key, index, later);
            continue;
        }
        if (still->force_expire) {
            on_resolved(key, index, Error{Errc::permanent, "expired by the administrator"});
            continue;
        }
        // A content filter takes all recipients, wherever they go afterwards.
        const std::string_view filter =
            still->envelope().attribute(queue::attribute::kContentFilter);
        const bool probe = still->envelope().is_probe();
        if (!filter.empty() && !probe) {
            on_resolved(key, index,
                        route_of(filter, still->envelope().recipients[index].address,
                                 queue::attribute::kContentFilter, options_.filter_next_hop));
            continue;
        }
        resolver_.resolve(still->envelope().sender, still->envelope().recipients[index].address,
                          probe, [this, key, index](const Result<ipc::ResolveAnswer>& answer) {
                              on_resolved(key, index, answer);
                          });
    }
}

void Manager::on_resolved(MessageKey key, std::uint32_t index,
                          const Result<ipc::ResolveAnswer>& answer) {
    Message* message = find(key);
    if (message == nullptr) return;
    auto routes = routes_.find(key);
    POSTERN_CHECK(routes != routes_.end() && routes->second.open > 0);
    bool last = --routes->second.open == 0;
    if (answer && answer->flush_site == ipc::FlushSite::yes) sites_.serve(answer->recipient);
    if (answer && answer->outcome == ipc::LookupOutcome::ok && is_service_name(answer->transport)) {
        if (waits_for_flush(*message, answer->transport)) {
            decide(*message, index, Verdict::defer("4.3.2", "deferred transport"));
        } else {
            note_route(*message, index, *answer);
        }
    } else if (!answer && message->force_expire) {
        decide(*message, index, Verdict::defer("4.0.0", answer.error().what));
    } else if (!answer) {
        log::warning(message->id().str(), answer.error().what);
        decide(*message, index, Verdict::defer("4.3.0", "address resolver unavailable"));
    } else if (answer->outcome == ipc::LookupOutcome::permanent) {
        decide(*message, index, Verdict::reject(answer->status, answer->text));
    } else {
        decide(*message, index, Verdict::defer(answer->status, answer->text));
    }
    if (last) schedule_routes(key);
}

bool Manager::waits_for_flush(const Message& message, std::string_view transport) const {
    const auto& waiting = options_.defer_transports;
    return !message.flushed &&
           std::find(waiting.begin(), waiting.end(), transport) != waiting.end();
}

void Manager::note_route(Message& message, std::uint32_t index, const ipc::ResolveAnswer& route) {
    queue::Recipient& recipient = message.envelope().recipients[index];
    if (!route.recipient.empty() && route.recipient != recipient.address) {
        if (recipient.original.empty()) recipient.original = recipient.address;
        recipient.address = route.recipient;
    }
    // For mailtrace; no log tool expects it.
    if (!route.rule.empty() && log::records_kept() && !message.envelope().is_probe())
        log::story(
            message.id().str(),
            cat({"to=<", recipient.address, ">: goes to ", route.transport, ":", route.next_hop}),
            {log::kv("rule", route.rule)});
    bool per_recipient = scheduler_.recipient_limit(route.transport) == 1;
    std::string destination = destination_name(route, recipient.address, per_recipient);
    routes_[message.key].groups[{route.transport, std::move(destination)}].push_back(index);
}

void Manager::schedule_routes(MessageKey key) {
    auto node = routes_.extract(key);
    if (node.empty()) return;
    const Message* resolved = find(key);
    // The sender names the recipient: each travels alone.
    const bool verp =
        resolved != nullptr && !resolved->envelope().attribute(queue::attribute::kVerp).empty();
    std::map<std::string_view, std::size_t> requests;  // of each transport
    for (const auto& [where, recipients] : node.mapped().groups) {
        const std::size_t each = verp ? 1 : std::max(1U, scheduler_.recipient_limit(where.first));
        requests[where.first] += (recipients.size() + each - 1) / each;
    }
    for (auto& [where, recipients] : node.mapped().groups) {
        std::vector<std::vector<std::uint32_t>> works;
        if (verp) {
            for (const std::uint32_t index : recipients) works.push_back({index});
        } else {
            works.push_back(std::move(recipients));
        }
        for (auto& work : works) {
            Message* message = find(key);
            if (message == nullptr) return;
            schedule(*message, where.first, where.second, std::move(work), requests[where.first]);
        }
    }
}

void Manager::schedule(Message& message, const std::string& transport,
                       const std::string& destination, std::vector<std::uint32_t> recipients,
                       std::size_t requests) {
    MessageKey key = message.key;
    if (message.fate != Message::Fate::none) {  // taken away meanwhile
        for (std::size_t i = 0; i < recipients.size(); ++i) settle(message);
        return;
    }
    const Verdict* suspended =
        scheduler_.add(transport, destination,
                       Work{key, recipients, message.envelope().priority(), requests}, steady());
    if (suspended == nullptr) return pump_soon();
    Verdict reason = *suspended;
    defer_works({Work{key, std::move(recipients)}}, reason);
}

void Manager::pump_soon() {
    if (!pump_timer_.active()) pump_timer_.start(Millis{0});
}

void Manager::pump() {
    while (!draining_) {
        auto batch = scheduler_.next(steady());
        if (!batch) break;
        deliver(std::move(*batch));
    }
    // What was just queued may be beyond a share, and count no more.
    room_again();
    const auto next = scheduler_.wakes();
    if (next && !draining_)
        pause_timer_.start(std::chrono::ceil<Millis>(std::max(*next - steady(), Micros{0})));
}

void Manager::deliver(Scheduler::Batch batch) {
    Message* message = find(batch.work.message);
    POSTERN_CHECK(message != nullptr);
    std::string transport = batch.transport();
    std::string destination = batch.destination();
    auto request =
        make_request(*message, transport, next_hop_of(destination), batch.work.recipients);
    std::vector<std::uint32_t>& recipients = batch.work.recipients;
    request.passes_loops = may_pass_on(message->key, recipients.front(), transport);
    std::vector<std::uint32_t> rest(
        recipients.begin() + static_cast<std::ptrdiff_t>(request.recipients.size()),
        recipients.end());
    recipients.resize(request.recipients.size());
    ++message->under_way;
    ++message->file->in_hand;
    if (!rest.empty())
        schedule(*message, transport, destination, std::move(rest), batch.work.requests);

    Result<int> file = store_.descriptor(*message->file);
    if (!file) {
        log::warning(message->id().str(), file.error().what);
        DeliveryResult result = judge(request, Error{Errc::corrupt, file.error().what});
        result.outcome = Scheduler::Outcome::answered;
        loop_.post([this, batch, result] { on_delivered(batch, result); });
        return;
    }
    agents_.deliver(request, *file, [this, batch = std::move(batch)](const DeliveryResult& result) {
        on_delivered(batch, result);
    });
}

void Manager::on_delivered(const Scheduler::Batch& batch, const DeliveryResult& result) {
    MessageKey key = batch.work.message;
    std::string transport, next_hop;  // finish() may forget the destination
    if (loops_may_go_elsewhere()) {
        transport = batch.transport();
        next_hop = next_hop_of(batch.destination());
    }
    std::vector<Work> suspended = scheduler_.finish(batch, result.outcome, result.reason, steady());
    if (Message* message = find(key)) {
        --message->under_way;
        --message->file->in_hand;
    }
    std::vector<std::uint32_t> looping;
    for (const ipc::RecipientReport& report : result.reports) {
        Message* message = find(key);
        POSTERN_CHECK(message != nullptr);
        if (report.loops_back && may_pass_on(key, report.index, transport)) {
            looping.push_back(report.index);
            continue;
        }
        if (!result.silent) log_outcome(*message, report);
        on_report(*message, report);
    }
    if (!looping.empty()) pass_on(key, looping, best_mx_for(transport), next_hop);
    if (!suspended.empty()) defer_works(suspended, suspended_by(result.reason));
    let_go_if_idle(key);
    pump_soon();
}

bool Manager::loops_may_go_elsewhere() const {
    return !options_.best_mx_transport.empty() || !options_.best_mx_overrides.empty();
}

const std::string& Manager::best_mx_for(std::string_view transport) const {
    const auto own = options_.best_mx_overrides.find(transport);
    return own == options_.best_mx_overrides.end() ? options_.best_mx_transport : own->second;
}

bool Manager::may_pass_on(MessageKey key, std::uint32_t index, std::string_view transport) const {
    if (best_mx_for(transport).empty()) return false;
    const auto known = passed_on_.find(key);
    return known == passed_on_.end() || !known->second.contains(index);
}

// These recipients' domain has us for its best host, and nobody here knows it: another transport
// gets them. Where that one finds the same, it is a loop.
void Manager::pass_on(MessageKey key, const std::vector<std::uint32_t>& recipients,
                      const std::string& best_mx, const std::string& next_hop) {
    passed_on_[key].insert(recipients.begin(), recipients.end());
    std::map<std::string, std::vector<std::uint32_t>> groups;
    std::string transport;
    for (const std::uint32_t index : recipients) {
        const std::string& address = find(key)->envelope().recipients[index].address;
        ipc::ResolveAnswer route = route_of(best_mx, cat({"@", next_hop}), "best_mx_transport");
        transport = route.transport;
        const bool alone = scheduler_.recipient_limit(transport) == 1;
        groups[destination_name(route, address, alone)].push_back(index);
        log::story(
            find(key)->id().str(),
            cat({"to=<", address, ">: loops back to us: goes to ", transport, ":", route.next_hop}),
            {log::kv("rule", route.rule)});
    }
    for (auto& [destination, group] : groups) {
        Message* message = find(key);
        if (message == nullptr) return;
        if (is_service_name(transport)) {
            schedule(*message, transport, destination, std::move(group), 0);
            continue;
        }
        log::warning(message->id().str(),
                     cat({"best_mx_transport: no name of a service: ", best_mx}));
        for (const std::uint32_t index : group) {
            if (Message* still = find(key))
                decide(*still, index,
                       Verdict::defer("4.3.5", "mail transport configuration error"));
        }
    }
}

void Manager::defer_works(const std::vector<Work>& works, const Verdict& reason) {
    for (const Work& work : works) {
        for (std::uint32_t index : work.recipients) {
            if (Message* message = find(work.message)) decide(*message, index, reason);
        }
    }
}

Manager::Message* Manager::find(MessageKey key) {
    auto place = messages_.find(key);
    return place == messages_.end() ? nullptr : place->second.get();
}

}  // namespace postern::qmgr
