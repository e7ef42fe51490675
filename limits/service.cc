// Questions of other processes and the answers, see service.h.
#include "limits/service.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::limits {
namespace {

constexpr Millis kKickWait{10'000};

std::string counted_as(const ipc::SessionFacts& facts) {
    return cat({printable(facts.service), ":", printable(facts.client)});
}

}  // namespace

class Conversations::Conversation {
  public:
    Conversation(Conversations& all, Fd socket, Sessions::Owner owner, bool operates)
        : all_(all),
          owner_(owner),
          operates_(operates),
          kick_limit_(all.loop_, [this] { answer_kick(); }),
          channel_(all.loop_, std::move(socket),
                   {[this](const ipc::Packet& packet) { on_packet(packet); },
                    [this](const Error&) { all_.end(this); }}) {}

    Sessions::Owner owner() const { return owner_; }

    // Its sessions are over.
    void forget() {
        for (const auto& [who, count] : open_) {
            for (std::uint32_t i = 0; i < count; ++i)
                all_.counts_.note(ipc::AnvilEvent::disconnect, who, all_.now());
        }
        open_.clear();
        all_.kicking_.erase(owner_);
        all_.forget(owner_);
    }

    void dismiss(const ipc::DismissSessions& order) {
        if (!channel_.send(order)) all_.end(this);
    }

    // A session of whatever process has ended.
    void on_session_gone(Sessions::Owner owner, const std::string& id) {
        if (kicked_.erase({owner, id}) != 0 && kicked_.empty()) answer_kick();
    }

  private:
    void on_packet(const ipc::Packet& packet) {
        if (packet.descriptor_count() != 0) return refuse(packet, "unexpected descriptors");
        switch (packet.type()) {
            case ipc::Type::anvil_question:
                return take<ipc::AnvilQuestion>(packet, &Conversation::on_event);
            case ipc::Type::session_report:
                return take<ipc::SessionReport>(packet, &Conversation::on_report);
            case ipc::Type::admission_question:
                return take<ipc::AdmissionQuestion>(packet, &Conversation::on_admission);
            case ipc::Type::session_list_request:
                if (!operates_) break;
                return take<ipc::SessionListRequest>(packet, &Conversation::on_list);
            case ipc::Type::kick_request:
                if (!operates_) break;
                return take<ipc::KickRequest>(packet, &Conversation::on_kick);
            default: break;
        }
        refuse(packet, "unexpected message");
    }

    template <class Message>
    void take(const ipc::Packet& packet, void (Conversation::*handle)(const Message&)) {
        const auto message = packet.as<Message>();
        if (!message) return refuse(packet, message.error().what);
        (this->*handle)(*message);
    }

    void refuse(const ipc::Packet& packet, const std::string& why) {
        log::warning(packet.trace(), why + " from a client of anvil");
        all_.end(this);
    }

    // In our first moments; after a reload we would know of nobody.
    template <class Message>
    bool waits(const Message& message, void (Conversation::*handle)(const Message&)) {
        if (all_.settled_) return false;
        all_.early_.emplace_back(
            owner_, [message, handle](Conversation& self) { (self.*handle)(message); });
        return true;
    }

    template <class Message>
    void send(const Message& message) {
        if (!channel_.send(message)) all_.end(this);
    }

    // --- What clients of smtpd do

    void on_event(const ipc::AnvilQuestion& question) {
        const std::string who = cat({printable(question.service), ":", printable(question.client)});
        if (question.event == ipc::AnvilEvent::disconnect) return disconnect(who);
        const auto answer = all_.counts_.note(question.event, who, all_.now());
        if (question.event == ipc::AnvilEvent::connect) ++open_[who];
        send(answer);
    }

    // A process can end only sessions that it has begun.
    void disconnect(const std::string& who) {
        const auto at = open_.find(who);
        if (at == open_.end()) return;
        all_.counts_.note(ipc::AnvilEvent::disconnect, who, all_.now());
        if (--at->second == 0) open_.erase(at);
    }

    // --- Sessions

    void on_report(const ipc::SessionReport& report) {
        for (const auto& facts : report.sessions) all_.note_session(owner_, facts, false);
    }

    void on_admission(const ipc::AdmissionQuestion& question) {
        const auto& facts = question.facts;
        const bool connects = facts.state == ipc::SessionState::logging_in;
        const auto numbers = all_.note_session(owner_, facts, connects);
        ipc::AdmissionAnswer answer;
        answer.session = facts.session;
        answer.logging_in = all_.sessions_.logging_in(facts.client);
        answer.count = numbers.count;
        answer.rate = numbers.rate;
        answer.of_user = all_.sessions_.of_user(facts);
        if (question.login_delay > 0)
            answer.too_soon = !all_.login_times_.try_login(
                facts.user, Seconds{question.login_delay}, all_.now().steady);
        send(answer);
    }

    void on_list(const ipc::SessionListRequest& request) {
        if (waits(request, &Conversation::on_list)) return;
        const auto choice = Choice::parse(request.filter);
        if (!choice) return all_.end(this);  // the command has looked
        ipc::SessionList list;
        for (auto& found :
             all_.sessions_.list(*choice, request.after, ipc::kMaxSessionsPerMessage + 1))
            list.sessions.push_back(std::move(found.facts));
        list.more = list.sessions.size() > ipc::kMaxSessionsPerMessage;
        if (list.more) list.sessions.pop_back();
        send(list);
    }

