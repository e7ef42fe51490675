// postconf: shows and changes the configuration, in Postfix's formats. This file reads the command
// line and the files; postconf_show.cc, postconf_edit.cc and postconf_manual.cc do the work.
#include <getopt.h>

#include <cstdio>
#include <cstdlib>

#include "commands/postconf.h"
#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/config/main_cf.h"
#include "lib/crypto/library.h"
#include "lib/sys/file.h"
#include "lib/table/registry.h"

namespace postern::commands {
namespace {

using Subject = PostconfOptions::Subject;
using Change = PostconfOptions::Change;

constexpr const char* kUsage =
    "usage: postconf [-c config_dir] [-C class] [-dfhHjnpx] [-T mode] [-o name=value] [name...] | "
    "-e name=value... | -# name... | -X name... | -M [-f] [name/type...] | -F [name/type/field...] "
    "| "
    "-P [name/type/parameter...] | -b [template_file] | -t [template_file] | -l | -m | -a | -A | "
    "--describe name... | --manual | --html-manual";

void put(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int fatal(std::string_view text) {
    std::fprintf(stderr, "postconf: fatal: %.*s\n", static_cast<int>(text.size()), text.data());
    return EXIT_FAILURE;
}

void warn(std::string_view text) {
    std::fprintf(stderr, "postconf: warning: %.*s\n", static_cast<int>(text.size()), text.data());
}

struct CommandLine {
    PostconfOptions options;
    std::optional<std::string> directory;
    bool own_directory = false;          // -c, or MAIL_CONFIG in the environment
    std::vector<std::string> overrides;  // -o name=value
    std::string list;                    // what -l, -m, -a or -A print
    std::string tls_mode;                // -T
    char bounce = '\0';                  // -b or -t
    std::vector<std::string> arguments;
};

bool set_class(PostconfOptions& options, std::string_view name) {
    using Only = PostconfOptions::Only;
    if (name == "builtin") options.only = Only::builtin;
    if (name == "service") options.only = Only::service;
    if (name == "user") options.only = Only::user;
    return name == "all" || options.only != Only::all;
}

// False: not one of postconf's options.
bool take_option(CommandLine& line, int option) {
    PostconfOptions& options = line.options;
    switch (option) {
        case 'b':
        case 't': line.bounce = static_cast<char>(option); return true;
        case 'a':
        case 'A': line.list = "postern\n"; return true;
        case 'l': line.list = "flock\nfcntl\ndotlock\n"; return true;
        case 'm': line.list = join(table::table_types(), "\n") + "\n"; return true;
        case 'c': line.directory = optarg; return true;
        case 'C': return set_class(options, optarg);
        case 'd': options.defaults = true; return true;
        case 'e': options.change = Change::set; return true;
        case '#': options.change = Change::comment_out; return true;
        case 'X': options.change = Change::remove; return true;
        case 'f': options.fold = true; return true;
        case 'h': options.values_only = true; return true;
        case 'j': options.json = true; return true;
        case 'T': line.tls_mode = optarg; return true;
        case 'H': options.names_only = true; return true;
        case 'M': options.subject = Subject::master; return true;
        case 'F': options.subject = Subject::master_fields; return true;
        case 'P': options.subject = Subject::master_params; return true;
        case 'n': options.set_only = true; return true;
        case 'o': line.overrides.emplace_back(optarg); return true;
        case 'p':
        case 'v': return true;
        case 'x': options.expand = true; return true;
        default: return false;
    }
}

Result<CommandLine> parse_command_line(int argc, char** argv) {
    CommandLine line;
    int option = 0;
    while ((option = getopt(argc, argv, "aAbc:C:deEfFhHjlmMno:pPtT:vxX#")) != -1) {
        if (!take_option(line, option)) return Error{Errc::invalid, kUsage};
    }
    line.arguments.assign(argv + optind, argv + argc);
    const PostconfOptions& options = line.options;
    if (options.defaults && options.set_only) return Error{Errc::invalid, "specify one of -d -n"};
    if (options.subject == Subject::master_params && options.change == Change::comment_out)
        return Error{Errc::invalid, "with option -P, do not specify -#"};
    // "postconf name=value" edits without being told so.
    bool assignment =
        !line.arguments.empty() && line.arguments.front().find('=') != std::string::npos;
    if (assignment && line.options.change == Change::none) line.options.change = Change::set;
    return line;
}

int edit(const CommandLine& line, const std::string& directory) {
    bool main_file = line.options.subject == Subject::main;
    if (line.arguments.empty()) return fatal(kUsage);
    std::string path = directory + (main_file ? "/main.cf" : "/master.cf");
    auto text = config::read_file(path);
    if (!text) return fatal(text.error().what);
    if (text->find('\0') != text->npos)
        return fatal(path + ": contains a zero byte: this is no configuration file");
    auto edited = main_file ? edit_main(*text, line.options.change, line.arguments)
                            : edit_master(*text, line.options, line.arguments);
    if (!edited) return fatal(edited.error().what);
    if (auto replaced = sys::replace_file(path, *edited); !replaced)
        return fatal(replaced.error().what);
    return EXIT_SUCCESS;
}

// Reads what there is: defaults can be shown without any file.
Result<config::Settings> read_settings(const CommandLine& line, const std::string& directory) {
    config::Settings settings(directory);
    if (!line.options.defaults) {
        TRY(settings.read());
        // Postfix counts a folder of the caller's own as a setting.
        if (line.own_directory) settings.set("config_directory", directory);
    }
    for (const config::Problem& note : settings.notes()) {
        if (note.parameter.empty())
            warn(note.str());  // set twice; the rest is for "unused parameter"
    }
    for (const std::string& text : line.overrides) {
        TRY_ASSIGN(auto entry, config::parse_assignment(text));
        settings.set(entry.name, entry.value);
    }
    settings.compute();
    return settings;
}

Result<config::MasterFile> read_master(const CommandLine& line, const std::string& directory) {
    std::string path = directory + "/master.cf";
    auto text = config::read_file(path);
    bool needed = line.options.subject != Subject::main;
    if (!text && !needed) return config::MasterFile();
    if (!text) return std::move(text).error();
    auto master = config::MasterFile::parse(*text, path);
    if (!master && !needed) {
        warn(master.error().what);
        return config::MasterFile();
    }
    return master;
}

int show(const CommandLine& line, const std::string& directory) {
    auto settings = read_settings(line, directory);
    if (!settings) return fatal(settings.error().what);
    auto master = read_master(line, directory);
    if (!master) return fatal(master.error().what);
    PostconfInput input{*settings, *master, line.options};
    bool main_file = line.options.subject == Subject::main;
    PostconfOutput output =
        main_file ? show_main(input, line.arguments) : show_master(input, line.arguments);
    put(output.text);
    std::fflush(stdout);
    for (const std::string& text : output.warnings) warn(text);
    return std::ferror(stdout) != 0 ? fatal("write error") : EXIT_SUCCESS;
}

int tell_bounce(const CommandLine& line, const std::string& directory) {
    if (line.arguments.size() > 1) return fatal(kUsage);
    std::optional<std::string> file;
    if (!line.arguments.empty()) file = line.arguments.front();
    auto config = config::Config::load(directory);
    if (!config) return fatal(config.error().what);
    auto text = line.bounce == 'b' ? bounce_texts(*config, file) : bounce_templates(*config, file);
    if (!text) return fatal(text.error().what);
    put(*text);
    return EXIT_SUCCESS;
}

int tell_tls(std::string_view mode) {
    std::string text;
    if (mode == "compile-version") text = crypto::compiled_version();
    if (mode == "run-version") text = crypto::running_version();
    if (mode == "public-key-algorithms") text = "ecdsa\nrsa";
    if (text.empty()) {
        return fatal(cat({"bad mode ", mode,
                          ": expected compile-version, run-version or public-key-algorithms"}));
    }
    put(text + "\n");
    return EXIT_SUCCESS;
}

int run(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 1 && words[0] == "--manual") {
        put(make_manual());
        return EXIT_SUCCESS;
    }
    if (words.size() == 1 && words[0] == "--html-manual") {
        put(make_html_manual());
        return EXIT_SUCCESS;
    }
    if (!words.empty() && words[0] == "--describe") {
        for (std::size_t i = 1; i < words.size(); i++) {
            auto text = describe(words[i]);
            if (text) put(*text);
            if (!text) warn(words[i] + ": unknown parameter");
        }
        return EXIT_SUCCESS;
    }
    auto line = parse_command_line(argc, argv);
    if (!line) return fatal(line.error().what);
    if (!line->tls_mode.empty()) return tell_tls(line->tls_mode);
    if (!line->list.empty()) {
        put(line->list);
        return EXIT_SUCCESS;
    }
    auto directory = config::choose_directory(line->directory);
    if (!directory) return fatal(directory.error().what);
    if (line->bounce != '\0') return tell_bounce(*line, *directory);
    const char* variable = std::getenv("MAIL_CONFIG");
    line->own_directory = line->directory.has_value() || (variable != nullptr && *variable != '\0');
    return line->options.change == Change::none ? show(*line, *directory) : edit(*line, *directory);
}

}  // namespace
}  // namespace postern::commands

int main(int argc, char** argv) { return postern::commands::run(argc, argv); }
