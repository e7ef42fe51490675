// The connection to anvil, see anvil_link.h.
#include "smtpd/anvil_link.h"

#include <algorithm>
#include <utility>

#include "lib/sys/unix_socket.h"

namespace postern::smtpd {
namespace {

constexpr Millis kAnvilPatience{10'000};

}  // namespace

AnvilLink::AnvilLink(loop::Loop& loop, std::string path)
    : loop_(loop), path_(std::move(path)), patience_(loop, [this] {
          give_up(Error{Errc::timeout, "no answer"});
      }) {}

void AnvilLink::ask(const ipc::AnvilQuestion& question, Done done) {
    if (waiting_.empty()) patience_.start(kAnvilPatience);
    waiting_.push_back({question, std::move(done)});
    if (auto sent = send(question); !sent) on_closed(std::move(sent).error());
}

void AnvilLink::session_over(const std::string& service, const std::string& client,
                             std::uint64_t epoch) {
    if (!channel_ || epoch != epoch_) return;
    auto sent = channel_->send(ipc::AnvilQuestion{ipc::AnvilEvent::disconnect, service, client});
    // Not to be too strict with this client for ever: anvil forgets a connection's sessions with
    // it.
    if (!sent) on_closed(std::move(sent).error());
}

Result<void> AnvilLink::send(const ipc::AnvilQuestion& question) {
    if (!channel_) {
        TRY_ASSIGN(Fd socket, sys::try_connect_unix(path_));
        ++epoch_;
        channel_ = std::make_unique<ipc::LoopChannel>(
            loop_, std::move(socket),
            ipc::LoopChannel::Handler{[this](const ipc::Packet& packet) { on_packet(packet); },
                                      [this](Error error) { on_closed(std::move(error)); }});
    }
    return channel_->send(question);
}

void AnvilLink::on_packet(const ipc::Packet& packet) {
    auto answer = packet.as<ipc::AnvilAnswer>();
    if (!answer || waiting_.empty())
        return give_up(answer ? Error{Errc::invalid, "unexpected message"}
                              : std::move(answer).error());
    const auto done = std::move(waiting_.front().done);
    waiting_.pop_front();
    waiting_.empty() ? patience_.stop() : patience_.start(kAnvilPatience);
    done(std::move(answer));
}

// Of the present channel: one that is dropped is heard of no more, though its end may be known to
// the loop already.
void AnvilLink::on_closed(Error why) {
    const bool repeated = std::any_of(waiting_.begin(), waiting_.end(),
                                      [](const Waiting& one) { return one.repeated; });
    if (repeated || why.code != Errc::closed) return give_up(std::move(why));
    channel_.reset();
    repeat();
}

void AnvilLink::repeat() {
    for (auto& one : waiting_) one.repeated = true;
    for (const auto& one : waiting_)
        if (auto sent = send(one.question); !sent) return give_up(std::move(sent).error());
}

// May be called from within a session that is ending.
void AnvilLink::give_up(Error why) {
    patience_.stop();
    channel_.reset();
    loop_.post([waiting = std::exchange(waiting_, {}),
                why = std::move(why).within("service " + path_)] {
        for (const auto& one : waiting) one.done(why);
    });
}

}  // namespace postern::smtpd
