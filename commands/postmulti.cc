// postmulti: one command for all mail systems of this host, and their making and unmaking. See
// postmulti(1).

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/sys/error.h"

#include "commands/instance_edit.h"
#include "commands/instances.h"
#include "commands/postern_permissions.h"

namespace {

using postern::cat;
using postern::Errc;
using postern::Error;
using postern::Result;
using postern::commands::Errand;
using postern::commands::InstanceEdit;
using postern::commands::InstanceSelection;
using postern::commands::MailInstance;
using Words = std::vector<std::string>;

constexpr const char* kUsage =
    "usage: postmulti -l [-aRv] [-g group] [-i name]\n"
    "       postmulti -p [-av] [-g group] [-i name] command...\n"
    "       postmulti -x [-aRv] [-g group] [-i name] command...\n"
    "       postmulti -e action [-av] [-g group] [-i name] [-G group] [-I name] [name=value...]";

struct Line {
    char mode = 0;  // 'l', 'p', 'x' or 'e'
    bool reverse = false, verbose = false;
    InstanceSelection selection;
    InstanceEdit edit;
    Words words;
};

Result<Line> parse(int argc, char** argv) {
    Line line;
    for (int option = 0; (option = ::getopt(argc, argv, "+ae:g:G:i:I:lpRvx")) != -1;) {
        switch (option) {
            case 'a': line.edit.first = true; break;
            case 'g': line.selection.group = ::optarg; break;
            case 'i': line.selection.name = ::optarg; break;
            case 'G': line.edit.group = ::optarg; break;
            case 'I': line.edit.name = ::optarg; break;
            case 'R': line.reverse = true; break;
            case 'v': line.verbose = true; break;
            case 'e': line.edit.action = ::optarg; [[fallthrough]];
            case 'l':
            case 'p':
            case 'x':
                if (line.mode != 0) return Error{Errc::invalid, "only one of -e, -l, -p and -x"};
                line.mode = static_cast<char>(option);
                break;
            default: return Error{Errc::invalid, kUsage};
        }
    }
    line.words.assign(argv + ::optind, argv + argc);
    const bool runs = line.mode == 'p' || line.mode == 'x';
    const bool lacks_words = runs && line.words.empty();
    const bool has_too_many = line.mode == 'l' && !line.words.empty();
    if (line.mode == 0 || lacks_words || has_too_many) return Error{Errc::invalid, kUsage};
    if (line.mode == 'p' && line.reverse) return Error{Errc::invalid, "-R does not go with -p"};
    if (line.mode != 'e' && (line.edit.group || line.edit.name))
        return Error{Errc::invalid, "-G and -I go with -e only"};
    line.edit.existing = line.selection.name;
    line.edit.before_group = line.selection.group;
    line.edit.assignments = line.words;
    return line;
}

// Runs a program as the instance's and waits; its exit status.
Result<int> run_for(const MailInstance& instance, const Words& words, bool verbose) {
    std::fflush(stdout);
    const pid_t pid = ::fork();
    if (pid < 0) return postern::sys::system_error("fork");
    if (pid == 0) {
        ::setenv("MAIL_CONFIG", instance.directory.c_str(), 1);
        if (verbose) ::setenv("MAIL_VERBOSE", "", 1);
        for (const auto& [name, value] : instance.environment)
            ::setenv(name.c_str(), value.c_str(), 1);
        std::vector<char*> arguments;
        for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        ::execvp(arguments[0], arguments.data());
        std::perror(arguments[0]);
        ::_exit(127);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) return postern::sys::system_error("wait for a command");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// All of them, whatever one of them says; the worst status is ours.
Result<int> run_all(const Line& line, const postern::config::Config& primary,
                    std::vector<MailInstance> instances) {
    int worst = 0;
    const auto run = [&](const MailInstance& instance, const Words& words) -> Result<void> {
        TRY_ASSIGN(const int status, run_for(instance, words, line.verbose));
        worst = std::max(worst, status);
        return {};
    };
    if (line.mode == 'x') {
        for (const MailInstance& instance : instances) TRY(run(instance, line.words));
        return worst;
    }
    const auto kinds = postern::commands::CommandKinds::from(primary);
    for (const Errand& errand : postern::commands::errands(instances, line.words[0], kinds)) {
        Words words{primary.get(postern::param::command_directory) + "/postern", errand.command};
        words.insert(words.end(), line.words.begin() + 1, line.words.end());
        if (errand.command != line.words[0]) words.resize(2);
        TRY(run(*errand.instance, words));
    }
    return worst;
}

Result<int> work(const Line& line) {
    TRY_ASSIGN(const std::string directory, postern::config::choose_directory());
    TRY_ASSIGN(const auto primary, postern::config::Config::load(directory));
    if (line.mode == 'e') {
        TRY(postern::commands::edit_instance(primary, line.edit,
                                             postern::commands::prepare_folders));
        return 0;
    }
    TRY_ASSIGN(auto all, postern::commands::load_instances(primary));
    // Without multi-instance support there is the primary one, and it is no less there for that.
    if (!all[0].enabled && line.mode != 'l') {
        all.resize(1);
        all[0].enabled = true;
    }
    TRY_ASSIGN(auto wanted, postern::commands::selected(all, line.selection));
    if (line.reverse) std::reverse(wanted.begin(), wanted.end());
    if (line.mode != 'l') return run_all(line, primary, std::move(wanted));
    for (const MailInstance& instance : wanted)
        std::fputs(postern::commands::listed(instance).c_str(), stdout);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    postern::log::open_stderr({.tag = "postmulti"});
    const auto line = parse(argc, argv);
    const auto status = line ? work(*line) : Result<int>(line.error());
    if (status) return *status;
    postern::log::fatal("", status.error().what);
    return 1;
}
