#include "lib/config/process_wide.h"

#include "lib/base/strings.h"
#include "lib/sys/port.h"

namespace postern::config {
namespace {

struct State {
    ProcessWide options;
    std::optional<Error> failure;
};

State& process_state() {
    static State the_state;
    return the_state;
}

}  // namespace

const ProcessWide& process_wide() { return process_state().options; }

Result<void> set_process_wide(const Config& config) {
    ProcessWide& options = process_state().options;
    options.socketmap_reply_limit =
        static_cast<std::size_t>(config.get(param::socketmap_max_reply_size));
    options.table_failure_is_fatal = config.get(param::daemon_table_open_error_is_fatal);
    process_state().failure.reset();
    Result<void> outcome;
    std::vector<sys::NamedPort> known;
    for (const auto& word : config.get(param::known_tcp_ports)) {
        auto ports = sys::parse_known_port(word);
        if (ports) known.insert(known.end(), ports->begin(), ports->end());
        if (!ports) outcome = std::move(ports).error().within("known_tcp_ports");
    }
    sys::set_known_ports(std::move(known));
    return outcome;
}

void tell_table_failure(const Error& why) {
    auto& failure = process_state().failure;
    if (process_wide().table_failure_is_fatal && !failure) failure = why;
}

std::optional<Error> table_failure() { return process_state().failure; }

}  // namespace postern::config
