// local and virtual: deliver to mailboxes of this host.
#include "lib/service/service.h"
#include "lib/sys/sandbox.h"

#include "local/dispatcher.h"

namespace {

namespace service = postern::service;
using postern::local::Dispatcher;

class LocalWorker final : public service::Worker {
  public:
    LocalWorker(const service::Context& context, service::Identity mail_owner)
        : dispatcher_(postern::local::options_from(context.config, context.program == "virtual"),
                      std::move(mail_owner), {}) {}
    void serve(postern::ipc::Channel& channel) override { dispatcher_.serve(channel); }

  private:
    Dispatcher dispatcher_;
};

postern::Result<std::unique_ptr<service::Worker>> make(const service::Context& context) {
    // All that may be given up before the children become others; they give up the rest.
    TRY(postern::sys::restrict_early());
    TRY_ASSIGN(auto mail_owner, service::identity_of(service::Account::mail, context.config));
    return std::unique_ptr<service::Worker>(
        std::make_unique<LocalWorker>(context, std::move(mail_owner)));
}

}  // namespace

int main(int argc, char** argv) { return service::run_worker(argc, argv, make); }
