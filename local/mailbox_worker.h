// MailboxWorker: delivers into Maildirs as their owner. One process per uid and place; takes all
// jobs that are queued, writes and syncs them as one group, then reports each to qmgr.
#pragma once

#include <string>
#include <vector>

#include "lib/ipc/channel.h"
#include "lib/sys/fs.h"

#include "local/messages.h"

namespace postern::local {

struct MailboxOptions {
    std::string relay = "local";  // for the log
    std::string myhostname;
    bool original_recipient_header = true;
    bool check_loops = true;       // local does, virtual does not
    std::uint64_t size_limit = 0;  // of one message; 0: none
};

// A job with what came along: the queue file and qmgr's connection.
struct OpenJob {
    MailboxJob job;
    Fd file, connection;
};

class MailboxWorker {
  public:
    static constexpr std::size_t kMaxJobs = 64;  // in one group

    MailboxWorker(sys::Fs& fs, MailboxOptions options) : fs_(fs), options_(std::move(options)) {}

    // Serves jobs from the parent's channel until the parent closes it.
    void run(ipc::Channel& parent);

    // Delivers the group and answers each job on its connection.
    void deliver(std::vector<OpenJob>& jobs);

  private:
    struct Plan;
    std::vector<OpenJob> next_jobs(ipc::Channel& parent, bool& closed);

    sys::Fs& fs_;
    const MailboxOptions options_;
};

}  // namespace postern::local
