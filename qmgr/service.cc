// The queue manager as a daemon: see service.h.
#include "qmgr/service.h"

#include <unistd.h>

#include <utility>

#include "lib/log/log.h"
#include "lib/sys/unix_socket.h"

namespace postern::qmgr {

namespace {

// master has read the same text and found it good.
Options options_of(const service::LoopContext& context) {
    const auto master = config::master_of(context.snapshot);
    return master ? options_from(context.config, *master) : options_from(context.config);
}

}  // namespace

QmgrService::QmgrService(const service::LoopContext& context)
    : context_(context), manager_(context.loop, sys::RealFs::instance(), options_of(context)) {
    context_.loop.post([this] { manager_.start(); });
}

void QmgrService::on_wakeup() {
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::rescan;
    (void)manager_.control(order);
}

void QmgrService::drain() {
    std::unordered_map<std::uint64_t, Peer> closing = std::exchange(peers_, {});
    manager_.drain();
    for (std::size_t left = closing.size(); left > 0; --left) context_.session_ended();
}

void QmgrService::on_connection(Fd socket) {
    auto peer = sys::peer_credentials(socket.get());
    std::uint64_t number = next_peer_++;
    Peer& held = peers_[number];
    held.may_change = peer && (peer->uid == 0 || peer->uid == ::geteuid());
    ipc::LoopChannel::Handler handler;
    handler.on_packet = [this, number](const ipc::Packet& packet) { on_packet(number, packet); };
    handler.on_closed = [this, number](const Error& why) {
        if (why.code != Errc::closed) log::warning("", why.what);
        close(number);
    };
    held.channel =
        std::make_unique<ipc::LoopChannel>(context_.loop, std::move(socket), std::move(handler));
}

void QmgrService::close(std::uint64_t number) {
    if (peers_.erase(number) == 0) return;
    context_.session_ended();
}

void QmgrService::on_packet(std::uint64_t number, const ipc::Packet& packet) {
    auto peer = peers_.find(number);
    if (peer == peers_.end()) return;
    if (packet.descriptor_count() == 0 && packet.type() == ipc::Type::queue_nudge) {
        auto nudge = packet.as<ipc::QueueNudge>();
        if (nudge && !nudge->file.empty()) return manager_.on_nudge(nudge->file);
    }
    if (packet.descriptor_count() == 0 && packet.type() == ipc::Type::queue_control) {
        if (auto order = packet.as<ipc::QueueControl>()) return on_order(number, *order);
    }
    log::warning("", "message of an unexpected kind: connection closed");
    close(number);
}

void QmgrService::on_order(std::uint64_t number, const ipc::QueueControl& order) {
    using Operation = ipc::QueueOperation;
    if (order.operation == Operation::flush_site) {
        return manager_.flush_site(order.site, [this, number](const ipc::QueueControlAnswer& done) {
            reply(number, done);
        });
    }
    const bool anybodys =
        order.operation == Operation::flush_all || order.operation == Operation::flush_message ||
        order.operation == Operation::rescan || order.operation == Operation::trigger;
    if (anybodys || peers_.at(number).may_change) return reply(number, manager_.control(order));
    ipc::QueueControlAnswer refusal;
    refusal.text = "not permitted";
    reply(number, refusal);
}

// The peer may be gone.
void QmgrService::reply(std::uint64_t number, const ipc::QueueControlAnswer& answer) {
    const auto peer = peers_.find(number);
    if (peer == peers_.end()) return;
    if (auto sent = peer->second.channel->send(answer); !sent) log::warning("", sent.error().what);
}

}  // namespace postern::qmgr
