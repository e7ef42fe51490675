// postern (also installed as postfix): controls the mail system.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/config/value.h"
#include "lib/log/log.h"
#include "lib/sys/error.h"

#include "commands/postern_check.h"
#include "commands/postern_control.h"
#include "commands/postern_logrotate.h"
#include "commands/postern_mailbox.h"
#include "commands/postern_permissions.h"
#include "commands/postern_user.h"
#include "commands/postern_who.h"

namespace {

using postern::Result;
using postern::config::Config;
using Words = std::vector<std::string>;

struct Command {
    const char* name;
    const char* help;
    std::function<Result<int>(const Config&, const Words&)> run;
};

const std::vector<Command>& commands() {
    namespace p = postern::commands;
    static const std::vector<Command> list = {
        {"start", "start the mail system", [](const Config& c, const Words&) { return p::start(c, false); }},
        {"start-fg", "start it and stay in the foreground", [](const Config& c, const Words&) { return p::start(c, true); }},
        {"stop", "stop it in an orderly way", [](const Config& c, const Words&) { return p::stop(c); }},
        {"abort", "stop it at once", [](const Config& c, const Words&) { return p::abort(c); }},
        {"reload", "read the configuration again", [](const Config& c, const Words&) { return p::reload(c); }},
        {"status", "tell what runs", [](const Config& c, const Words&) { return p::status(c); }},
        {"flush", "try to deliver all deferred mail now", [](const Config& c, const Words&) { return p::flush(c); }},
        {"check", "look for mistakes in configuration, tables and permissions; -j: as JSON",
         [](const Config& c, const Words& words) { return p::check(c.directory(), words); }},
        {"logrotate", "begin a new log file", [](const Config& c, const Words&) { return p::logrotate(c); }},
        {"user", "add, change, remove or list users who may log in",
         [](const Config& c, const Words& words) { return Result<int>(p::user_command(words, c)); }},
        {"mailbox", "look at mailboxes, bring mail in and out, rebuild indexes",
         [](const Config& c, const Words& words) { return Result<int>(p::mailbox_command(words, c)); }},
        {"who", "tell who is logged in; -j: as JSON",
         [](const Config& c, const Words& words) { return p::who(c, words); }},
        {"kick", "end sessions of a user, an address, a protocol, or one of them",
         [](const Config& c, const Words& words) { return p::kick(c, words); }},
        {"set-permissions", "make the users, folders and permissions that are needed", [](const Config& c, const Words&) { return p::set_permissions(c); }},
    };
    return list;
}

int usage() {
    std::fputs("usage: postern [-c config_dir] [-v] command\n", stderr);
    for (const auto& command : commands()) std::fprintf(stderr, "  %-16s %s\n", command.name, command.help);
    return 1;
}

// With several mail systems on the host (postmulti) what is said to the first one is said to all,
// unless one of them is named.
Result<void> hand_over(const Config& config, const std::string& command, const Words& rest) {
    TRY_ASSIGN(const std::string wrapper, config.expand(config.get(postern::param::multi_instance_wrapper)));
    Words words = postern::config::split_list(wrapper);
    if (words.empty()) return {};
    words.push_back(command);
    words.insert(words.end(), rest.begin(), rest.end());
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    return postern::sys::system_error("multi_instance_wrapper: run " + words[0]);
}

// Everything that is wrong, not only what was found first.
postern::Error refuse(const std::string& directory, const postern::Error& first) {
    const auto snapshot = postern::config::Snapshot::read(directory);
    if (!snapshot) return first;
    const auto report = postern::config::examine(*snapshot);
    if (!report.has_errors()) return first;
    postern::commands::log_problems(report);
    return {first.code, "the configuration has errors: nothing is changed"};
}

}  // namespace

int main(int argc, char** argv) {
    postern::log::open_stderr({.tag = "postern"});
    std::optional<std::string> directory;
    for (int option = 0; (option = ::getopt(argc, argv, "+c:Dv")) != -1;) {
        if (option == 'c') directory = ::optarg;
        else if (option == 'v') postern::log::set_debug(true);
        else if (option != 'D') return usage();
    }
    if (::optind >= argc) return usage();
    const std::string name = argv[::optind];
    const Words rest(argv + ::optind + 1, argv + argc);
    for (const auto& command : commands()) {
        if (command.name != name) continue;
        const auto status = [&]() -> Result<int> {
            TRY_ASSIGN(const std::string chosen, postern::config::choose_directory(directory));
            if (name == "check") return postern::commands::check(chosen, rest);  // works without a good one
            auto config = Config::load(chosen);
            if (!config) return refuse(chosen, config.error());
            const char* named = std::getenv("MAIL_CONFIG");
            constexpr std::string_view kForOne[] = {"user", "mailbox", "logrotate", "start-fg", "who", "kick"};
            const bool is_for_all = std::find(std::begin(kForOne), std::end(kForOne), name) == std::end(kForOne);
            if (is_for_all && !directory && (named == nullptr || *named == '\0')) TRY(hand_over(*config, name, rest));
            return command.run(*config, rest);
        }();
        if (status) return *status;
        postern::log::fatal("", status.error().what);
        return 1;
    }
    std::fprintf(stderr, "postern: fatal: unknown command: %s\n", name.c_str());
    return usage();
}
