#include "local/dispatcher.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <variant>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/agent_report.h"
#include "lib/service/service.h"
#include "lib/sys/sandbox.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"

#include "local/dispatch_work.h"
#include "local/forward_worker.h"
#include "local/intention.h"
#include "local/mailbox_worker.h"
#include "local/planner.h"
#include "local/runner.h"

namespace postern::local {
namespace {

constexpr Millis kRequestWait{10'000};    // for qmgr's request, which it sends at once
constexpr Millis kPlanWait{60'000};       // tables may be slow, or locked by postmap
constexpr Millis kHandOverWait{10'000};   // for room in a worker's queue
constexpr Millis kWorkersWait{3600'000};  // in the process that joins their reports

constexpr std::string_view kRelays[] = {"local", "virtual"};

bool is_service_name(std::string_view name) {
    return !name.empty() && name.front() != '.' &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

// The request for one recipient as it goes to "transport:nexthop". Nothing when that is no name of
// an agent.
std::optional<ipc::DeliverRequest> agent_request(const ipc::DeliverRequest& request,
                                                 const ipc::DeliverRecipient& recipient,
                                                 const std::string& address,
                                                 std::string_view transport) {
    const auto parts = split_once(transport, ':');
    auto passed = request;
    passed.service = parts ? parts->first : transport;
    if (parts && !parts->second.empty()) passed.next_hop = parts->second;
    if (!is_service_name(passed.service) || passed.service == request.service) return std::nullopt;
    passed.recipients = {recipient};
    passed.recipients[0].original =
        recipient.original.empty() ? recipient.address : recipient.original;
    passed.recipients[0].address = address;
    return passed;
}

}  // namespace

Dispatcher::Dispatcher(Options options, service::Identity mail_owner, Sockets sockets)
    : options_(std::move(options)),
      mail_owner_(std::move(mail_owner)),
      sockets_(std::move(sockets)),
      accounts_(options_, sockets_.auth) {}

void Dispatcher::serve(ipc::Channel& connection) {
    processes_.reap();
    if (auto done = handle(connection); !done) log::warning("", done.error().what);
}

Result<void> Dispatcher::handle(ipc::Channel& connection) {
    TRY_ASSIGN(ipc::Packet packet, connection.receive_packet(Deadline::in(kRequestWait)));
    if (packet.type() == ipc::QuotaQuestion::kType) {
        TRY_ASSIGN(const auto question, packet.as<ipc::QuotaQuestion>());
        return answer_quota(question, connection);
    }
    if (sockets_.asks_only) {
        TRY_ASSIGN(const auto peer, sys::peer_credentials(connection.fd()));
        if (peer.uid == *sockets_.asks_only)
            return Error{Errc::denied, "delivery request from somebody who may only ask"};
    }
    if (packet.descriptor_count() != 1)
        return Error{Errc::invalid, "delivery request: the queue file is missing"};
    TRY_ASSIGN(const auto request, packet.as<ipc::DeliverRequest>());
    const Fd file = packet.take_descriptor();
    Work work;
    work.started = SystemClock::instance().now();
    plan(request, work);
    if (work.jobs.size() == 1 && work.decided.recipients.empty() && !work.needs_agents()) {
        return hand_over(work, 0, file.get(), connection.fd());
    }
    if (work.jobs.empty()) return connection.send(work.decided, Deadline::in(kRequestWait));
    join(work, file.get(), connection);
    return {};
}

void Dispatcher::plan(const ipc::DeliverRequest& request, Work& work) {
    for (const auto& recipient : request.recipients) plan_one(request, recipient, work);
}

Verdict Dispatcher::place_one(const ipc::DeliverRequest& request,
                              const ipc::DeliverRecipient& recipient, Work& work) {
    auto plan = ask_planner(recipient.address);
    if (!plan) {
        log::warning(request.queue_id.str(), plan.error().what);
        return Verdict::defer("4.3.0", "alias database unavailable");
    }
    tell_expansion(request, recipient, *plan);
    switch (plan->kind) {
        case PlanKind::refuse: return Verdict::reject(plan->status, plan->text);
        case PlanKind::defer: return Verdict::defer(plan->status, plan->text);
        case PlanKind::mailbox: return to_mailbox(work, request, recipient, *plan);
        case PlanKind::user: return to_user(work, request, recipient, *plan);
        case PlanKind::forward: break;
    }
    // All is looked up before any of it is promised: what is tried again has no job now, or the
    // next attempt would double its mail.
    Work others;
    if (auto verdict = to_others(others, request, recipient, *plan); !verdict.accepted())
        return verdict;
    Verdict verdict =
        plan->user.empty() ? Verdict::accept() : to_user(work, request, recipient, *plan);
    if (verdict.deferred()) return verdict;
    // They shall not suffer from a mailbox that does not exist.
    std::move(others.jobs.begin(), others.jobs.end(), std::back_inserter(work.jobs));
    return verdict;
}

void Dispatcher::plan_one(const ipc::DeliverRequest& request,
                          const ipc::DeliverRecipient& recipient, Work& work) {
    if (request.probe) return probe_one(request, recipient, work);
    const Verdict verdict = place_one(request, recipient, work);
    if (verdict.accepted()) return;
    work.decided.recipients.push_back(
        queue::report_delivery(request, recipient, kRelays[options_.is_virtual ? 1 : 0], {},
                               verdict, work.started, options_.status_filter));
}

// A probe: places are looked for, and nothing is done there. Another agent says for itself.
void Dispatcher::probe_one(const ipc::DeliverRequest& request,
                           const ipc::DeliverRecipient& recipient, Work& work) {
    Work imagined;
    imagined.started = work.started;
    Verdict verdict = place_one(request, recipient, imagined);
    if (verdict.accepted()) {
        std::vector<std::string> texts;
        for (auto& one : imagined.jobs) {
            std::optional<ipc::DeliverRequest> passed;
            if (auto* agent = std::get_if<AgentJob>(&one.job)) passed = std::move(agent->request);
            const auto* runner = std::get_if<RunnerJob>(&one.job);
            if (runner != nullptr && !runner->targets.front().transport.empty())
                passed = agent_request(request, recipient, runner->targets.front().address,
                                       runner->targets.front().transport);
            if (passed) {
                work.jobs.push_back({{}, AgentJob{std::move(*passed)}});
                return;
            }
            std::visit([&](const auto& job) { texts.push_back(intention(job)); }, one.job);
        }
        verdict =
            Verdict::accept("2.0.0", printable(postern::join(texts, ", "), ipc::kMaxReportText));
    }
    work.decided.recipients.push_back(
        queue::report_delivery(request, recipient, kRelays[options_.is_virtual ? 1 : 0], {},
                               verdict, work.started, options_.status_filter));
}

Verdict Dispatcher::to_user(Work& work, const ipc::DeliverRequest& request,
                            const ipc::DeliverRecipient& recipient, const Plan& plan) {
    auto account = accounts_.find(plan.user);
    if (account.not_found()) return to_nobody(work, request, recipient, plan);
    if (account.failed()) return Verdict::defer("4.3.0", account.error().what);
    if (!plan.transport.empty()) return by_transport(work, request, recipient, plan, *account);
    if (!plan.command.empty() && account->is_system) account->command = plan.command;
    add_mailbox(work, request, recipient, account->place,
                {account->mailbox,
                 plan.address,
                 account->user,
                 account->home,
                 account->shell,
                 account->command,
                 {},
                 account->quota_rule},
                plan.owner.empty() || request.sender.empty() ? request.sender : plan.owner);
    return Verdict::accept();
}

// A name that no user has.
Verdict Dispatcher::to_nobody(Work& work, const ipc::DeliverRequest& request,
                              const ipc::DeliverRecipient& recipient, const Plan& plan) {
    if (!plan.fallback.empty()) {
        auto passed = agent_request(request, recipient, plan.address, plan.fallback);
        if (!passed) return bad_transport(request, plan.fallback);
        work.jobs.push_back({{}, AgentJob{std::move(*passed)}});
        return Verdict::accept();
    }
    if (plan.luser.empty())
        return Verdict::reject("5.1.1", cat({"unknown user: \"", plan.user, "\""}));
    ForwardJob job{request, {plan.luser}};
    job.request.recipients = {recipient};
    work.jobs.push_back({{}, std::move(job)});
    return Verdict::accept();
}

// mailbox_transport: the user's runner looks for a .forward file first.
Verdict Dispatcher::by_transport(Work& work, const ipc::DeliverRequest& request,
                                 const ipc::DeliverRecipient& recipient, const Plan& plan,
                                 const Account& account) {
    if (!agent_request(request, recipient, plan.address, plan.transport))
        return bad_transport(request, plan.transport);
    Target target{{}, plan.address, account.user, account.home, account.shell, {}, plan.transport};
    RunnerJob job{request, {std::move(target)}, {}, {}, {}};
    job.request.recipients = {recipient};
    if (!plan.owner.empty() && !request.sender.empty()) job.request.sender = plan.owner;
    Place place = account.place;
    place.folder = "agent";  // a runner alone, without a mailbox worker
    work.jobs.push_back({std::move(place), std::move(job)});
    return Verdict::accept();
}

Verdict Dispatcher::bad_transport(const ipc::DeliverRequest& request, std::string_view transport) {
    log::warning(request.queue_id.str(),
                 cat({"bad transport \"", printable(transport), "\" for local users"}));
    return Verdict::defer("4.3.5", "mail system configuration error");
}

// Addresses go to the forwarding worker; orders to a runner of each owner, the first of which sees
// to the addresses too, when its orders are done. `work` has no other jobs.
Verdict Dispatcher::to_others(Work& work, const ipc::DeliverRequest& request,
                              const ipc::DeliverRecipient& recipient, const Plan& plan) {
    auto narrowed = request;
    narrowed.recipients = {recipient};
    if (!plan.owner.empty() && !request.sender.empty()) {
        // RFC 3461 5.2.7.1: from here on it is the list's mail; what its sender asked for is ours
        // alone.
        narrowed.sender = plan.owner;
        narrowed.envid.clear();
        narrowed.ret = ipc::DsnReturn::unset;
        narrowed.recipients[0].notify = 0;
        narrowed.recipients[0].orcpt.clear();
    }
    if (plan.orders.empty()) {
        work.jobs.push_back({{}, ForwardJob{std::move(narrowed), plan.forwards}});
        return Verdict::accept();
    }
    for (const auto& order : plan.orders) {
        auto place = rights_of(order);
        if (!place) {
            log::warning(request.queue_id.str(), place.error().what);
            return Verdict::defer("4.3.5", "mail system configuration error");
        }
        const auto same = std::find_if(work.jobs.begin(), work.jobs.end(), [&](const auto& one) {
            return one.place.name() == place->name();
        });
        if (same != work.jobs.end()) {
            std::get<RunnerJob>(same->job).orders.push_back(order);
            continue;
        }
        Target target;
        target.address = plan.address;
        RunnerJob job{narrowed, {std::move(target)}, {order}, {}, {}};
        if (work.jobs.empty()) job.forwards = plan.forwards;
        work.jobs.push_back({std::move(*place), std::move(job)});
    }
    return Verdict::accept();
}

// Whoever may write the alias or include file may have commands run with his rights; what nobody or
// root owns runs as default_privs. The planner, which is less trusted than we are, tells an include
// file's owner, and is believed only where the administrator allows orders in such files.
Result<Place> Dispatcher::rights_of(const Order& order) const {
    const auto& runner = options_.runner;
    const auto includes = [](const std::vector<Origin>& from) {
        return std::find(from.begin(), from.end(), Origin::include) != from.end();
    };
    uid_t owner = 0;
    if (order.origin == Origin::include) {
        if (includes(runner.commands_from) || includes(runner.files_from)) owner = order.owner;
    } else if (order.table < options_.alias_files.size()) {
        struct stat st {};
        const auto& file = options_.alias_files[order.table];
        if (!file.empty() && stat(file.c_str(), &st) == 0) owner = st.st_uid;
    }
    auto user = owner == 0 ? sys::find_user(options_.default_privs) : sys::find_user(owner);
    if (user.failed()) return std::move(user).error();
    if (user.not_found()) {
        return Error{Errc::not_found,
                     owner == 0
                         ? cat({"default_privs: user ", options_.default_privs, " does not exist"})
                         : cat({"alias file: uid ", std::to_string(owner), " does not exist"})};
    }
    if (user->uid == 0 || user->uid == mail_owner_.uid) {
        if (sys::is_root())
            return Error{Errc::denied, cat({"commands of aliases may not run as ", user->name,
                                            ": see default_privs"})};
    }
    Place place{user->name, user->uid, user->gid, user->gid, "orders", {}};
    if (!sys::is_root()) place = {"", geteuid(), getegid(), getegid(), "orders", {}};
    return place;
}

// The numbers come from the planner, which is less trusted than we are: they are checked again
// here.
Verdict Dispatcher::to_mailbox(Work& work, const ipc::DeliverRequest& request,
                               const ipc::DeliverRecipient& recipient, const Plan& plan) {
    const auto misconfigured = [&](std::string_view why) {
        log::warning(request.queue_id.str(), cat({"recipient ", recipient.address, ": ", why}));
        return Verdict::defer("4.3.5", "mail system configuration error");
    };
    Place place{"", plan.uid, plan.gid, plan.gid, options_.virtual_mailbox_base, {}};
    if (place.uid < std::max(options_.virtual_minimum_uid, 1u) || place.gid == 0)
        return misconfigured("uid or gid too small");
    if (!place.folder.starts_with('/')) return misconfigured("virtual_mailbox_base is not set");
    if (plan.path.empty()) return misconfigured("empty mailbox path");
    for (const auto part : split(plan.path, '/')) {
        if (part == "..") return misconfigured("mailbox path with ..");
    }
    if (!sys::is_root()) {
        place.uid = geteuid();
        place.gid = getegid();
    }
    Target target;
    target.mailbox = cat({place.folder, "/", plan.path});
    target.address = plan.address;
    target.quota_rule = options_.quota_rule;
    add_mailbox(work, request, recipient, place, std::move(target), request.sender);
    return Verdict::accept();
}

// Recipients of one place and sender share a job.
void Dispatcher::add_mailbox(Work& work, const ipc::DeliverRequest& request,
                             const ipc::DeliverRecipient& recipient, const Place& place,
                             Target target, const std::string& sender) {
    const std::string name = place.name();
    for (auto& one : work.jobs) {
        auto* job = std::get_if<MailboxJob>(&one.job);
        if (job == nullptr || one.place.name() != name || job->request.sender != sender) continue;
        job->request.recipients.push_back(recipient);
        job->targets.push_back(std::move(target));
        return;
    }
    MailboxJob job;
    job.request = request;
    job.request.sender = sender;
    job.request.recipients = {recipient};
    job.targets = {std::move(target)};
    work.jobs.push_back({place, std::move(job)});
}

void Dispatcher::become_mail_owner() const {
    if (auto done = sys::become_user(mail_owner_.uid, mail_owner_.gid, mail_owner_.name); !done) {
        log::error("", done.error().what);
        _exit(1);
    }
}

Result<Plan> Dispatcher::ask_planner(const std::string& address) {
    const auto body = [this](ipc::Channel& parent, std::vector<Fd>&) {
        become_mail_owner();
        using sys::Promise;
        const auto promises = Promise::stdio | Promise::read_files;
        auto restricted = sys::restrict(promises, {{"/", sys::PathRule::Access::read}});
        if (!restricted) return log::error("", restricted.error().what);
        Planner planner(options_);
        for (;;) {
            auto request = parent.receive<PlanRequest>(Deadline::in(kWorkersWait));
            if (!request && request.error().code == Errc::timeout) continue;
            if (!request || !parent.send(planner.plan(request->address), Deadline::in(kPlanWait)))
                return;
        }
    };
    // A planner that died (of a damaged table, say) is replaced once.
    for (int attempt = 0;; ++attempt) {
        const auto deadline = Deadline::in(kPlanWait);
        TRY_ASSIGN(ipc::Channel * planner, processes_.get("planner", body));
        auto answer = [&]() -> Result<Plan> {
            TRY(planner->send(PlanRequest{address}, deadline));
            return planner->receive<Plan>(deadline);
        }();
        if (answer) return answer;
        processes_.forget("planner");
        if (attempt > 0 || answer.error().code == Errc::timeout) return answer;
    }
}

// The runner is a process beside the mailbox worker: it may do all that its user may, the worker
// only write to the mailbox. It is made first, while we can still become somebody else.
Processes::Body Dispatcher::mailbox_body(const Place& place) {
    return [this, place](ipc::Channel& parent, std::vector<Fd>& inherited) {
        std::optional<ipc::Channel> runner;
        if (!inherited.empty()) {
            auto pair = sys::packet_pair();
            if (!pair) return log::error("", pair.error().what);
            auto forked = Processes::fork_once([&] {
                auto kept = keep_only({pair->second.get(), inherited.front().get()});
                run_as(place, std::move(kept[0]), std::move(kept[1]), true);
            });
            if (!forked) return log::error("", forked.error().what);
            inherited.clear();
            runner.emplace(std::move(pair->first));
            pair->second.reset();
        }
        if (auto done = take_place(place); !done) return log::error("", done.error().what);
        MailboxOptions options;
        options.relay = kRelays[options_.is_virtual ? 1 : 0];
        options.myhostname = options_.myhostname;
        options.original_recipient_header = options_.original_recipient_header;
        options.check_loops = !options_.is_virtual;
        options.frozen_delivered_to = options_.runner.frozen_delivered_to;
        options.size_limit = options_.mailbox_size_limit;
        options.mbox_rules = options_.mbox_rules;
        options.quota_defers = options_.quota_defers;
        options.quota_warnings = options_.quota_warnings;
        options.delimiters = options_.recipient_delimiter;
        options.forward_path = options_.runner.forward_path;
        options.forward_filter = options_.runner.forward_filter;
        options.status_filter = options_.status_filter;
        MailboxWorker(sys::RealFs::instance(), std::move(options), runner ? &*runner : nullptr)
            .run(parent);
    };
}

void Dispatcher::run_as(const Place& place, Fd jobs, Fd forwarding, bool has_mailboxes) const {
    if (auto done = sys::become_user(place.uid, place.own_gid, place.user); !done) {
        return log::error("", done.error().what);
    }
    ipc::Channel from(std::move(jobs)), to(std::move(forwarding));
    Runner(sys::RealFs::instance(), options_.runner, to, has_mailboxes ? &from : nullptr).run(from);
}

Processes::Body Dispatcher::runner_body(const Place& place) {
    return [this, place](ipc::Channel& parent, std::vector<Fd>& inherited) {
        if (inherited.empty()) return;
        run_as(place, parent.release(), std::move(inherited.front()), false);
    };
}

Processes::Body Dispatcher::forward_body() {
    return [this](ipc::Channel& parent, std::vector<Fd>&) {
        become_mail_owner();
        using sys::Promise;
        auto restricted = sys::restrict(Promise::stdio | Promise::unix_sockets, {});
        if (!restricted) return log::error("", restricted.error().what);
        ForwardWorker(sys::RealFs::instance(), sockets_.cleanup, options_.status_filter)
            .run(parent);
    };
}

// The process that a job is for. Runners get a way to the forwarding worker.
Result<ipc::Channel*> Dispatcher::worker_for(const Work& work, std::size_t index) {
    const auto& [place, job] = work.jobs[index];
    if (options_.is_virtual) return processes_.get(place.name(), mailbox_body(place));
    TRY_ASSIGN(ipc::Channel * forwarding, processes_.get("forward", forward_body()));
    if (std::holds_alternative<ForwardJob>(job)) return forwarding;
    const bool to_mailbox = std::holds_alternative<MailboxJob>(job);
    return processes_.get(place.name(), to_mailbox ? mailbox_body(place) : runner_body(place),
                          {forwarding->fd()});
}

Result<void> Dispatcher::hand_over(Work& work, std::size_t index, int file, int connection) {
    auto& [place, job] = work.jobs[index];
    const std::string name = std::holds_alternative<ForwardJob>(job) ? "forward" : place.name();
    const int descriptors[] = {file, connection};
    for (int attempt = 0;; ++attempt) {
        TRY_ASSIGN(ipc::Channel * worker, worker_for(work, index));
        auto sent = std::visit(
            [&](const auto& message) -> Result<void> {
                if constexpr (ipc::Record<std::decay_t<decltype(message)>>) {
                    return worker->send(message, Deadline::in(kHandOverWait), {}, descriptors);
                } else {
                    return Error{Errc::invalid, "delivery job: not for a worker of ours"};
                }
            },
            job);
        if (sent) return sent;
        if (sent.error().code == Errc::timeout || sent.error().code == Errc::invalid || attempt > 0)
            return sent;
        processes_.forget(name);  // it died: a new one, once
    }
}

// One recipient of a job's report. Where the runner says so the mail is for mailbox_transport as
// well; not yet, if some other part of it will be tried again.
void Dispatcher::take_entry(Work& work, std::size_t index, ipc::RecipientReport entry,
                            int file) const {
    const auto* job = std::get_if<RunnerJob>(&work.jobs[index].job);
    const bool for_agent = job != nullptr && entry.remote_mta == Target::kForAgent;
    if (for_agent) entry.remote_mta.clear();
    const bool now = for_agent && entry.outcome != ipc::Outcome::defer;
    queue::merge_report(work.decided, std::move(entry));
    if (!now) return;
    const auto& target = job->targets.front();
    const auto passed = agent_request(job->request, job->request.recipients.front(), target.address,
                                      target.transport);
    if (passed) call_agent(work, *passed, file);
}

// The agent answers as it does to qmgr. It logs the delivery too.
void Dispatcher::call_agent(Work& work, const ipc::DeliverRequest& request, int file) const {
    auto report = [&]() -> Result<ipc::DeliverReport> {
        const auto deadline = Deadline::in(kHandOverWait);
        TRY_ASSIGN(ipc::Channel channel,
                   ipc::Channel::connect(cat({sockets_.agents, "/", request.service}), deadline));
        const int descriptors[] = {file};
        TRY(channel.send(request, deadline, request.queue_id.str(), descriptors));
        return channel.receive<ipc::DeliverReport>(Deadline::in(kWorkersWait));
    }();
    // An accepting answer keeps what the agent says of it.
    if (report && report->recipients.size() == 1) {
        auto& entry = report->recipients.front();
        for (auto& one : work.decided.recipients) {
            if (one.index == entry.index && one.outcome == ipc::Outcome::accept)
                return void(one = std::move(entry));
        }
        return queue::merge_report(work.decided, std::move(entry));
    }
    if (!report) log::warning(request.queue_id.str(), report.error().what);
    const auto verdict =
        Verdict::defer("4.3.0", cat({"delivery agent ", request.service, " does not answer"}));
    queue::merge_report(work.decided,
                        queue::report_delivery(request, request.recipients.front(), request.service,
                                               {}, verdict, work.started, options_.status_filter));
}

void Dispatcher::defer_all(Work& work, std::size_t job) {
    const auto& request =
        std::visit([](const auto& one) -> const ipc::DeliverRequest& { return one.request; },
                   work.jobs[job].job);
    for (const auto& recipient : request.recipients) {
        queue::merge_report(
            work.decided, queue::report_entry(recipient.index,
                                              Verdict::defer("4.3.0", "delivery process failed")));
    }
}

// Several workers see to one request: a process of its own waits for all of them and answers for
// them.
void Dispatcher::join(Work& work, int file, ipc::Channel& connection) {
    struct Pending {
        std::size_t job;
        ipc::Channel report;
    };
    std::vector<Pending> pending;
    for (std::size_t i = 0; i < work.jobs.size(); ++i) {
        if (std::holds_alternative<AgentJob>(work.jobs[i].job)) continue;
        auto pair = sys::packet_pair();
        auto sent =
            pair ? hand_over(work, i, file, pair->second.get()) : Result<void>(pair.error());
        if (sent) {
            pending.push_back({i, ipc::Channel(std::move(pair->first))});
        } else {
            log::warning("", sent.error().what);
            defer_all(work, i);
        }
    }
    auto joined = Processes::fork_once([&] {
        // Other agents listen to root and qmgr only.
        if (!work.needs_agents()) become_mail_owner();
        if (!sys::restrict_early()) return;
        for (auto& one : pending) {
            auto answer = one.report.receive<ipc::DeliverReport>(Deadline::in(kWorkersWait));
            // A recipient may have several jobs: silence about one of them outweighs another's
            // success.
            if (!answer) defer_all(work, one.job);
            if (!answer) continue;
            for (auto& entry : answer->recipients)
                take_entry(work, one.job, std::move(entry), file);
        }
        for (const auto& one : work.jobs) {
            if (const auto* agent = std::get_if<AgentJob>(&one.job))
                call_agent(work, agent->request, file);
        }
        (void)connection.send(work.decided, Deadline::in(kRequestWait)).has_value();
    });
    if (!joined) log::warning("", joined.error().what);
}

}  // namespace postern::local
