// MailboxWorker: delivers into mailboxes as their owner. One process per uid and place; takes all
// jobs that are queued, writes and syncs those for Maildirs as one group, then reports each to
// qmgr. Recipients whose mail does not just go into their mailbox (.forward, mailbox_command) it
// passes on to the runner.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/ipc/channel.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/mailbox/prepare_new.h"
#include "lib/mailbox/quota.h"
#include "lib/queue/agent_report.h"
#include "lib/sys/fs.h"

#include "local/mailbox_text.h"
#include "local/messages.h"

namespace postern::local {

struct MailboxOptions {
    std::string relay = "local";  // for the log
    std::string myhostname;
    bool original_recipient_header = true;
    bool check_loops = true;  // local does, virtual does not
    // Delivered-To is what qmgr asked for, whatever aliases made of it.
    bool frozen_delivered_to = true;
    std::uint64_t size_limit = 0;  // of one message in a Maildir; 0: none
    MboxRules mbox_rules;
    bool quota_defers = false;             // mail for a full mailbox waits
    std::vector<unsigned> quota_warnings;  // per cent
    std::string delimiters, forward_path, forward_filter;
    queue::VerdictFilter status_filter;
};

// A job with what came along: the queue file and qmgr's connection.
struct OpenJob {
    MailboxJob job;
    Fd file, connection;
};

class MailboxWorker {
  public:
    static constexpr std::size_t kMaxJobs = 64;        // in one group
    static constexpr std::size_t kMaxPrepared = 1000;  // folders that wait for a quiet moment

    // `runner`: null where nobody has a .forward file (virtual).
    MailboxWorker(sys::Fs& fs, MailboxOptions options, ipc::Channel* runner)
        : fs_(fs), options_(std::move(options)), runner_(runner) {}

    // Serves jobs from the parent's channel, and those that come back from the runner, until the
    // parent closes it and the runner is done.
    void run(ipc::Channel& parent);

    // Delivers the group and answers each job on its connection, or leaves that to the runner.
    void deliver(std::vector<OpenJob>& jobs);

  private:
    struct Plan;
    std::vector<OpenJob> next_jobs(ipc::Channel& parent);
    void take_jobs(ipc::Channel& from, std::vector<OpenJob>& jobs, bool& open);
    void note_delivered(const std::vector<mailbox::Delivery>& group,
                        const std::vector<Result<std::string>>& results);
    bool has_quiet_work() const { return preparing_ || !delivered_.empty(); }
    void prepare_some();
    void prepare_next();
    void plan(const std::vector<OpenJob>& jobs, std::vector<Plan>& plans,
              std::vector<mailbox::Delivery>& group);
    bool wants_runner(const MailboxJob& job, const Target& target);
    Verdict verdict_of(const Plan& plan, const OpenJob& job,
                       const std::vector<Result<std::string>>& results, WallTime started);
    // Nothing: there is room in the mailbox, or no quota, besides what the group has `taken` so
    // far.
    using Taken = std::map<std::string, mailbox::QuotaUsage>;
    std::vector<mailbox::FolderLock> take_turns(const std::vector<OpenJob>& jobs) const;
    std::optional<Verdict> over_quota(const Target& target, std::uint64_t size, Taken& taken) const;
    void count(const std::vector<OpenJob>& jobs, const std::vector<Plan>& plans,
               const std::vector<Result<std::string>>& results) const;
    MailboxText text_of(const OpenJob& job, std::size_t recipient) const;
    bool pass_on(const OpenJob& job, const std::vector<std::size_t>& recipients,
                 ipc::DeliverReport& decided, WallTime started);

    sys::Fs& fs_;
    const MailboxOptions options_;
    ipc::Channel* runner_;
    std::set<std::string> delivered_;  // Maildirs whose new mail nobody has looked at
    std::optional<mailbox::PrepareNew> preparing_;
    bool quiet_ = false;
    bool parent_open_ = true, runner_open_ = true;
};

}  // namespace postern::local
