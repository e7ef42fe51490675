#include "pipe/agent.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <tuple>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/queue/agent_report.h"
#include "lib/queue/command_verdict.h"
#include "lib/queue/message_text.h"
#include "lib/sys/command.h"
#include "lib/sys/error.h"
#include "lib/sys/users.h"

#include "pipe/expansion.h"

namespace postern::pipe {
namespace {

constexpr Millis kRequestWait{10'000};
constexpr Millis kAnswerWait{10'000};

Verdict misconfigured(const ipc::DeliverRequest& request, std::string_view why) {
    log::warning(request.queue_id.str(), why);
    return Verdict::defer("4.3.5", "mail system configuration error");
}

}  // namespace

void Agent::take_request(ipc::Channel& channel) {
    auto packet = channel.receive_packet(Deadline::in(kRequestWait));
    if (!packet) return;
    auto request = packet->as<ipc::DeliverRequest>();
    if (!request || packet->descriptor_count() != 1)
        return log::warning(
            "", request ? "delivery request: the queue file is missing" : request.error().what);
    const Fd file = packet->take_descriptor();
    const pid_t pid = fork();
    if (pid < 0) return log::warning("", sys::system_error("fork").what);
    if (pid == 0) {
        become_user_and_deliver(channel, *request, file.get());
        _exit(0);
    }
    // No report is a deferral: then the closing of the connection says so.
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFSIGNALED(status))
        log::warning(request->queue_id.str(),
                     cat({"process killed by signal ", std::to_string(WTERMSIG(status))}));
}

// In the child.
void Agent::become_user_and_deliver(ipc::Channel& channel, const ipc::DeliverRequest& request,
                                    int file) const {
    static_cast<void>(std::signal(SIGCHLD, SIG_DFL));
    const auto& root = options_.attributes.chroot;
    if (!root.empty() && (chroot(root.c_str()) != 0 || chdir("/") != 0))
        return log::warning(request.queue_id.str(), sys::system_error("chroot to " + root).what);
    if (auto done =
            sys::become_user(options_.uid, options_.gid, root.empty() ? options_.user_name : "");
        !done)
        return log::warning(request.queue_id.str(), done.error().what);
    const auto report = deliver(sys::RealFs::instance(), request, file);
    if (auto sent = channel.send(report, Deadline::in(kAnswerWait)); !sent)
        log::warning(request.queue_id.str(), cat({"report to qmgr: ", sent.error().what}));
}

ipc::DeliverReport Agent::deliver(sys::Fs& fs, const ipc::DeliverRequest& request, int file) const {
    const auto started = SystemClock::instance().now();
    const Verdict verdict = run(fs, request, file, started);
    ipc::DeliverReport report;
    for (const auto& recipient : request.recipients) {
        report.recipients.push_back(queue::report_delivery(
            request, recipient, options_.service, {}, verdict, started, options_.status_filter));
        if (verdict.accepted() && !options_.attributes.flags.final)
            report.recipients.back().action = ipc::DsnAction::relayed;
    }
    return report;
}

// The lines in front of the message.
std::string Agent::head(const ipc::DeliverRequest& request, WallTime started) const {
    const auto& [flags, eol] = std::tie(options_.attributes.flags, options_.attributes.eol);
    const auto& recipient = request.recipients.front();
    const std::string& sender =
        request.sender.empty() ? options_.attributes.null_sender : request.sender;
    const std::string& original =
        recipient.original.empty() ? recipient.address : recipient.original;
    std::string out;
    if (flags.from_line) out += queue::from_line(sender, started) + eol;
    if (flags.return_path) out += cat({"Return-Path: <", sender, ">", eol});
    if (flags.original) out += cat({"X-Original-To: ", original, eol});
    if (flags.delivered) out += cat({"Delivered-To: ", recipient.address, eol});
    return out;
}

Verdict Agent::run(sys::Fs& fs, const ipc::DeliverRequest& request, int file,
                   WallTime started) const {
    const auto& attributes = options_.attributes;
    const queue::MessageText text{file, request.body_offset, request.body_size};
    if (request.recipients.empty()) return Verdict::defer("4.3.0", "no recipients");
    if ((attributes.flags.delivered || attributes.flags.original) &&
        request.recipients.size() > 1) {
        return misconfigured(request, cat({"flags D and O of service ", options_.service, " need ",
                                           options_.service, "_destination_recipient_limit = 1"}));
    }
    if (attributes.size > 0 && request.body_size > attributes.size) {
        return Verdict::reject(
            "5.2.3",
            cat({"message size ", std::to_string(request.body_size), " exceeds size limit ",
                 std::to_string(attributes.size), " of service ", options_.service}));
    }
    if (attributes.flags.delivered) {
        const auto& address = request.recipients.front().address;
        const auto seen = queue::delivered_before(fs, text, address);
        if (!seen) return Verdict::defer("4.3.0", seen.error().what);
        if (*seen) return Verdict::reject("5.4.6", cat({"mail forwarding loop for ", address}));
    }
    auto argv = expand_argv(attributes, request, options_.delimiters);
    if (!argv)
        return misconfigured(request, cat({"service ", options_.service, ": ", argv.error().what}));
    if (request.probe)
        return Verdict::accept("2.0.0",
                               cat({"delivers to command: ", printable(argv->front(), 200)}));
    sys::Command command;
    command.argv = std::move(*argv);
    command.environment = sys::exported_environment(options_.environment);
    command.directory = attributes.directory;
    command.time_limit = options_.time_limit;
    const queue::LineStyle style{attributes.eol, attributes.flags.quote_from,
                                 attributes.flags.stuff_dots};
    const auto result =
        sys::run_command(command, [&](const sys::WriteInput& write) -> Result<void> {
            TRY(write(head(request, started)));
            TRY(queue::copy_lines(fs, text, style, write));
            return attributes.flags.blank_line ? write(attributes.eol) : Result<void>();
        });
    return queue::command_verdict(result, command.argv.front(),
                                  cat({"delivered via ", options_.service, " service"}));
}

}  // namespace postern::pipe
