// showq(8): lists the queue for postqueue and mailq.
#include <memory>

#include "lib/log/log.h"
#include "lib/queue/lister.h"
#include "lib/service/service.h"

namespace {

using namespace std::chrono_literals;
using postern::Deadline;
using postern::Result;
namespace ipc = postern::ipc;
namespace service = postern::service;

class Showq final : public service::Worker {
  public:
    // One request, a stream of entries, the end. A reader that stops reading loses the rest.
    Conversation serve(ipc::Channel& channel) override {
        auto request = channel.receive<ipc::QueueListRequest>(Deadline::in(10s));
        if (!request) return Conversation::over;
        postern::queue::Lister lister(postern::sys::RealFs::instance());
        ipc::QueueListEnd end = lister.list([&](const ipc::QueueListEntry& entry) {
            return channel.send(entry, Deadline::in(60s)).has_value();
        });
        if (auto sent = channel.send(end, Deadline::in(60s)); !sent)
            postern::log::debug("", sent.error().what);
        return Conversation::over;
    }
};

}  // namespace

int main(int argc, char** argv) {
    return service::run_worker(argc, argv, [](const service::Context&) {
        return Result<std::unique_ptr<service::Worker>>(std::make_unique<Showq>());
    });
}
