// postmap and postalias, by the name that they are called.
#include "commands/postmap.h"

#include "lib/log/log.h"

namespace commands = postern::commands;

int main(int argc, char** argv) {
    const std::string_view path = argv[0];
    postern::log::open_stderr({.tag = std::string(path.substr(path.rfind('/') + 1))});
    const auto options = commands::parse_map_options(argc, argv);
    const auto status = options ? commands::run_map(*options, stdin, stdout)
                                : postern::Result<int>(options.error());
    if (status) return *status;
    postern::log::fatal("", status.error().what);
    return 1;
}
