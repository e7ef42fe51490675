// error(8), retry(8) and discard(8): delivery agents that deliver nowhere.
#include <memory>

#include "lib/service/service.h"

#include "bounce/error_agent.h"

int main(int argc, char** argv) {
    namespace service = postern::service;
    return service::run_worker(argc, argv, [](const service::Context& context) {
        return postern::Result<std::unique_ptr<service::Worker>>(
            std::make_unique<postern::bounce::ErrorAgent>(context.service));
    });
}
