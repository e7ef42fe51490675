// qmgr(8): decides what is delivered when.
#include <memory>

#include "lib/service/service.h"

#include "qmgr/service.h"

int main(int argc, char** argv) {
    using postern::Result;
    using postern::qmgr::QmgrService;
    using postern::service::LoopContext;
    using postern::service::LoopService;
    return postern::service::run_loop(argc, argv, [](const LoopContext& context) {
        return Result<std::unique_ptr<LoopService>>(std::make_unique<QmgrService>(context));
    });
}
