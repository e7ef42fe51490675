// postcat: shows queue files, maildrop files included.
//   postcat [-bdehnoqv] [-c config_dir] [files...]
// With -q the arguments are queue ids and the queue is searched.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <optional>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/queue/directories.h"
#include "lib/queue/maildrop.h"
#include "lib/queue/reader.h"

#include "commands/postcat_print.h"

namespace {

using postern::Errc;
using postern::Error;
using postern::Fd;
using postern::QueueId;
using postern::Result;
using postern::commands::PostcatOptions;
using postern::commands::TextPrinter;
namespace commands = postern::commands;
namespace queue = postern::queue;

constexpr std::size_t kChunk = 64 << 10;
constexpr std::size_t kMaxStandardInput = 1U << 30;

postern::sys::Fs& fs() { return postern::sys::RealFs::instance(); }

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_end(const PostcatOptions& options, const std::string& file) {
    print(commands::show_mark(options, "HEADER EXTRACTED", file));
    print(commands::show_mark(options, "MESSAGE FILE END", file));
}

Result<void> show_message(const PostcatOptions& options, const std::string& file, int fd,
                          const queue::Message& message) {
    if (!options.file_order) print(commands::show_envelope(options, file, message));
    print(commands::show_mark(options, "MESSAGE CONTENTS", file));
    TextPrinter printer(options, message.body.offset);
    for (std::uint64_t done = 0; done < message.body.size && (options.header || options.body);) {
        const auto want =
            static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, message.body.size - done));
        TRY_ASSIGN(const std::string bytes, fs().read_at(fd, message.body.offset + done, want));
        if (bytes.empty()) return Error{Errc::corrupt, file + ": shorter than it says"};
        print(printer.feed(bytes));
        done += bytes.size();
    }
    if (options.file_order) print(commands::show_envelope(options, file, message));
    print_end(options, file);
    // Shown all the same: somebody wants to see what is left of it.
    if (auto whole = queue::verify_body(fs(), fd, message); !whole)
        return std::move(whole).error().within(file);
    return {};
}

Result<void> show_maildrop(const PostcatOptions& options, const std::string& file, int fd) {
    queue::MaildropParser parser;
    std::string content;
    for (std::uint64_t at = 0; !parser.complete();) {
        TRY_ASSIGN(const std::string bytes, fs().read_at(fd, at, kChunk));
        if (bytes.empty()) return Error{Errc::closed, file + ": not complete"};
        TRY(parser.feed(bytes, &content));
        at += bytes.size();
    }
    print(commands::show_envelope(options, file, parser.envelope(), parser.content_size()));
    print(commands::show_mark(options, "MESSAGE CONTENTS", file));
    print(TextPrinter(options, 0).feed(content));
    print_end(options, file);
    return {};
}

// All messages of a file, or the one with that id.
Result<void> show_file(const PostcatOptions& options, const std::string& file, int fd,
                       const QueueId& only = {}) {
    TRY_ASSIGN(const std::string magic, fs().read_at(fd, 0, 8));
    if (magic == "PosternM") return show_maildrop(options, file, fd);
    auto reader = queue::Reader::open(fs(), fd);
    if (!reader) return std::move(reader).error().within(file);
    bool shown = false;
    for (std::size_t i = 0; i < reader->count(); ++i) {
        auto message = reader->message(i);
        if (!message) return std::move(message).error().within(file);
        if (!only.empty() && message->envelope.id != only) continue;
        shown = true;
        TRY(show_message(options, file, fd, *message));
    }
    if (!shown) return Error{Errc::corrupt, file + ": is another message's file"};
    return {};
}

struct Found {
    std::string path;
    Fd fd;
};

bool holds(int fd, const QueueId& id) {
    const auto reader = queue::Reader::open(fs(), fd);
    for (std::size_t i = 0; reader && i < reader->count(); ++i) {
        const auto message = reader->message(i);
        if (message && message->envelope.id == id) return true;
    }
    return false;
}

