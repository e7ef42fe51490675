// pickup: takes mail that local users dropped into maildrop/. See README.md.
#include <signal.h>

#include "lib/service/service.h"

#include "pickup/pickup.h"

int main(int argc, char** argv) {
    static_cast<void>(::signal(SIGPIPE, SIG_IGN));  // cleanup may hang up while we write
    return postern::service::run_worker(argc, argv, &postern::pickup::Pickup::create);
}
