// smtp-source: sends test messages over many SMTP or LMTP sessions at once, with the flags of
// Postfix's program of this name. The load of bench/ and of system tests. See man/smtp-source.1.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "lib/base/strings.h"
#include "lib/net/stream.h"
#include "lib/sys/file.h"

#include "commands/load_generator.h"

namespace {

using postern::cat;
using postern::Errc;
using postern::Error;
using postern::Millis;
using postern::Result;
using postern::commands::LoadGenerator;
using postern::commands::LoadOptions;

constexpr std::size_t kMaxFile = 256u << 20;

struct Command {
    LoadOptions load;
    std::string endpoint;
    std::string file;
    bool show_count = false;
    bool only_v4 = false;
    bool only_v6 = false;
};

const char kUsage[] =
    "usage: smtp-source [-cdLNopv46A] [-s sessions] [-l message_length] [-m message_count] "
    "[-C connect_count] [-f from] [-t to] [-r recipient_count] [-R delay] [-w delay] "
    "[-S subject] [-F file] [-M myhostname] host[:port]";

std::string own_hostname() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

Result<std::size_t> count_of(char option, const std::string& text, std::size_t least) {
    const auto number = postern::parse_number<std::size_t>(text);
    if (!number || *number < least)
        return Error{Errc::invalid,
                     cat({"bad value for -", std::string_view(&option, 1), ": ", text})};
    return *number;
}

// Options that take a number. False when the option is none of these.
Result<bool> take_number(char option, const std::string& text, LoadOptions& load) {
    switch (option) {
        case 'C': {
            TRY_ASSIGN(const auto count, count_of(option, text, 1));
            load.connect_attempts = static_cast<int>(count);
            return true;
        }
        case 'l': {
            TRY_ASSIGN(load.length, count_of(option, text, 1));
            return true;
        }
        case 'm': {
            TRY_ASSIGN(load.messages, count_of(option, text, 1));
            return true;
        }
        case 'r': {
            TRY_ASSIGN(load.recipients, count_of(option, text, 1));
            return true;
        }
        case 's': {
            TRY_ASSIGN(load.sessions, count_of(option, text, 1));
            return true;
        }
        case 'w':
        case 'R': {
            TRY_ASSIGN(const auto seconds, count_of(option, text, 0));
            (option == 'w' ? load.fixed_wait : load.random_wait) =
                Millis(1000 * static_cast<std::int64_t>(seconds));
            return true;
        }
        case 'T':
            return count_of(option, text, 1)
                .has_value();  // window sizes are the kernel's business here
        default: return false;
    }
}

bool take_flag(char option, Command& command) {
    auto& load = command.load;
    switch (option) {
        case '4': return command.only_v4 = true;
        case '6': return command.only_v6 = true;
        case 'A': return load.go_on = true;
        case 'c': return command.show_count = true;
        case 'd': return load.keep_connection = true;
        case 'L': return load.lmtp = true;
        case 'N': return load.number_recipients = true;
        case 'o': load.headers = false; return true;
        case 'p': return load.pipelining = true;
        case 'v': return true;
        default: return false;
    }
}

Result<Command> parse(int argc, char** argv) {
    Command command;
    auto& load = command.load;
    for (int option = 0;
         (option = ::getopt(argc, argv, "46AcC:df:F:l:Lm:M:Nopr:R:s:S:t:T:vw:")) != -1;) {
        const auto letter = static_cast<char>(option);
        const std::string text = ::optarg ? ::optarg : "";
        if (take_flag(letter, command)) continue;
        TRY_ASSIGN(const bool taken, take_number(letter, text, load));
        if (taken) continue;
        switch (letter) {
            case 'f': load.sender = text; break;
            case 'F': command.file = text; break;
            case 'M': load.hostname = text; break;
            case 'S': load.subject = text; break;
            case 't': load.recipient = text; break;
            default: return Error{Errc::invalid, kUsage};
        }
    }
    if (argc - ::optind != 1) return Error{Errc::invalid, kUsage};
    command.endpoint = argv[::optind];
    if (load.hostname == "localhost") load.hostname = own_hostname();
    if (load.recipient.empty()) load.recipient = "foo@" + load.hostname;
    if (load.sender.empty()) load.sender = "foo@" + load.hostname;
    if (load.sender == "<>") load.sender.clear();
    return command;
}

// The file in wire form.
Result<std::string> read_content(const std::string& path) {
    TRY_ASSIGN(const std::string text, postern::sys::read_file(path, kMaxFile));
    std::string content;
    content.reserve(text.size() + text.size() / 32);
    for (auto rest = std::string_view(text); !rest.empty();) {
        const auto end = rest.find('\n');
        auto line = rest.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        content.append(line).append("\r\n");
        rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    }
    return content;
}

Result<void> find_server(Command& command) {
    const auto endpoint = postern::net::parse_endpoint(command.endpoint, 25);
    if (!endpoint) return Error{Errc::invalid, cat({"bad host or port: ", command.endpoint})};
    TRY_ASSIGN(const auto addresses, postern::net::resolve(*endpoint));
    for (const auto& address : addresses) {
        if (command.only_v4 && address.is_inet() && address.ip().is_v6()) continue;
        if (command.only_v6 && address.is_inet() && address.ip().is_v4()) continue;
        command.load.to = address;
        return {};
    }
    return Error{Errc::not_found, cat({command.endpoint, ": no usable address"})};
}

Result<void> run(int argc, char** argv) {
    TRY_ASSIGN(Command command, parse(argc, argv));
    TRY(find_server(command));
    if (!command.file.empty()) {
        TRY_ASSIGN(command.load.content, read_content(command.file));
    }
    postern::loop::Loop loop;
    auto show = [](std::size_t count) { static_cast<void>(::fprintf(stderr, "%zu\r", count)); };
    LoadGenerator generator(loop, std::move(command.load),
                            command.show_count ? std::function<void(std::size_t)>(show) : nullptr);
    return generator.run();
}

}  // namespace

int main(int argc, char** argv) {
    auto done = run(argc, argv);
    if (done) return 0;
    static_cast<void>(::fprintf(stderr, "smtp-source: fatal: %s\n", done.error().what.c_str()));
    return 1;
}