    void on_kick(const ipc::KickRequest& request) {
        if (waits(request, &Conversation::on_kick)) return;
        const auto choice = Choice::parse(request.filter);
        if (!choice || told_ != 0) return all_.end(this);
        const auto found = all_.sessions_.list(*choice, "", kMaxSessions);
        for (const auto& one : found) kicked_.emplace(one.owner, one.facts.session.str());
        told_ = found.size();
        if (found.empty()) return answer_kick();
        kick_limit_.start(kKickWait);
        all_.kicking_.insert(owner_);
        all_.dismiss(found);
    }

    void answer_kick() {
        kick_limit_.stop();
        all_.kicking_.erase(owner_);
        const auto told = static_cast<std::uint32_t>(std::exchange(told_, 0));
        const auto left = static_cast<std::uint32_t>(std::exchange(kicked_, {}).size());
        log::info("", cat({"kick: ", std::to_string(told), " sessions told to end, ",
                           std::to_string(told - left), " ended"}));
        send(ipc::KickAnswer{told, told - left});
    }

    Conversations& all_;
    const Sessions::Owner owner_;
    const bool operates_;
    std::map<std::string, std::uint32_t> open_;  // sessions by client
    std::size_t told_ = 0;                       // in a kick that goes on
    std::set<std::pair<Sessions::Owner, std::string>> kicked_;  // and have not ended yet
    loop::Timer kick_limit_;
    ipc::LoopChannel channel_;
};

Conversations::Conversations(loop::Loop& loop, Counts::Options options, Millis status_interval,
                             std::function<void()> session_ended)
    : loop_(loop),
      counts_(options),
      status_interval_(status_interval),
      session_ended_(std::move(session_ended)),
      status_timer_(loop, [this] { tell_statistics(); }),
      first_turn_(loop, [this] { settle_timer_.start(kSettle); }),
      settle_timer_(loop, [this] { answer_early(); }) {
    status_timer_.start(status_interval_);
    first_turn_.start(Millis{0});
}

Conversations::~Conversations() { tell_statistics(); }

Counts::Moment Conversations::now() const { return {loop_.clock().steady(), loop_.clock().now()}; }

void Conversations::tell_statistics() {
    for (const auto& line : counts_.statistics()) log::info("", line);
    told_of_many_ = false;
    status_timer_.start(status_interval_);
}

void Conversations::serve(Fd socket, bool operates) {
    const auto owner = ++last_owner_;
    all_.emplace(owner, std::make_shared<Conversation>(*this, std::move(socket), owner, operates));
}

void Conversations::answer_early() {
    settled_ = true;
    for (const auto& [owner, question] : std::exchange(early_, {}))
        if (const auto at = all_.find(owner); at != all_.end())
            question(*std::shared_ptr(at->second));
}

// The last reference goes from the loop: we may be deep in its own calls.
void Conversations::end(Conversation* conversation) {
    const auto at = all_.find(conversation->owner());
    if (at == all_.end()) return;
    loop_.post([kept = at->second] {});
    all_.erase(at);
    conversation->forget();
    session_ended_();
}

void Conversations::drain() {
    kicking_.clear();  // the sessions that they wait for do not end with us
    while (!all_.empty()) end(all_.begin()->second.get());
}

// --- Sessions of login and smtpd

// The numbers of the client at that service; smtpd counts its clients by itself.
ipc::AnvilAnswer Conversations::note_session(Sessions::Owner owner,
                                             const ipc::SessionFacts& facts, bool connects) {
    const auto change = sessions_.note(owner, facts);
    if (!change) {
        if (!std::exchange(told_of_many_, true)) log::warning("", change.error().what);
        return {};
    }
    if (change->ended) {
        session_gone(owner, *change->ended);
        return {};
    }
    if (facts.protocol == ipc::AuthProtocol::smtp) return {};
    return counts_.note_session(counted_as(facts), change->began, connects, now());
}

void Conversations::session_gone(Sessions::Owner owner, const ipc::SessionFacts& facts) {
    if (facts.protocol != ipc::AuthProtocol::smtp)
        counts_.note(ipc::AnvilEvent::disconnect, counted_as(facts), now());
    const auto kicking = kicking_;  // one may be done with this
    for (const auto one : kicking)
        if (const auto at = all_.find(one); at != all_.end())
            std::shared_ptr(at->second)->on_session_gone(owner, facts.session.str());
}

void Conversations::forget(Sessions::Owner owner) {
    for (const auto& facts : sessions_.forget(owner)) session_gone(owner, facts);
}

void Conversations::dismiss(const std::vector<Sessions::Found>& sessions) {
    std::map<Sessions::Owner, ipc::DismissSessions> orders;
    const auto tell = [this](Sessions::Owner owner, ipc::DismissSessions& order) {
        if (const auto at = all_.find(owner); at != all_.end()) {
            const auto kept = at->second;
            kept->dismiss(order);
        }
        order.sessions.clear();
    };
    for (const auto& one : sessions) {
        auto& order = orders[one.owner];
        order.sessions.push_back(one.facts.session.str());
        if (order.sessions.size() == ipc::kMaxSessionsPerMessage) tell(one.owner, order);
    }
    for (auto& [owner, order] : orders)
        if (!order.sessions.empty()) tell(owner, order);
}

}  // namespace postern::limits
