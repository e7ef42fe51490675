// How a local message gets into maildrop/: directly where we may write there (root, mail_owner, a
// private instance), else through the set-gid program postdrop. Works while the mail system is
// down.
#pragma once

#include <sysexits.h>

#include <memory>
#include <string>
#include <string_view>

#include "lib/base/ids.h"
#include "lib/base/result.h"
#include "lib/queue/maildrop.h"
#include "lib/sys/fs.h"

#include "commands/user_access.h"

namespace postern::commands {

// What submission needs from main.cf. Read without judging the other parameters: a typing error
// elsewhere must not stop local mail, and the check of all of them costs more than the submission.
struct SubmitSettings {
    std::string queue_directory;
    std::string command_directory;
    std::string pickup_socket;             // relative to queue_directory
    std::uint64_t message_size_limit = 0;  // 0: none
    bool sync_directory = false;
    std::string authorized_submit_users;
    SenderRules senders;
    std::string alias_database;
    std::string myhostname;
    std::string verp_delimiters, verp_filter;  // default_verp_delimiters, verp_delimiter_filter
    std::string fix_line_endings;              // sendmail_fix_line_endings

    static Result<SubmitSettings> read(const std::string& config_directory);
};

// A file under maildrop/, seen from queue_directory.
class MaildropFile {
  public:
    static Result<MaildropFile> create(sys::Fs& fs);
    MaildropFile(MaildropFile&&) = default;
    MaildropFile& operator=(MaildropFile&&) = delete;
    ~MaildropFile();  // removes what was not committed

    Result<void> write(std::string_view bytes);
    // Makes it durable; only then the submitter may be told.
    Result<void> commit(bool sync_directory);
    // The same; pickup takes it up only when the descriptor is closed.
    Result<Fd> commit_locked(bool sync_directory);
    const QueueId& id() const { return id_; }

  private:
    MaildropFile(sys::Fs& fs, QueueId id, Fd fd)
        : fs_(&fs), id_(std::move(id)), fd_(std::move(fd)) {}
    sys::Fs* fs_;
    QueueId id_;
    Fd fd_;
};

// Tells pickup, if it listens; if not, its periodic look at maildrop/ finds the file.
void notify_pickup(const std::string& socket);

// Where the bytes of a maildrop file go: a MaildropFile or postdrop's standard input.
class Submission {
  public:
    virtual ~Submission() = default;
    virtual Result<void> write(std::string_view bytes) = 0;
    virtual Result<void> commit() = 0;

    static Result<std::unique_ptr<Submission>> open(const SubmitSettings& settings);
};

// The exit status (sysexits) that tells a caller of sendmail what to do next.
int exit_status(const Error& error);

}  // namespace postern::commands
