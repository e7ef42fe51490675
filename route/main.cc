// trivial-rewrite: tells qmgr where an address goes, and cleanup what an address stands for.
#include "lib/service/service.h"

#include "route/worker.h"

namespace {

namespace service = postern::service;

class RewriteWorker final : public service::Worker {
  public:
    explicit RewriteWorker(const service::Context& context)
        : engine_(postern::route::options_from(context.config),
                  postern::route::probe_options_from(context.config)) {}
    Conversation serve(postern::ipc::Channel& channel) override {
        return postern::route::serve(engine_, channel);
    }

  private:
    postern::route::Engine engine_;
};

postern::Result<std::unique_ptr<service::Worker>> make(const service::Context& context) {
    return std::unique_ptr<service::Worker>(std::make_unique<RewriteWorker>(context));
}

}  // namespace

int main(int argc, char** argv) { return service::run_worker(argc, argv, make); }
