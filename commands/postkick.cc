// postkick: has a service do now what it would do by itself later, for scripts. qmgr gets Postfix's
// request letters in our own protocol; a connection is all that other services need to wake up.
// What may go wrong: the system is down, or the caller may not use its sockets.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/ipc/call_again.h"
#include "lib/ipc/messages/queue.h"
#include "lib/log/log.h"

namespace postern::commands {
namespace {

constexpr std::size_t kMaxRequests = 100;

struct Kick {
    std::optional<std::string> directory;
    std::string service_class, service, requests;
};

int fatal(std::string_view text) {
    log::fatal("", text);
    return EXIT_FAILURE;
}

std::optional<Kick> parse(int argc, char** argv) {
    Kick kick;
    for (int option = 0; (option = ::getopt(argc, argv, "c:v")) != -1;) {
        if (option == '?') return std::nullopt;
        if (option == 'c') kick.directory = ::optarg;
        if (option == 'v') log::set_debug(true);
    }
    if (argc != ::optind + 3) return std::nullopt;
    kick.service_class = argv[::optind];
    kick.service = argv[::optind + 1];
    kick.requests = argv[::optind + 2];
    return kick;
}

Result<void> check_socket(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        return Error{Errc::not_found,
                     cat({"unable to look up ", path, ": ", std::strerror(errno)})};
    if (!S_ISSOCK(info.st_mode)) return Error{Errc::invalid, cat({path, " is not a socket"})};
    return {};
}

// qmgr is asked and says what it thinks of it.
Result<void> order_qmgr(const std::string& path, const std::string& requests, Deadline deadline) {
    if (requests.size() > kMaxRequests) return Error{Errc::invalid, "too many requests"};
    ipc::QueueControl order;
    order.operation = ipc::QueueOperation::trigger;
    order.requests = requests;
    TRY_ASSIGN(const auto answer, ipc::call_again<ipc::QueueControlAnswer>(path, order, deadline));
    if (!answer.text.empty()) log::warning("", answer.text);
    return {};
}

Result<void> deliver_kick(const Kick& kick, const config::Config& config) {
    const std::string path = cat({kick.service_class, "/", kick.service});
    const auto deadline = Deadline::in(config.get(param::trigger_timeout));
    TRY(check_socket(path));
    if (kick.service == config.get(param::queue_service_name))
        return order_qmgr(path, kick.requests, deadline);
    auto channel = ipc::Channel::connect(path, deadline);
    return channel ? Result<void>() : std::move(channel).error();
}

int run(int argc, char** argv) {
    log::open_stderr({.tag = "postkick"});
    const auto kick = parse(argc, argv);
    if (!kick) return fatal("usage: postkick [-c config_dir] [-v] class service request");
    auto directory = config::choose_directory(kick->directory);
    if (!directory) return fatal(directory.error().what);
    auto config = config::Config::load(*directory);
    if (!config) return fatal(config.error().what);
    const std::string queue_directory = config->get(param::queue_directory);
    if (::chdir(queue_directory.c_str()) != 0)
        return fatal(cat({"chdir ", queue_directory, ": ", std::strerror(errno)}));
    auto done = deliver_kick(*kick, *config);
    if (done) return EXIT_SUCCESS;
    log::warning("", done.error().what);
    log::warning("", cat({"Cannot contact class ", kick->service_class, " service ", kick->service,
                          " - perhaps the mail system is down"}));
    return EXIT_FAILURE;
}

}  // namespace
}  // namespace postern::commands

int main(int argc, char** argv) { return postern::commands::run(argc, argv); }
