#include "lib/ipc/session_ledger.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/unix_socket.h"

namespace postern::ipc {
namespace {

constexpr Millis kLedgerRoom{5};  // anvil reads more slowly than we write
constexpr Millis kSoon{50};         // after a connection that ended early
constexpr Millis kReloads{10'000};  // so long after all was well, short connections are reloads
constexpr unsigned kMostTimes = 3;  // a question is put: two reloads, one upon the other

}  // namespace

SessionLedger::SessionLedger(loop::Loop& loop, std::string path, Dismiss dismiss, Millis pause,
                             Millis patience)
    : loop_(loop),
      path_(std::move(path)),
      dismiss_(std::move(dismiss)),
      pause_(pause),
      answer_limit_(patience),
      well_until_(loop.clock().steady() + kReloads),
      gather_(loop, [this] { tell_changes(); }),
      retry_(loop, [this] { resume(); }),
      patience_(loop, [this] { on_closed(Error{Errc::timeout, "no answer"}); }) {}

void SessionLedger::note(const SessionFacts& facts) {
    const auto& id = facts.session.str();
    const bool over = facts.state == SessionState::over;
    auto at = sessions_.find(id);
    if (over && at == sessions_.end()) return;
    if (over && !at->second.told && !at->second.changed) {
        sessions_.erase(at);
        return;
    }
    if (at == sessions_.end()) at = sessions_.emplace(id, Entry{}).first;
    at->second.facts = facts;
    if (!std::exchange(at->second.changed, true)) changed_.push_back(id);
    if (!gather_.active() && !retry_.active()) gather_.start(Millis{0});
}

void SessionLedger::ask(const SessionFacts& facts, Seconds login_delay, Done done) {
    tell_changes();  // what has ended counts no more
    const std::string& id = facts.session.str();
    const AdmissionQuestion question{facts, static_cast<std::uint32_t>(login_delay.count())};
    if (waiting_.empty()) patience_.start(answer_limit_);
    waiting_[id] = {question, std::move(done)};
    Entry& entry = sessions_[id];
    entry.facts = facts;
    if (!connect()) {
        note(facts);
        // A connection that has just ended is made again in this turn, and the question put then.
        if (away_) give_up(Error{Errc::closed, "does not answer", 0});
        return;
    }
    entry.told = true;
    if (auto sent = channel_->send(question, id); !sent) on_closed(std::move(sent).error());
}

// Not more often than once in a while when it is away.
bool SessionLedger::connect() {
    if (channel_) return true;
    if (retry_.active()) return false;
    auto socket = sys::try_connect_unix(path_);
    if (!socket) {
        if (!std::exchange(away_, true))
            log::warning("", cat({"service ", path_, ": ", socket.error().what,
                                  ": sessions are not counted"}));
        retry_.start(pause_);
        return false;
    }
    connected_at_ = loop_.clock().steady();
    channel_ = std::make_unique<LoopChannel>(
        loop_, *std::move(socket),
        LoopChannel::Handler{[this](const Packet& packet) { on_packet(packet); },
                             [this](Error error) { on_closed(std::move(error)); }});
    return true;
}

void SessionLedger::tell_changes() {
    while (!changed_.empty() && connect()) {
        if (channel_->sending()) return gather_.start(kLedgerRoom);
        SessionReport report;
        const auto count = std::min(changed_.size(), kMaxSessionsPerMessage);
        for (const auto& id : std::vector(changed_.end() - static_cast<long>(count), changed_.end())) {
            const auto at = sessions_.find(id);
            if (at == sessions_.end()) continue;
            Entry& entry = at->second;
            entry.changed = false;
            const bool news = entry.told || entry.facts.state != SessionState::over;
            if (news) report.sessions.push_back(entry.facts);
            entry.told = true;
            if (entry.facts.state == SessionState::over) sessions_.erase(at);
        }
        changed_.resize(changed_.size() - count);
        if (report.sessions.empty()) continue;
        if (auto sent = channel_->send(report); !sent) return on_closed(std::move(sent).error());
    }
}

void SessionLedger::on_packet(const Packet& packet) {
    away_ = false;
    if (packet.type() == DismissSessions::kType) {
        const auto order = packet.as<DismissSessions>();
        if (!order) return on_closed(order.error());
        for (const auto& id : order->sessions) dismiss_(id);
        return;
    }
    const auto answer = packet.as<AdmissionAnswer>();
    if (!answer) return on_closed(answer.error());
    const auto at = waiting_.find(answer->session.str());
    if (at == waiting_.end()) return on_closed(Error{Errc::invalid, "unexpected message", 0});
    const auto done = std::move(at->second.done);
    waiting_.erase(at);
    waiting_.empty() ? patience_.stop() : patience_.start(answer_limit_);
    done(*answer);
}

// The connection has ended; it is made again, at once if it had lasted: then it was a reload. One
// that did not last may have met the next reload.
void SessionLedger::on_closed(Error why) {
    const auto now = loop_.clock().steady();
    const bool lasted = now - connected_at_ > pause_;
    if (lasted) well_until_ = now + kReloads;
    const bool reload = lasted || (why.code == Errc::closed && now < well_until_);
    if (lasted) away_ = false;
    if (!reload && !std::exchange(away_, true))
        log::warning("", cat({"service ", path_, ": ", why.what, ": sessions are not counted"}));
    patience_.stop();
    channel_.reset();  // and its end, if the loop knows of it already, is not told again
    changed_.clear();
    for (auto at = sessions_.begin(); at != sessions_.end();) {
        at->second.told = false;
        at->second.changed = at->second.facts.state != SessionState::over;
        if (at->second.changed) changed_.push_back(at->first);
        at = at->second.changed ? std::next(at) : sessions_.erase(at);
    }
    give_up(why, reload && why.code != Errc::timeout ? kMostTimes : 1);
    if (!sessions_.empty() || !waiting_.empty())
        retry_.start(lasted ? Millis{0} : reload ? std::min(kSoon, pause_) : pause_);
}

void SessionLedger::resume() {
    tell_changes();
    give_up(Error{Errc::closed, "the session is over", 0}, kMostTimes + 1);
    if (waiting_.empty()) return;
    if (!connect()) {
        if (away_) give_up(Error{Errc::closed, "no connection", 0});
        return;  // or the one that tell_changes() had has just ended, and is made again
    }
    for (auto& [id, one] : waiting_) {
        ++one.times;
        if (!channel_->send(one.question, id)) break;
    }
    patience_.start(answer_limit_);
}

bool SessionLedger::is_over(const std::string& session) const {
    const auto at = sessions_.find(session);
    return at == sessions_.end() || at->second.facts.state == SessionState::over;
}

// On questions that have been put so many times, and on those of sessions that are over: nobody
// would tell anvil of their end once more.
void SessionLedger::give_up(const Error& why, unsigned times) {
    std::vector<Done> given_up;
    std::erase_if(waiting_, [&](auto& one) {
        if (one.second.times < times && !is_over(one.first)) return false;
        given_up.push_back(std::move(one.second.done));
        return true;
    });
    if (given_up.empty()) return;
    if (waiting_.empty()) patience_.stop();
    loop_.post([given_up = std::move(given_up), what = cat({"service ", path_, ": ", why.what})] {
        for (const auto& done : given_up) done(Error{Errc::temporary, what, 0});
    });
}

}  // namespace postern::ipc
