// local and virtual: deliver to mailboxes of this host.
#include <unistd.h>

#include "lib/service/service.h"
#include "lib/sys/sandbox.h"

#include "local/dispatcher.h"

namespace {

namespace service = postern::service;
using postern::local::Dispatcher;

class LocalWorker final : public service::Worker {
  public:
    LocalWorker(postern::local::Options options, service::Identity mail_owner,
                postern::local::Sockets sockets)
        : dispatcher_(std::move(options), std::move(mail_owner), std::move(sockets)) {}
    Conversation serve(postern::ipc::Channel& channel) override {
        dispatcher_.serve(channel);
        return Conversation::over;
    }

  private:
    Dispatcher dispatcher_;
};

postern::Result<std::unique_ptr<service::Worker>> make(const service::Context& context) {
    // virtual gives up new privileges at once, and its children give up the rest. local cannot:
    // users' commands may need them (sendmail, which is set-gid); all its other children give them
    // up.
    if (context.program == "virtual") TRY(postern::sys::restrict_early());
    TRY_ASSIGN(auto options,
               postern::local::options_from(context.config, context.program == "virtual"));
    TRY_ASSIGN(auto mail_owner, service::identity_of(service::Account::mail, context.config));
    TRY_ASSIGN(const auto policy, service::identity_of(service::Account::policy, context.config));
    postern::local::Sockets sockets;
    if (policy.uid != ::geteuid()) sockets.asks_only = policy.uid;
    return std::unique_ptr<service::Worker>(std::make_unique<LocalWorker>(
        std::move(options), std::move(mail_owner), std::move(sockets)));
}

}  // namespace

int main(int argc, char** argv) { return service::run_worker(argc, argv, make); }
