#include "commands/submission.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/strings.h"
#include "lib/config/settings.h"
#include "lib/queue/directories.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/unix_socket.h"

extern "C" char** environ;  // NOLINT: POSIX's own name

namespace postern::commands {
namespace {

using queue::Directory;

constexpr int kLockAttempts = 10;

class DirectSubmission final : public Submission {
  public:
    DirectSubmission(MaildropFile file, const SubmitSettings& settings)
        : file_(std::move(file)), settings_(settings) {}

    Result<void> write(std::string_view bytes) override { return file_.write(bytes); }
    Result<void> commit() override {
        TRY(file_.commit(settings_.sync_directory));
        notify_pickup(settings_.pickup_socket);
        return {};
    }

  private:
    MaildropFile file_;
    const SubmitSettings settings_;
};

// postdrop as a child; its exit status is the answer, and it tells the user itself what is wrong.
class PostdropSubmission final : public Submission {
  public:
    PostdropSubmission(pid_t child, Fd input) : child_(child), input_(std::move(input)) {}
    ~PostdropSubmission() override {
        input_.reset();
        if (child_ > 0) (void)wait();
    }

    Result<void> write(std::string_view bytes) override {
        const Result<void> written = sys::RealFs::instance().write(input_.get(), bytes);
        // It hung up: what it says is better than our "broken pipe".
        if (!written && written.error().sys == EPIPE) TRY(commit());
        return written;
    }
    Result<void> commit() override {
        input_.reset();
        const int status = wait();
        if (status == 0) return {};
        const Errc code = status == EX_DATAERR  ? Errc::invalid
                          : status == EX_NOPERM ? Errc::denied
                                                : Errc::temporary;
        return Error{code, "postdrop did not take the message"};
    }

  private:
    int wait() {
        int status = 0;
        while (::waitpid(child_, &status, 0) < 0)
            if (errno != EINTR) return EX_TEMPFAIL;
        child_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
    }

    pid_t child_;
    Fd input_;
};

Result<std::unique_ptr<Submission>> start_postdrop(const std::string& program) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return sys::system_error("pipe");
    Fd read_end(ends[0]), write_end(ends[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, read_end.get(), STDIN_FILENO);
    std::string name = program, option = "-r";
    char* arguments[] = {name.data(), option.data(), nullptr};
    pid_t child = -1;
    const int failed =
        ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return sys::system_error("execute " + program, failed);
    return std::unique_ptr<Submission>(
        std::make_unique<PostdropSubmission>(child, std::move(write_end)));
}

}  // namespace

Result<SubmitSettings> SubmitSettings::read(const std::string& config_directory) {
    config::Settings all(config_directory);
    TRY(all.read());
    SubmitSettings s;
    TRY_ASSIGN(s.queue_directory, all.expanded("queue_directory"));
    TRY_ASSIGN(s.command_directory, all.expanded("command_directory"));
    TRY_ASSIGN(s.authorized_submit_users, all.expanded("authorized_submit_users"));
    TRY_ASSIGN(s.senders.maps, all.expanded("local_login_sender_maps"));
    TRY_ASSIGN(s.senders.empty_key,
               all.expanded("empty_address_local_login_sender_maps_lookup_key"));
    TRY_ASSIGN(s.senders.recipient_delimiter, all.expanded("recipient_delimiter"));
    TRY_ASSIGN(s.alias_database, all.expanded("alias_database"));
    TRY_ASSIGN(s.myhostname, all.expanded("myhostname"));
    TRY_ASSIGN(s.verp_delimiters, all.expanded("default_verp_delimiters"));
    TRY_ASSIGN(s.verp_filter, all.expanded("verp_delimiter_filter"));
    TRY_ASSIGN(s.fix_line_endings, all.expanded("sendmail_fix_line_endings"));
    TRY_ASSIGN(const std::string pickup, all.expanded("pickup_service_name"));
    s.pickup_socket = "public/" + pickup;
    TRY_ASSIGN(const std::string limit, all.expanded("message_size_limit"));
    const auto number = parse_number<std::uint64_t>(trim(limit));
    if (!number)
        return Error{Errc::invalid,
                     all.place_of("message_size_limit") + "message_size_limit: not a number"};
    s.message_size_limit = *number;
    TRY_ASSIGN(const std::string sync, all.expanded("queue_sync_directory"));
    s.sync_directory = iequals(trim(sync), "yes");
    return s;
}

// The lock keeps pickup off until commit() has looked whether the file is still there. pickup may
// hold a new file's lock for the moment in which it finds that there is nothing in it.
Result<MaildropFile> MaildropFile::create(sys::Fs& fs) {
    for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
        QueueId id = QueueId::make(SystemClock::instance(), SystemRandom::instance());
        const std::string path = queue::path_of(Directory::maildrop, id);
        // Readable by pickup, which has another uid; the folder lets nobody else in.
        TRY_ASSIGN(Fd fd, fs.open(path, O_WRONLY | O_CREAT | O_EXCL, 0444));
        MaildropFile file(fs, std::move(id), std::move(fd));
        TRY_ASSIGN(const bool locked, sys::try_lock(file.fd_.get(), sys::LockKind::exclusive));
        if (locked) return file;
    }
    return Error{Errc::temporary, "cannot lock a new maildrop file"};
}

MaildropFile::~MaildropFile() {
    if (fd_) (void)fs_->unlink(queue::path_of(Directory::maildrop, id_));
}

Result<void> MaildropFile::write(std::string_view bytes) { return fs_->write(fd_.get(), bytes); }

Result<void> MaildropFile::commit(bool sync_directory) {
    TRY(commit_locked(sync_directory));
    return {};
}

Result<Fd> MaildropFile::commit_locked(bool sync_directory) {
    TRY(fs_->sync(fd_.get()));
    // pickup removes files that nobody has written to for a day, locked or not.
    TRY_ASSIGN(const sys::FileInfo info, fs_->info(fd_.get()));
    if (info.links == 0)
        return Error{Errc::temporary, "maildrop file was removed before it was complete"};
    if (sync_directory) TRY(fs_->sync_directory(std::string(queue::name_of(Directory::maildrop))));
    return std::move(fd_);
}

void notify_pickup(const std::string& socket) { (void)sys::try_connect_unix(socket); }

Result<std::unique_ptr<Submission>> Submission::open(const SubmitSettings& settings) {
    const bool direct = settings.senders.everybody_may();  // postdrop knows who may send as whom
    if (direct && ::chdir(settings.queue_directory.c_str()) == 0 &&
        ::access("maildrop", W_OK | X_OK) == 0) {
        (void)::umask(022);
        TRY_ASSIGN(MaildropFile file, MaildropFile::create(sys::RealFs::instance()));
        return std::unique_ptr<Submission>(
            std::make_unique<DirectSubmission>(std::move(file), settings));
    }
    return start_postdrop(settings.command_directory + "/postdrop");
}

int exit_status(const Error& error) {
    switch (error.code) {
        case Errc::invalid:
        case Errc::permanent: return EX_DATAERR;
        case Errc::denied: return EX_NOPERM;
        default: return EX_TEMPFAIL;
    }
}

}  // namespace postern::commands
