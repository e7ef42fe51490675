// postlog: logs a line (or the lines of standard input) as the mail system does.
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/config/log_options.h"
#include "lib/log/log.h"
#include "lib/sys/fs.h"

namespace postern::commands {
namespace {

struct Priority {
    std::string_view name;
    log::Level level;
};
constexpr Priority kPriorities[] = {
    {"info", log::Level::info},   {"warn", log::Level::warning}, {"warning", log::Level::warning},
    {"error", log::Level::error}, {"err", log::Level::error},    {"fatal", log::Level::fatal},
    {"panic", log::Level::fatal}, {"crit", log::Level::fatal},
};

constexpr std::string_view level_text(log::Level level) {
    switch (level) {
        case log::Level::warning: return "warning: ";
        case log::Level::error: return "error: ";
        case log::Level::fatal: return "fatal: ";
        default: return "";
    }
}

struct Job {
    std::string tag;
    log::Level level = log::Level::info;
    bool echo = false;  // to standard error as well, where that is a terminal
};

void write(const Job& job, std::string_view text) {
    log::write(job.level, "", text);
    if (!job.echo) return;
    std::string line = cat({job.tag, ": ", level_text(job.level), printable(text), "\n"});
    std::fwrite(line.data(), 1, line.size(), stderr);
}

int fatal(std::string_view text) {
    std::fprintf(stderr, "postlog: fatal: %.*s\n", static_cast<int>(text.size()), text.data());
    return EXIT_FAILURE;
}

void log_input(const Job& job) {
    char* line = nullptr;
    std::size_t size = 0;
    ssize_t length = 0;
    while ((length = getline(&line, &size, stdin)) >= 0) {
        write(job, trim_right(std::string_view(line, static_cast<std::size_t>(length))));
    }
    std::free(line);
}

// The log that the configuration names; without a configuration, syslog.
void open_log(const Job& job, const std::optional<config::Config>& config) {
    log::Options options;
    if (config) options = config::log_options(*config, "postlog");
    options.tag = job.tag;
    std::string file = config ? config->get(param::maillog_file) : "";
    if (file.empty()) return log::open_syslog(options);
    auto opened = sys::RealFs::instance().open(file, O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (opened) return log::open_file(options, std::move(*opened));
    log::open_syslog(options);
}

int run(int argc, char** argv) {
    Job job;
    std::optional<std::string> directory;
    int option = 0;
    while ((option = getopt(argc, argv, "c:ip:t:v")) != -1) {
        if (option == 'c') directory = optarg;
        if (option == 't') job.tag = optarg;
        if (option == '?')
            return fatal("usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]");
        if (option != 'p') continue;
        const Priority* found = nullptr;
        for (const Priority& priority : kPriorities) {
            if (priority.name == optarg) found = &priority;
        }
        if (found == nullptr) return fatal(cat({"unknown priority: ", optarg}));
        job.level = found->level;
    }
    auto chosen = config::choose_directory(directory);
    if (!chosen) return fatal(chosen.error().what);
    std::optional<config::Config> config;
    if (auto loaded = config::Config::load(*chosen)) config = std::move(*loaded);
    if (job.tag.empty())
        job.tag = (config ? config->get(param::syslog_name) : "postfix") + "/postlog";
    job.echo = isatty(STDERR_FILENO) != 0;
    open_log(job, config);
    std::string text;
    for (int i = optind; i < argc; i++) text += cat({i > optind ? " " : "", argv[i]});
    if (optind < argc) write(job, text);
    if (optind == argc) log_input(job);
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace postern::commands

int main(int argc, char** argv) { return postern::commands::run(argc, argv); }
