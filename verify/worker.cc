#include "verify/worker.h"

#include <chrono>

#include "lib/log/log.h"

namespace postern::verify {

using namespace std::chrono_literals;

service::Worker::Conversation VerifyWorker::serve(ipc::Channel& channel) {
    const auto packet = channel.receive_packet(Deadline::in(10s));
    if (!packet) {
        if (packet.error().code != Errc::closed) log::warning("", packet.error().what);
        return Conversation::over;
    }
    if (packet->descriptor_count() != 0) {
        log::warning(packet->trace(), "message: descriptors not expected");
        return Conversation::over;
    }
    if (auto done = answer(*packet, channel); !done) {
        log::warning(packet->trace(), done.error().what);
        return Conversation::over;
    }
    verifier_.clean();
    return Conversation::over;
}

Result<void> VerifyWorker::answer(const ipc::Packet& packet, ipc::Channel& channel) {
    if (packet.type() == ipc::VerifyUpdate::kType) {
        TRY_ASSIGN(const auto news, packet.as<ipc::VerifyUpdate>());
        return channel.send(ipc::VerifyUpdated{verifier_.update(news)}, Deadline::in(10s));
    }
    TRY_ASSIGN(const auto question, packet.as<ipc::VerifyQuestion>());
    return channel.send(verifier_.answer(question.address), Deadline::in(10s));
}

}  // namespace postern::verify
