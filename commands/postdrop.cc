// postdrop: puts a message into maildrop/ on behalf of a user who cannot write there. Installed
// set-gid postdrop, so every byte, argument and limit that it meets comes from a stranger: it reads
// the maildrop format strictly, writes what it has checked, and does nothing else.
//   postdrop [-c config_dir] [-r] [-v] < maildrop file
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/queue/maildrop.h"
#include "lib/sys/error.h"

#include "commands/submission.h"

namespace {

using postern::Errc;
using postern::Error;
using postern::Result;
namespace commands = postern::commands;

constexpr std::size_t kChunk = 64 << 10;

// The list may have user names, "!name", and static:anyone; other tables are not read here, with a
// user's limits and our group, and let nobody pass.
Result<void> check_user(const std::string& allowed) {
    const passwd* user = ::getpwuid(::getuid());
    const std::string name = user != nullptr ? user->pw_name : "unknown";
    for (const std::string_view word : postern::split_words(allowed, " \t\r\n,")) {
        if (word == "static:anyone" || word == "static:all" || word == name) return {};
        if (word.starts_with('!') && word.substr(1) == name) break;
    }
    return Error{Errc::denied, postern::cat({"user ", name, "(", std::to_string(::getuid()),
                                             ") is not allowed to submit mail"})};
}

Result<void> copy_standard_input(commands::MaildropFile& file, std::uint64_t limit) {
    postern::queue::MaildropParser parser({.content = limit != 0 ? limit : UINT64_MAX});
    std::string buffer(kChunk, '\0');
    for (;;) {
        const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return postern::sys::system_error("read standard input");
        if (n == 0) break;
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
        if (auto checked = parser.feed(bytes, nullptr); !checked) {
            if (checked.error().code == Errc::no_space)
                return Error{Errc::permanent, checked.error().what};
            return checked;
        }
        TRY(file.write(bytes));
    }
    // The caller died or gave up: no trace remains.
    if (!parser.complete()) return Error{Errc::temporary, "message incomplete, not queued"};
    return {};
}

Result<void> drop(std::optional<std::string> config_option) {
    TRY_ASSIGN(const std::string directory,
               postern::config::choose_directory(std::move(config_option)));
    TRY_ASSIGN(const auto settings, commands::SubmitSettings::read(directory));
    TRY(check_user(settings.authorized_submit_users));
    if (::chdir(settings.queue_directory.c_str()) != 0)
        return postern::sys::system_error("change to " + settings.queue_directory);
    TRY_ASSIGN(auto file, commands::MaildropFile::create(postern::sys::RealFs::instance()));
    TRY(copy_standard_input(file, settings.message_size_limit));
    TRY(file.commit(settings.sync_directory));
    commands::notify_pickup(settings.pickup_socket);
    return {};
}

// What the caller may have left in a bad state for a program with more rights than his.
void sanitize() {
    for (int fd = 0; fd <= 2; ++fd)
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) ::_exit(EX_OSERR);
    ::umask(022);
    static_cast<void>(::signal(SIGPIPE, SIG_IGN));
    static_cast<void>(::signal(SIGXFSZ, SIG_IGN));  // a file size limit becomes an error of write()
    static_cast<void>(::signal(SIGALRM, SIG_DFL));
}

}  // namespace

int main(int argc, char** argv) {
    sanitize();
    postern::log::open_stderr({.tag = "postdrop"});
    std::optional<std::string> directory;
    for (int option = 0; (option = ::getopt(argc, argv, "c:rv")) != -1;) {
        if (option == 'c') directory = ::optarg;
        if (option == '?') {
            postern::log::fatal("", "usage: postdrop [-c config_dir] [-v] [-r]");
            return EX_USAGE;
        }
    }
    const Result<void> done = drop(std::move(directory));
    if (done) return EX_OK;
    postern::log::warning(
        "", postern::cat({"uid=", std::to_string(::getuid()), ": ", done.error().what}));
    return commands::exit_status(done.error());
}
