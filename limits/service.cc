// Questions of smtpd processes and the answers, see service.h.
#include "limits/service.h"

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::limits {

class Conversations::Conversation {
  public:
    Conversation(Conversations& all, Fd socket)
        : all_(all),
          channel_(all.loop_, std::move(socket),
                   {[this](const ipc::Packet& packet) { on_packet(packet); },
                    [this](const Error&) { all_.end(this); }}) {}

    // Its sessions are over.
    void forget() {
        for (const auto& [who, count] : open_) {
            for (std::uint32_t i = 0; i < count; ++i)
                all_.counts_.note(ipc::AnvilEvent::disconnect, who, all_.now());
        }
        open_.clear();
    }

  private:
    void on_packet(const ipc::Packet& packet) {
        const auto question = packet.as<ipc::AnvilQuestion>();
        if (!question || packet.descriptor_count() != 0) {
            log::warning(packet.trace(),
                         question ? "unexpected message from smtpd" : question.error().what);
            return all_.end(this);
        }
        const std::string who =
            cat({printable(question->service), ":", printable(question->client)});
        if (question->event == ipc::AnvilEvent::disconnect) return disconnect(who);
        const auto answer = all_.counts_.note(question->event, who, all_.now());
        if (question->event == ipc::AnvilEvent::connect) ++open_[who];
        if (!channel_.send(answer)) all_.end(this);
    }

    // A process can end only sessions that it has begun.
    void disconnect(const std::string& who) {
        const auto at = open_.find(who);
        if (at == open_.end()) return;
        all_.counts_.note(ipc::AnvilEvent::disconnect, who, all_.now());
        if (--at->second == 0) open_.erase(at);
    }

    Conversations& all_;
    std::map<std::string, std::uint32_t> open_;  // sessions by client
    ipc::LoopChannel channel_;
};

Conversations::Conversations(loop::Loop& loop, Counts::Options options, Millis status_interval,
                             std::function<void()> session_ended)
    : loop_(loop),
      counts_(options),
      status_interval_(status_interval),
      session_ended_(std::move(session_ended)),
      status_timer_(loop, [this] { tell_statistics(); }) {
    status_timer_.start(status_interval_);
}

Conversations::~Conversations() { tell_statistics(); }

Counts::Moment Conversations::now() const { return {loop_.clock().steady(), loop_.clock().now()}; }

void Conversations::tell_statistics() {
    for (const auto& line : counts_.statistics()) log::info("", line);
    status_timer_.start(status_interval_);
}

void Conversations::serve(Fd socket) {
    auto one = std::make_shared<Conversation>(*this, std::move(socket));
    all_.emplace(one.get(), one);
}

// The last reference goes from the loop: we may be deep in its own calls.
void Conversations::end(Conversation* conversation) {
    const auto at = all_.find(conversation);
    if (at == all_.end()) return;
    conversation->forget();
    loop_.post([kept = std::move(at->second)] {});
    all_.erase(at);
    session_ended_();
}

}  // namespace postern::limits
