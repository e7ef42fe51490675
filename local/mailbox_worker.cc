#include "local/mailbox_worker.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/mailbox/store.h"
#include "lib/queue/agent_report.h"
#include "lib/queue/message_text.h"

#include "local/forward_file.h"
#include "local/user_facts.h"

namespace postern::local {
namespace {

constexpr Millis kAnswerWait{10'000};
constexpr Millis kTurnWait{10'000};            // for those who fill the mailbox just now
constexpr int kQuiet = 500;  // milliseconds without a job
constexpr Millis kAtEnd{2000};

Result<OpenJob> open_job(ipc::Packet packet) {
    if (packet.descriptor_count() != 2)
        return Error{Errc::invalid, "mailbox job: descriptors missing"};
    TRY_ASSIGN(MailboxJob job, packet.as<MailboxJob>());
    if (job.targets.size() != job.request.recipients.size()) {
        return Error{Errc::invalid, "mailbox job: targets do not fit the recipients"};
    }
    Fd file = packet.take_descriptor(0);
    return OpenJob{std::move(job), std::move(file), packet.take_descriptor(1)};
}

}  // namespace

// One recipient of one job on its way.
struct MailboxWorker::Plan {
    std::size_t job = 0, recipient = 0;
    std::optional<std::size_t> delivery;  // its place in the group of Maildir deliveries
    std::optional<Verdict> verdict;       // decided before
    bool to_runner = false;
};

// All that is queued on the channel, up to a group's size.
void MailboxWorker::take_jobs(ipc::Channel& from, std::vector<OpenJob>& jobs, bool& open) {
    while (open && jobs.size() < kMaxJobs) {
        auto packet = from.receive_packet(Deadline::in(Millis{0}));
        if (!packet && packet.error().code == Errc::timeout) return;
        if (!packet) {
            open = false;
            return;
        }
        auto job = open_job(std::move(*packet));
        if (!job) {
            log::warning("", job.error().what);
            continue;
        }
        jobs.push_back(std::move(*job));
    }
}

// The first one is waited for; those that are queued behind it are taken along.
std::vector<OpenJob> MailboxWorker::next_jobs(ipc::Channel& parent) {
    const bool have_runner = runner_ != nullptr && runner_open_;
    pollfd both[] = {{parent_open_ ? parent.fd() : -1, POLLIN, 0},
                     {have_runner ? runner_->fd() : -1, POLLIN, 0}};
    std::vector<OpenJob> jobs;
    const int ready = poll(both, 2, !has_quiet_work() ? -1 : quiet_ ? 0 : kQuiet);
    quiet_ = ready == 0;  // it lasts until there is a job
    if (quiet_) prepare_some();
    if (ready <= 0) return jobs;
    if (both[0].revents != 0) take_jobs(parent, jobs, parent_open_);
    if (both[1].revents != 0) take_jobs(*runner_, jobs, runner_open_);
    return jobs;
}

void MailboxWorker::note_delivered(const std::vector<mailbox::Delivery>& group,
                                   const std::vector<Result<std::string>>& results) {
    for (std::size_t i = 0; i < group.size() && delivered_.size() < kMaxPrepared; ++i)
        if (results[i]) delivered_.insert(group[i].maildir);
}

// Nobody waits for it, and who opens the folder can do it too.
void MailboxWorker::prepare_some() {
    if (!preparing_) return prepare_next();
    const auto done = preparing_->go_on();
    if (!done) log::info("", cat({"not prepared for its readers: ", done.error().what}));
    if (!done || preparing_->is_over()) preparing_.reset();
}

void MailboxWorker::prepare_next() {
    const std::string folder = std::move(delivered_.extract(delivered_.begin()).value());
    auto store = mailbox::Store::open(folder, fs_);
    auto box = store ? store->mailbox("INBOX") : Result<mailbox::Mailbox>(store.error());
    if (box)
        preparing_.emplace(*std::move(box));
    else
        log::info("", cat({"not prepared for its readers: ", folder, ": ", box.error().what}));
}

void MailboxWorker::run(ipc::Channel& parent) {
    // A runner that is gone takes us with it: the parent makes new ones.
    while (parent_open_ && runner_open_) {
        auto jobs = next_jobs(parent);
        if (!jobs.empty()) deliver(jobs);
    }
    if (runner_ != nullptr) {
        // No new jobs for the runner; those that it has may still need us.
        parent_open_ = false;
        shutdown(runner_->fd(), SHUT_WR);
    }
    while (runner_ != nullptr && runner_open_) {
        auto jobs = next_jobs(parent);
        if (!jobs.empty()) deliver(jobs);
    }
    // Our successor knows nothing of what we have delivered.
    const Deadline enough = Deadline::in(kAtEnd);
    if (has_quiet_work()) ::poll(nullptr, 0, static_cast<int>(mailbox::kBeforePreparing.count()));
    while (has_quiet_work() && !enough.passed()) prepare_some();
}

bool MailboxWorker::wants_runner(const MailboxJob& job, const Target& target) {
    if (runner_ == nullptr || job.final || target.user.empty()) return false;
    if (!target.command.empty()) return true;
    const auto facts = facts_of(target, options_.delimiters);
    const auto candidates =
        forward_candidates(options_.forward_path, facts, options_.forward_filter);
    return existing_forward(fs_, candidates).has_value();
}

MailboxText MailboxWorker::text_of(const OpenJob& job, std::size_t recipient) const {
    const auto& request = job.job.request;
    const auto& one = request.recipients[recipient];
    const auto& original = one.original.empty() ? one.address : one.original;
    return {request.sender,
            options_.original_recipient_header ? original : std::string(),
            options_.frozen_delivered_to ? one.address : job.job.targets[recipient].address,
            {job.file.get(), request.body_offset, request.body_size}};
}

void MailboxWorker::plan(const std::vector<OpenJob>& jobs, std::vector<Plan>& plans,
                         std::vector<mailbox::Delivery>& group) {
    Taken taken;
    for (std::size_t j = 0; j < jobs.size(); ++j) {
        const auto& request = jobs[j].job.request;
        const queue::MessageText text{jobs[j].file.get(), request.body_offset, request.body_size};
        for (std::size_t r = 0; r < request.recipients.size(); ++r) {
            const auto& target = jobs[j].job.targets[r];
            Plan& plan = plans.emplace_back(Plan{j, r, {}, {}, wants_runner(jobs[j].job, target)});
            if (plan.to_runner) continue;
            if (options_.check_loops && !jobs[j].job.final) {
                auto seen = was_delivered(
                    fs_, text, target.address,
                    options_.frozen_delivered_to ? request.recipients[r].address : target.address);
                if (!seen) plan.verdict = mailbox_failure(seen.error(), "", false);
                if (seen && *seen)
                    plan.verdict = Verdict::reject(
                        "5.4.6", cat({"mail forwarding loop for ", target.address}));
            }
            if (plan.verdict || !target.is_maildir()) continue;
            if (options_.size_limit > 0 && request.body_size > options_.size_limit) {
                plan.verdict = Verdict::reject("5.2.2", "message is too large for the mailbox");
                continue;
            }
            plan.verdict = over_quota(target, request.body_size, taken);
            if (plan.verdict) continue;
            plan.delivery = group.size();
            group.push_back(maildir_delivery(fs_, target.mailbox, text_of(jobs[j], r), request,
                                             target.address, options_.myhostname));
        }
    }
}

namespace {

mailbox::Quota quota_of(sys::Fs& fs, const Target& target) {
    std::string root = target.mailbox;
    while (root.size() > 1 && root.ends_with('/')) root.pop_back();
    return {fs, SystemClock::instance(), std::move(root),
            mailbox::limits_or_none(target.quota_rule, target.address)};
}

}  // namespace

// Sessions that add messages, and other workers, wait until these deliveries are counted. In the
// order of the names, so that no two workers wait for each other. A turn that cannot be had keeps no
// mail back: a Maildir that is not there yet is nobody else's either.
std::vector<mailbox::FolderLock> MailboxWorker::take_turns(const std::vector<OpenJob>& jobs) const {
    std::map<std::string, const Target*> limited;
    for (const auto& job : jobs)
        for (const auto& target : job.job.targets)
            if (target.is_maildir() && !target.quota_rule.empty())
                limited.emplace(target.mailbox, &target);
    std::vector<mailbox::FolderLock> turns;
    for (const auto& [mailbox, target] : limited) {
        auto turn = quota_of(fs_, *target).take_turn(kTurnWait);
        if (turn && *turn) turns.push_back(std::move(**turn));
        if (!turn && turn.error().code != Errc::not_found)
            log::warning("", cat({"quota of ", target->address, ": ", turn.error().what}));
    }
    return turns;
}

std::optional<Verdict> MailboxWorker::over_quota(const Target& target, std::uint64_t size,
                                                 Taken& taken) const {
    if (target.quota_rule.empty()) return {};
    mailbox::QuotaUsage& so_far = taken[target.mailbox];
    const auto fits = quota_of(fs_, target)
                          .check(size + static_cast<std::uint64_t>(so_far.storage),
                                 1 + static_cast<std::uint64_t>(so_far.messages));
    if (fits || fits.error().sys != EDQUOT) {
        // Who cannot count does not refuse mail.
        if (!fits) log::warning("", cat({"quota of ", target.address, ": ", fits.error().what}));
        so_far.storage += static_cast<std::int64_t>(size);
        ++so_far.messages;
        return {};
    }
    return options_.quota_defers ? Verdict::defer("4.2.2", fits.error().what)
                                 : Verdict::reject("5.2.2", fits.error().what);
}

// What was delivered counts; whoever passes a mark of mailbox_quota_warnings is logged.
void MailboxWorker::count(const std::vector<OpenJob>& jobs, const std::vector<Plan>& plans,
                          const std::vector<Result<std::string>>& results) const {
    for (const Plan& plan : plans) {
        const Target& target = jobs[plan.job].job.targets[plan.recipient];
        if (!plan.delivery || !results[*plan.delivery] || target.quota_rule.empty()) continue;
        const auto quota = quota_of(fs_, target);
        if (!quota.limits().any()) continue;
        const auto before = quota.known();
        if (!before) continue;  // who asks next counts, and finds the message
        const auto size = mailbox::message_size(fs_, target.mailbox + *results[*plan.delivery]);
        if (!size) {
            quota.forget();
            continue;
        }
        const auto bytes = static_cast<std::int64_t>(*size);
        quota.add(bytes, 1);
        const unsigned from = quota.percent(*before);
        const unsigned to = quota.percent({before->storage + bytes, before->messages + 1});
        for (const unsigned mark : options_.quota_warnings)
            if (from < mark && to >= mark)
                log::warning(jobs[plan.job].job.request.queue_id.str(),
                             cat({"to=<", target.address, ">: mailbox is ", std::to_string(to),
                                  "% full (quota ", target.quota_rule, ")"}));
    }
}

Verdict MailboxWorker::verdict_of(const Plan& plan, const OpenJob& job,
                                  const std::vector<Result<std::string>>& results,
                                  WallTime started) {
    if (plan.verdict) return *plan.verdict;
    if (plan.delivery) {
        const auto& result = results[*plan.delivery];
        return result ? Verdict::accept("2.0.0", "delivered to maildir")
                      : mailbox_failure(result.error(), "maildir delivery failed: ", false);
    }
    const auto& target = job.job.targets[plan.recipient];
    const auto done = append_message(fs_, target.mailbox, options_.mbox_rules,
                                     text_of(job, plan.recipient), started);
    if (done) return Verdict::accept("2.0.0", "delivered to mailbox");
    return mailbox_failure(done.error(), cat({"cannot update mailbox ", target.mailbox, ". "}),
                           false);
}

// The recipients that are the runner's, with our part of the report, which is its to give then.
bool MailboxWorker::pass_on(const OpenJob& job, const std::vector<std::size_t>& recipients,
                            ipc::DeliverReport& decided, WallTime started) {
    RunnerJob passed;
    passed.request = job.job.request;
    passed.request.recipients.clear();
    for (const auto r : recipients) {
        passed.request.recipients.push_back(job.job.request.recipients[r]);
        passed.targets.push_back(job.job.targets[r]);
    }
    passed.decided = decided;
    const int descriptors[] = {job.file.get(), job.connection.get()};
    const auto sent = runner_->send(passed, Deadline::in(kAnswerWait), {}, descriptors);
    if (sent) return true;
    log::warning(job.job.request.queue_id.str(), sent.error().what);
    if (sent.error().code != Errc::timeout && sent.error().code != Errc::invalid)
        runner_open_ = false;
    for (const auto r : recipients) {
        decided.recipients.push_back(queue::report_delivery(
            job.job.request, job.job.request.recipients[r], options_.relay,
            job.job.targets[r].address, Verdict::defer("4.3.0", "delivery process failed"), started,
            options_.status_filter));
    }
    return false;
}

void MailboxWorker::deliver(std::vector<OpenJob>& jobs) {
    const auto started = SystemClock::instance().now();
    std::vector<Plan> plans;
    std::vector<mailbox::Delivery> group;
    auto turns = take_turns(jobs);
    plan(jobs, plans, group);
    const auto results = mailbox::deliver(fs_, group);
    note_delivered(group, results);
    count(jobs, plans, results);
    turns.clear();
    std::vector<ipc::DeliverReport> reports(jobs.size());
    std::vector<std::vector<std::size_t>> for_runner(jobs.size());
    for (const auto& plan : plans) {
        if (plan.to_runner) {
            for_runner[plan.job].push_back(plan.recipient);
            continue;
        }
        const auto& job = jobs[plan.job].job;
        reports[plan.job].recipients.push_back(queue::report_delivery(
            job.request, job.request.recipients[plan.recipient], options_.relay,
            job.targets[plan.recipient].address, verdict_of(plan, jobs[plan.job], results, started),
            started, options_.status_filter));
    }
    for (std::size_t j = 0; j < jobs.size(); ++j) {
        if (!for_runner[j].empty() && pass_on(jobs[j], for_runner[j], reports[j], started))
            continue;
        ipc::Channel connection(std::move(jobs[j].connection));
        auto sent = connection.send(reports[j], Deadline::in(kAnswerWait));
        if (!sent)
            log::warning(jobs[j].job.request.queue_id.str(),
                         cat({"report to qmgr: ", sent.error().what}));
    }
}

}  // namespace postern::local
