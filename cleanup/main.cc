// cleanup: turns submitted bytes into queue files. See README.md.
#include "lib/service/service.h"

#include "cleanup/service.h"

int main(int argc, char** argv) {
    return postern::service::run_loop(argc, argv, &postern::cleanup::CleanupService::create);
}
