// The bounce service: see worker.h.
#include "bounce/worker.h"

#include <unistd.h>

#include <chrono>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::bounce {

using namespace std::chrono_literals;

service::Worker::Conversation BounceWorker::serve(ipc::Channel& channel) {
    auto packet = channel.receive_packet(Deadline::in(10s));
    if (!packet) {
        if (packet.error().code != Errc::closed) log::warning("", packet.error().what);
        return Conversation::over;
    }
    Result<void> done = handle(*packet, channel);
    if (!done) log::warning(packet->trace(), done.error().what);
    ipc::BounceDone answer;
    answer.ok = done.has_value();
    if (!done) answer.text = printable(done.error().what, ipc::kMaxText);
    if (auto sent = channel.send(answer, Deadline::in(10s)); !sent)
        log::warning(packet->trace(), sent.error().what);
    return Conversation::over;
}

namespace {

// The records are qmgr's; the forwarder, which talks with strangers, may only tell of a session.
Result<void> check_caller(const ipc::Channel& channel) {
    TRY_ASSIGN(const auto peer, channel.peer());
    if (peer.uid == 0 || peer.uid == ::geteuid()) return {};
    return Error{Errc::denied, "only the queue manager may ask for that"};
}

}  // namespace

Result<void> BounceWorker::handle(ipc::Packet& packet, const ipc::Channel& channel) {
    if (packet.type() != ipc::Type::postmaster_notice) TRY(check_caller(channel));
    std::size_t expected = packet.type() == ipc::Type::bounce_send ? 1 : 0;
    if (packet.descriptor_count() != expected)
        return Error{Errc::invalid, "wrong number of descriptors"};
    switch (packet.type()) {
        case ipc::Type::bounce_append: {
            TRY_ASSIGN(ipc::BounceAppend request, packet.as<ipc::BounceAppend>());
            return records_.append(request);
        }
        case ipc::Type::bounce_send: {
            TRY_ASSIGN(ipc::BounceSend request, packet.as<ipc::BounceSend>());
            Fd file = packet.take_descriptor();
            return notifier_.send(request, file.get());
        }
        case ipc::Type::bounce_forget: {
            TRY_ASSIGN(ipc::BounceForget request, packet.as<ipc::BounceForget>());
            return records_.forget(request.log, request.queue_id);
        }
        case ipc::Type::postmaster_notice: {
            TRY_ASSIGN(const auto notice, packet.as<ipc::PostmasterNotice>());
            return notifier_.tell_postmaster(notice);
        }
        default: return Error{Errc::invalid, "message of an unexpected kind"};
    }
}

}  // namespace postern::bounce
