// bounce(8): keeps records of what could not be delivered and tells the senders. Also serves defer
// and trace.
#include <memory>

#include "lib/service/service.h"

#include "bounce/worker.h"

int main(int argc, char** argv) {
    namespace service = postern::service;
    namespace bounce = postern::bounce;
    return service::run_worker(argc, argv, [](const service::Context& context) {
        auto options = bounce::options_from(context.config);
        if (!options)
            return postern::Result<std::unique_ptr<service::Worker>>(std::move(options).error());
        return postern::Result<std::unique_ptr<service::Worker>>(
            std::make_unique<bounce::BounceWorker>(postern::sys::RealFs::instance(),
                                                   std::move(options).value()));
    });
}