// A file of that name, or a batch in incoming/ with that message.
std::optional<Found> find(const QueueId& id) {
    using queue::Directory;
    for (const Directory d : {Directory::hold, Directory::deferred, Directory::incoming,
                              Directory::active, Directory::maildrop, Directory::corrupt}) {
        const std::string path = queue::path_of(d, id);
        if (auto fd = queue::open_plain_file(fs(), path, O_RDONLY))
            return Found{path, std::move(*fd)};
    }
    const std::string folder(queue::name_of(Directory::incoming));
    const auto entries = fs().list(folder);
    if (!entries) return std::nullopt;
    for (const auto& entry : *entries) {
        const std::string path = postern::cat({folder, "/", entry.name});
        auto fd = queue::open_plain_file(fs(), path, O_RDONLY);
        if (fd && holds(fd->get(), id)) return Found{path, std::move(*fd)};
    }
    return std::nullopt;
}

Result<void> show_queued(const PostcatOptions& options, const std::string& name) {
    const auto id = QueueId::parse(name);
    auto found = id ? find(*id) : std::nullopt;
    if (!found)
        return Error{Errc::not_found,
                     postern::cat({"open queue file ", name, ": No such file or directory"})};
    return show_file(options, found->path, found->fd.get(), *id);
}

// Standard input may be a pipe, and queue files are read from their end.
Result<void> show_standard_input(const PostcatOptions& options) {
    char name[] = "/tmp/postcat.XXXXXX";
    const Fd fd(::mkstemp(name));
    if (!fd) return Error{Errc::temporary, "cannot make a temporary file"};
    ::unlink(name);
    std::string buffer(kChunk, '\0');
    std::size_t total = 0;
    for (ssize_t n = 0; (n = ::read(STDIN_FILENO, buffer.data(), buffer.size())) > 0;) {
        total += static_cast<std::size_t>(n);
        if (total > kMaxStandardInput) return Error{Errc::no_space, "standard input is too long"};
        TRY(fs().write(fd.get(), std::string_view(buffer).substr(0, static_cast<std::size_t>(n))));
    }
    return show_file(options, "stdin", fd.get());
}

Result<void> show_path(const PostcatOptions& options, const std::string& path) {
    TRY_ASSIGN(const Fd fd, fs().open(path, O_RDONLY, 0));
    return show_file(options, path, fd.get());
}

Result<void> enter_queue(std::optional<std::string> config_option) {
    TRY_ASSIGN(const std::string directory,
               postern::config::choose_directory(std::move(config_option)));
    postern::config::Settings settings(directory);
    TRY(settings.read());
    TRY_ASSIGN(const std::string queue_directory, settings.expanded("queue_directory"));
    if (::chdir(queue_directory.c_str()) != 0)
        return Error{Errc::not_found, "cannot enter " + queue_directory};
    return {};
}

int fail(const Error& error) {
    std::fflush(stdout);
    postern::log::fatal("", error.what);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    postern::log::open_stderr({.tag = "postcat"});
    PostcatOptions options;
    std::optional<std::string> config_directory;
    bool by_id = false;
    for (int option = 0; (option = ::getopt(argc, argv, "bc:dehnoqrs:v")) != -1;) {
        switch (option) {
            case 'b': options.body = true; break;
            case 'c': config_directory = ::optarg; break;
            case 'd': options.record_types = true; break;
            case 'e': options.envelope = true; break;
            case 'h': options.header = true; break;
            case 'o': options.offsets = true; break;
            case 'q': by_id = true; break;
            case 'r': options.file_order = true; break;
            case 's': {
                const auto start = postern::parse_number<std::uint64_t>(::optarg);
                if (!start) return fail({Errc::invalid, postern::cat({"bad offset: ", ::optarg})});
                options.start = *start;
                break;
            }
            case 'v': postern::log::set_debug(true); break;
            case 'n': break;  // without effect in Postfix too
            default:
                return fail(
                    {Errc::invalid,
                     "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record "
                     "type)] [-e (envelope records)] [-h (header text)] [-o (record offsets)] "
                     "[-q (access queue)] [-r (file order)] [-s offset] [-v] [file(s)...]"});
        }
    }
    if (!options.body && !options.envelope && !options.header)
        options.body = options.envelope = options.header = true;
    if (by_id)
        if (const auto entered = enter_queue(std::move(config_directory)); !entered)
            return fail(entered.error());
    if (::optind >= argc) {
        const auto shown = show_standard_input(options);
        return shown ? 0 : fail(shown.error());
    }
    for (int i = ::optind; i < argc; ++i) {
        const auto shown = by_id ? show_queued(options, argv[i]) : show_path(options, argv[i]);
        if (!shown) return fail(shown.error());
    }
    return 0;
}
