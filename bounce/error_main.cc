// error(8), retry(8) and discard(8): delivery agents that deliver nowhere.
#include <memory>

#include "lib/service/service.h"

#include "bounce/error_agent.h"

int main(int argc, char** argv) {
    namespace service = postern::service;
    // As in Postfix: discard is a program, whatever its service is called; retry is a service of
    // error.
    return service::run_worker(argc, argv, [](const service::Context& context) {
        return postern::Result<std::unique_ptr<service::Worker>>(
            std::make_unique<postern::bounce::ErrorAgent>(
                context.program == "discard" ? context.program
                : context.service == "retry" ? context.service
                                             : "error"));
    });
}
