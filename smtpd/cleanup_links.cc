// Links that wait for messages, see cleanup_links.h.
#include "smtpd/cleanup_links.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/sys/error.h"
#include "lib/sys/unix_socket.h"

namespace postern::smtpd {
namespace {

constexpr std::size_t kMaxIdle = 32;

}  // namespace

Result<std::unique_ptr<CleanupLink>> CleanupLink::connect(loop::Loop& loop,
                                                          const std::string& path) {
    auto link = std::make_unique<CleanupLink>();
    TRY_ASSIGN(Fd socket, sys::try_connect_unix(path));
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return sys::system_error("pipe to cleanup");
    link->read_end_ = Fd(ends[0]);
    link->pipe_ = Fd(ends[1]);
    link->channel_ = std::make_unique<ipc::LoopChannel>(
        loop, std::move(socket),
        Handler{[self = link.get()](ipc::Packet packet) {
                    const auto on_packet = self->handler_.on_packet;  // may destroy the link
                    on_packet(std::move(packet));
                },
                [self = link.get()](Error error) {
                    const auto on_closed = self->handler_.on_closed;
                    on_closed(std::move(error));
                }});
    return link;
}

void CleanupLink::keep_offer(QueueId id, SteadyTime now) {
    offer_ = std::move(id);
    offered_at_ = now;
    answered_ = true;
}

QueueId CleanupLink::take_offer(SteadyTime now) {
    QueueId id = std::exchange(offer_, {});
    return now - offered_at_ < ipc::kOfferLifetime ? id : QueueId();
}

Result<std::unique_ptr<CleanupLink>> CleanupLinks::take() {
    if (idle_.empty()) return connect();
    auto link = std::move(idle_.back());
    idle_.pop_back();
    return link;
}

void CleanupLinks::give_back(std::unique_ptr<CleanupLink> link) {
    if (draining_ || idle_.size() >= kMaxIdle) return;
    CleanupLink* const it = link.get();
    it->set_handler({[this, it](const ipc::Packet&) { forget(it); },  // nothing was asked
                     [this, it](const Error&) { forget(it); }});
    idle_.push_back(std::move(link));
}

void CleanupLinks::forget(const CleanupLink* link) {
    std::erase_if(idle_, [link](const auto& one) { return one.get() == link; });
}

void CleanupLinks::drain() {
    draining_ = true;
    idle_.clear();
}

}  // namespace postern::smtpd
