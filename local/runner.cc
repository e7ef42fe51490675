#include "local/runner.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/maildir_delivery.h"
#include "lib/mailbox/quota.h"
#include "lib/queue/agent_report.h"
#include "lib/queue/command_verdict.h"
#include "lib/queue/message_text.h"
#include "lib/sys/command.h"

#include "local/mailbox_text.h"
#include "local/processes.h"

namespace postern::local {
namespace {

constexpr Millis kRunnerIdleWait{600'000};
constexpr Millis kSendWait{10'000};
constexpr Millis kReportWait{3600'000};
constexpr std::size_t kMaxRunning = 20;  // jobs of one user at the same time

bool allows(const std::vector<Origin>& from, Origin origin) {
    return std::find(from.begin(), from.end(), origin) != from.end();
}

}  // namespace

// One recipient on its way.
struct Runner::Delivery {
    const ipc::DeliverRequest& request;
    const ipc::DeliverRecipient& recipient;
    const Target& target;
    int file;
    WallTime started;
    const queue::VerdictFilter& filter;
    bool frozen;
    ipc::DeliverReport& report;  // of all
    bool deferred = false;       // something of it must be tried again
    bool for_agent = false;      // mailbox_transport gets it too

    queue::MessageText text() const { return {file, request.body_offset, request.body_size}; }
    const std::string& delivered() const { return frozen ? recipient.address : target.address; }
    const std::string& original() const {
        return recipient.original.empty() ? recipient.address : recipient.original;
    }
    void add(ipc::RecipientReport entry) {
        if (entry.outcome == ipc::Outcome::defer) deferred = true;
        entry.index = recipient.index;
        queue::merge_report(report, std::move(entry));
    }
    void settle(const Verdict& verdict) {
        add(queue::report_delivery(request, recipient, "local", target.address, verdict, started,
                                   filter));
    }
};

void Runner::run(ipc::Channel& jobs) {
    std::size_t running = 0;
    for (;;) {
        while (running > 0 && waitpid(-1, nullptr, running < kMaxRunning ? WNOHANG : 0) > 0)
            --running;
        auto packet = jobs.receive_packet(Deadline::in(kRunnerIdleWait));
        if (!packet && packet.error().code == Errc::timeout) continue;
        if (!packet) break;
        auto forked = Processes::fork_once([&] { serve(std::move(*packet)); });
        if (!forked) log::warning("", forked.error().what);  // its connection closes: a deferral
        if (forked) ++running;
    }
    while (running > 0 && waitpid(-1, nullptr, 0) > 0) --running;
}

void Runner::serve(ipc::Packet packet) {
    auto job = packet.as<RunnerJob>();
    if (!job || packet.descriptor_count() != 2 ||
        job->targets.size() != job->request.recipients.size()) {
        return log::warning("", job ? "runner job: malformed" : job.error().what);
    }
    const Fd file = packet.take_descriptor(0);
    ipc::Channel connection(packet.take_descriptor(1));
    const auto report = perform(*job, file.get());
    if (auto sent = connection.send(report, Deadline::in(kSendWait)); !sent)
        log::warning(job->request.queue_id.str(), cat({"report to qmgr: ", sent.error().what}));
}

ipc::DeliverReport Runner::perform(const RunnerJob& job, int file) {
    ipc::DeliverReport report = job.decided;
    for (std::size_t i = 0; i < job.request.recipients.size(); ++i) {
        Delivery delivery{job.request,
                          job.request.recipients[i],
                          job.targets[i],
                          file,
                          SystemClock::instance().now(),
                          options_.status_filter,
                          options_.frozen_delivered_to,
                          report};
        auto seen =
            was_delivered(fs_, delivery.text(), delivery.target.address, delivery.delivered());
        if (!seen) {
            delivery.settle(Verdict::defer("4.3.0", seen.error().what));
        } else if (*seen) {
            delivery.settle(Verdict::reject(
                "5.4.6", cat({"mail forwarding loop for ", delivery.target.address})));
        } else if (!job.orders.empty()) {
            std::vector<Destination> destinations;
            for (const auto& order : job.orders) {
                const bool command = order.text.starts_with('|');
                destinations.push_back(
                    {command ? Destination::Kind::command : Destination::Kind::file,
                     command ? std::string(trim(std::string_view(order.text).substr(1)))
                             : order.text,
                     order.origin});
            }
            follow(delivery, destinations, job.forwards);
        } else {
            for_user(delivery);
        }
        if (!delivery.for_agent) continue;
        delivery.add(queue::report_entry(delivery.recipient.index, Verdict::accept()));
        for (auto& entry : report.recipients) {
            if (entry.index == delivery.recipient.index) entry.remote_mta = Target::kForAgent;
        }
    }
    return report;
}

void Runner::for_user(Delivery& delivery) {
    const auto facts = facts_of(delivery.target, options_.delimiters);
    const auto path = existing_forward(
        fs_, forward_candidates(options_.forward_path, facts, options_.forward_filter));
    if (!path) return to_own_mailbox(delivery);
    const OwnNames own{
        facts.user, facts.local, {facts.domain, options_.myhostname}, options_.myorigin};
    auto destinations = read_forward(fs_, *path, own);
    if (!destinations) {
        log::warning(delivery.request.queue_id.str(),
                     cat({"file ", *path, ": ", destinations.error().what}));
        return delivery.settle(
            Verdict::defer("4.3.0", cat({"cannot read forwarding file ", *path})));
    }
    if (destinations->empty()) return to_own_mailbox(delivery);
    log::story(delivery.request.queue_id.str(),
               cat({"to=<", delivery.recipient.address, ">: follows ", *path}),
               {log::kv("rule", *path)});
    follow(delivery, *destinations, {});
}

// Forwarding comes last: it cannot be taken back, and what is deferred will be done again from the
// start.
void Runner::follow(Delivery& delivery, const std::vector<Destination>& destinations,
                    const std::vector<std::string>& forwards) {
    using Kind = Destination::Kind;
    std::vector<std::string> addresses = forwards;
    for (const auto& one : destinations) {
        switch (one.kind) {
            case Kind::address: addresses.push_back(one.text); break;
            case Kind::own_mailbox: to_own_mailbox(delivery); break;
            case Kind::command:
                delivery.settle(allows(options_.commands_from, one.origin)
                                    ? to_command(delivery, one.text)
                                    : Verdict::reject("5.7.1", "mail to command is restricted"));
                break;
            case Kind::file:
                delivery.settle(allows(options_.files_from, one.origin)
                                    ? to_file(delivery, one.text)
                                    : Verdict::reject("5.7.1", "mail to file is restricted"));
                break;
        }
    }
    if (!addresses.empty() && !delivery.deferred) forward(delivery, std::move(addresses));
}

Verdict Runner::to_command(const Delivery& delivery, const std::string& line) {
    const auto& request = delivery.request;
    const auto facts = facts_of(delivery.target, options_.delimiters);
    sys::Command command;
    command.argv = sys::command_words(line, options_.shell);
    command.environment = sys::exported_environment(options_.environment);
    for (auto& one :
         command_environment(facts, request, delivery.recipient, options_.command_filter))
        command.environment.push_back(std::move(one));
    command.time_limit = options_.time_limit;
    if (!options_.directory.empty()) {
        auto directory = expand_facts(options_.directory, facts, options_.directory_filter);
        if (!directory)
            return Verdict::defer("4.3.5",
                                  "command_execution_directory: a name in it has no value");
        command.directory = std::move(*directory);
    }
    const std::string head =
        queue::from_line(request.sender, delivery.started) + "\n" +
        queue::mailbox_headers(request.sender,
                               options_.original_recipient_header ? delivery.original() : "",
                               options_.delivered_for_command ? delivery.delivered() : "");
    const auto result =
        sys::run_command(command, [&](const sys::WriteInput& write) -> Result<void> {
            TRY(write(head));
            return queue::copy_with_lf(fs_, delivery.text(), write);
        });
    return queue::command_verdict(result, line, cat({"delivered to command: ", line}));
}

Verdict Runner::to_file(const Delivery& delivery, const std::string& path) {
    MailboxText text{delivery.request.sender,
                     options_.original_recipient_header ? delivery.original() : "",
                     options_.delivered_for_file ? delivery.delivered() : "", delivery.text()};
    if (path.ends_with('/')) {
        const mailbox::Delivery one[] = {maildir_delivery(
            fs_, path, text, delivery.request, delivery.target.address, options_.myhostname)};
        const auto result = mailbox::deliver(fs_, one);
        if (!result.front())
            return mailbox_failure(result.front().error(), "maildir delivery failed: ", false);
        if (const auto size = mailbox::message_size(fs_, path + *result.front()))
            mailbox::count_by_path(fs_, SystemClock::instance(), path, *size);
        return Verdict::accept("2.0.0", "delivered to maildir");
    }
    auto done = append_message(fs_, path, options_.file_rules, text, delivery.started);
    if (done) return Verdict::accept("2.0.0", cat({"delivered to file: ", path}));
    return mailbox_failure(done.error(), cat({"cannot append message to file ", path, ": "}), true);
}

// Passes the rest on to a process that has the right to it, and waits for its report.
void Runner::ask(Delivery& delivery, ipc::Channel& worker, const auto& message) {
    auto report = [&]() -> Result<ipc::DeliverReport> {
        TRY_ASSIGN(auto pair, sys::packet_pair());
        ipc::Channel answer(std::move(pair.first));
        const int descriptors[] = {delivery.file, pair.second.get()};
        TRY(worker.send(message, Deadline::in(kSendWait), {}, descriptors));
        pair.second.reset();
        return answer.receive<ipc::DeliverReport>(Deadline::in(kReportWait));
    }();
    if (report && report->recipients.size() == 1)
        return delivery.add(std::move(report->recipients.front()));
    if (!report) log::warning(delivery.request.queue_id.str(), report.error().what);
    delivery.settle(Verdict::defer("4.3.0", "delivery process failed"));
}

void Runner::to_own_mailbox(Delivery& delivery) {
    if (!delivery.target.transport.empty()) {
        delivery.for_agent = true;
        return;
    }
    if (!delivery.target.command.empty())
        return delivery.settle(to_command(delivery, delivery.target.command));
    if (mailboxes_ == nullptr) return delivery.settle(Verdict::defer("4.3.0", "no mailbox"));
    MailboxJob job;
    job.request = delivery.request;
    job.request.recipients = {delivery.recipient};
    job.targets = {delivery.target};
    job.final = true;
    ask(delivery, *mailboxes_, job);
}

void Runner::forward(Delivery& delivery, std::vector<std::string> addresses) {
    ForwardJob job{delivery.request, std::move(addresses)};
    job.request.recipients = {delivery.recipient};
    auto& recipient = job.request.recipients.front();
    recipient.original = delivery.original();
    recipient.address = delivery.target.address;
    job.delivered = delivery.delivered();
    ask(delivery, forwarding_, job);
}

}  // namespace postern::local
