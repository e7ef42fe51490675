// The connection to anvil, see anvil_link.h.
#include "smtpd/anvil_link.h"

#include <utility>

#include "lib/sys/unix_socket.h"

namespace postern::smtpd {
namespace {

constexpr Millis kAnvilPatience{10'000};

}  // namespace

AnvilLink::AnvilLink(loop::Loop& loop, std::string path)
    : loop_(loop), path_(std::move(path)), patience_(loop, [this] {
          fail(Error{Errc::timeout, "no answer"});
      }) {}

void AnvilLink::ask(const ipc::AnvilQuestion& question, Done done) {
    auto sent = send(question);
    if (!sent) {
        auto why = std::move(sent).error().within("service " + path_);
        return loop_.post([done = std::move(done), why = std::move(why)] { done(why); });
    }
    if (waiting_.empty()) patience_.start(kAnvilPatience);
    waiting_.push_back(std::move(done));
}

void AnvilLink::session_over(const std::string& service, const std::string& client,
                             std::uint64_t epoch) {
    if (!channel_ || epoch != epoch_) return;
    auto sent = channel_->send(ipc::AnvilQuestion{ipc::AnvilEvent::disconnect, service, client});
    // Not to be too strict with this client for ever: anvil forgets a connection's sessions with
    // it.
    if (!sent) fail(std::move(sent).error());
}

Result<void> AnvilLink::send(const ipc::AnvilQuestion& question) {
    if (!channel_) {
        TRY_ASSIGN(Fd socket, sys::try_connect_unix(path_));
        ++epoch_;
        channel_ = std::make_unique<ipc::LoopChannel>(
            loop_, std::move(socket),
            ipc::LoopChannel::Handler{[this](const ipc::Packet& packet) { on_packet(packet); },
                                      [this](Error error) { fail(std::move(error)); }});
    }
    return channel_->send(question);
}

void AnvilLink::on_packet(const ipc::Packet& packet) {
    auto answer = packet.as<ipc::AnvilAnswer>();
    if (!answer || waiting_.empty())
        return fail(answer ? Error{Errc::invalid, "unexpected message"}
                           : std::move(answer).error());
    const auto done = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_.empty() ? patience_.stop() : patience_.start(kAnvilPatience);
    done(std::move(answer));
}

void AnvilLink::fail(Error why) {
    patience_.stop();
    // May be called by the channel, or from within a session that is ending.
    loop_.post([dead = std::shared_ptr<ipc::LoopChannel>(std::move(channel_)),
                waiting = std::exchange(waiting_, {}),
                why = std::move(why).within("service " + path_)] {
        for (const auto& done : waiting) done(why);
    });
}

}  // namespace postern::smtpd
