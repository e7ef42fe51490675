// master: supervises all daemons. Usually started by "postern start".
//   master [-c config_directory] [-s] [-t] [-v] [-w]
// -s stays in the foreground, -t only tells by its exit status whether no master runs (0), -w comes
// back to the caller when the system is up or has failed to come up.

#include <unistd.h>

#include <cstdio>

#include "master/start.h"

int main(int argc, char** argv) {
    postern::master::StartOptions options;
    for (int option = 0; (option = ::getopt(argc, argv, "c:dDe:istvw")) != -1;) {
        switch (option) {
            case 'c': options.config_directory = ::optarg; break;
            case 's':
            case 'd': options.foreground = true; break;
            case 't': options.test_only = true; break;
            case 'v': options.verbose = true; break;
            case 'w': options.wait = true; break;
            case 'i': break;
            default:
                std::fprintf(stderr,
                             "usage: master [-c config_dir] [-s (foreground)] [-t (test)] [-v] [-w "
                             "(wait)]\n");
                return 1;
        }
    }
    return postern::master::start(options);
}
