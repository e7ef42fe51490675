// pipe(8): delivers to commands of foreign mail software.
#include <memory>

#include "lib/service/service.h"

#include "pipe/agent.h"

int main(int argc, char** argv) {
    namespace service = postern::service;
    using Made = postern::Result<std::unique_ptr<service::Worker>>;
    return service::run_worker(argc, argv, [](const service::Context& context) -> Made {
        TRY_ASSIGN(auto options, postern::pipe::options_from(context));
        return std::unique_ptr<service::Worker>(
            std::make_unique<postern::pipe::Agent>(std::move(options)));
    });
}
