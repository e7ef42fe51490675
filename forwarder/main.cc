// forwarder, installed as smtp and lmtp: delivers mail to other hosts. See README.md.
#include "lib/service/service.h"

#include "forwarder/service.h"

int main(int argc, char** argv) {
    return postern::service::run_loop(argc, argv, &postern::forwarder::ForwarderService::create);
}
