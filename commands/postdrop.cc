// postdrop: puts a message into maildrop/ on behalf of a user who cannot write there. Installed
// set-gid postdrop, so every byte, argument and limit that it meets comes from a stranger: it reads
// the maildrop format strictly, writes what it has checked, and does nothing else.
//   postdrop [-c config_dir] [-r] [-v] < maildrop file
#include <fcntl.h>
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
#include "commands/user_access.h"

namespace {

using postern::Errc;
using postern::Error;
using postern::Result;
namespace commands = postern::commands;

constexpr std::size_t kChunk = 64 << 10;

Result<void> check_user(const std::string& allowed) {
    TRY_ASSIGN(const bool listed, commands::is_authorized(allowed));
    if (listed) return {};
    return Error{Errc::denied,
                 postern::cat({"user ", commands::caller_name(), "(", std::to_string(::getuid()),
                               ") is not allowed to submit mail"})};
}

Result<void> check_sender(const commands::SenderRules& rules, const std::string& sender) {
    TRY_ASSIGN(const bool allowed, commands::may_send_as(rules, commands::caller_name(), sender));
    if (allowed) return {};
    return Error{Errc::denied,
                 postern::cat({"not authorized to use sender='", postern::printable(sender), "'"})};
}

Result<void> copy_standard_input(commands::MaildropFile& file,
                                 const commands::SubmitSettings& settings) {
    const std::uint64_t limit = settings.message_size_limit;
    postern::queue::MaildropParser parser({.content = limit != 0 ? limit : UINT64_MAX});
    bool sender_known = settings.senders.everybody_may();
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
        if (!sender_known && parser.has_envelope()) {
            TRY(check_sender(settings.senders, parser.envelope().sender));
            sender_known = true;
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
    TRY(copy_standard_input(file, settings));
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
