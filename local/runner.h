// Runner: sees to what needs more than a mailbox: .forward files, commands, files, mailbox_command.
// Runs as the recipient (or the owner of an alias file) with all of his rights and nothing above
// them: it is not confined to a folder, because what it does is the user's own doing, as if he had
// typed it. Each job has a process of its own, so that a slow command keeps up nobody else.
#pragma once

#include <string>
#include <vector>

#include "lib/base/verdict.h"
#include "lib/ipc/channel.h"
#include "lib/queue/agent_report.h"
#include "lib/sys/fs.h"

#include "local/forward_file.h"
#include "local/mbox_file.h"
#include "local/messages.h"
#include "local/user_facts.h"

namespace postern::local {

struct RunnerOptions {
    std::string myhostname, myorigin;
    std::string delimiters;  // recipient_delimiter
    bool original_recipient_header = true;
    bool frozen_delivered_to = true;
    bool delivered_for_command = true, delivered_for_file = true;  // prepend_delivered_header

    std::string forward_path, forward_filter;
    std::vector<Origin> commands_from, files_from;  // allow_mail_to_commands, allow_mail_to_files

    std::string environment;  // export_environment
    std::string shell;        // local_command_shell
    std::string directory, directory_filter, command_filter;
    Millis time_limit{1'000'000};
    MboxRules file_rules;
    queue::VerdictFilter status_filter;
};

class Runner {
  public:
    // `forwarding`: to the forwarding worker. `mailboxes`: to the mailbox worker of the same user;
    // null where there is none.
    Runner(sys::Fs& fs, const RunnerOptions& options, ipc::Channel& forwarding,
           ipc::Channel* mailboxes)
        : fs_(fs), options_(options), forwarding_(forwarding), mailboxes_(mailboxes) {}

    // Serves jobs until the other end is closed and the last of them is done.
    void run(ipc::Channel& jobs);

    // One job; what became of its recipients.
    ipc::DeliverReport perform(const RunnerJob& job, int file);

  private:
    struct Delivery;
    void serve(ipc::Packet packet);
    void for_user(Delivery& delivery);
    void follow(Delivery& delivery, const std::vector<Destination>& destinations,
                const std::vector<std::string>& forwards);
    Verdict to_command(const Delivery& delivery, const std::string& command);
    Verdict to_file(const Delivery& delivery, const std::string& path);
    void to_own_mailbox(Delivery& delivery);
    void forward(Delivery& delivery, std::vector<std::string> addresses);
    void ask(Delivery& delivery, ipc::Channel& worker, const auto& message);

    sys::Fs& fs_;
    const RunnerOptions& options_;
    ipc::Channel& forwarding_;
    ipc::Channel* mailboxes_;
};

}  // namespace postern::local
