// postqueue (also installed as mailq): lists the queue and asks qmgr to deliver now. Set-gid: it
// may talk to the sockets in public/, and to nothing else.
#include <sysexits.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/ipc/call_again.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/queue.h"
#include "lib/log/log.h"
#include "lib/queue/lister.h"
#include "lib/sys/fs.h"
#include "lib/sys/users.h"

#include "commands/queue_listing.h"
#include "commands/user_access.h"

namespace postern::commands {
namespace {

using namespace std::chrono_literals;
using Form = QueueListing::Form;

struct Job {
    enum class What : unsigned char {
        none,
        list,
        list_json,
        flush,
        flush_id,
        flush_site
    } what = What::none;
    std::string argument;
    std::optional<std::string> directory;
};

// A failure and its exit status.
int fatal(int status, std::string_view text) {
    log::fatal("", text);
    return status;
}

int usage() {
    return fatal(EX_UNAVAILABLE,
                 "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | "
                 "postqueue -s site");
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

bool may_read_queue() {
    return ::getuid() == 0 || (::getuid() == ::geteuid() && ::access("incoming", R_OK) == 0);
}

int list_directly(Form form) {
    log::warning("", "Mail system is down -- accessing queue directly");
    QueueListing listing(form);
    queue::Lister lister(sys::RealFs::instance());
    ipc::QueueListEnd end = lister.list([&](const ipc::QueueListEntry& entry) {
        print(listing.entry(entry));
        return true;
    });
    print(listing.end(end));
    return EX_OK;
}

Result<void> list_from(ipc::Channel& channel, Form form) {
    QueueListing listing(form);
    TRY(channel.send(ipc::QueueListRequest{}, Deadline::in(10s)));
    for (;;) {
        TRY_ASSIGN(ipc::Packet packet, channel.receive_packet(Deadline::in(100s)));
        if (packet.type() == ipc::Type::queue_list_end) {
            TRY_ASSIGN(ipc::QueueListEnd end, packet.as<ipc::QueueListEnd>());
            print(listing.end(end));
            return {};
        }
        TRY_ASSIGN(ipc::QueueListEntry entry, packet.as<ipc::QueueListEntry>());
        print(listing.entry(entry));
    }
}

int list(Form form, const config::Config& config) {
    auto channel = ipc::Channel::connect(cat({"public/", config.get(param::showq_service_name)}),
                                         Deadline::in(10s));
    if (!channel) {
        if (may_read_queue()) return list_directly(form);
        return fatal(EX_UNAVAILABLE, "Queue report unavailable - mail system is down");
    }
    auto done = list_from(*channel, form);
    if (!done) return fatal(EX_IOERR, cat({"Queue report unavailable: ", done.error().what}));
    return EX_OK;
}

int order(const ipc::QueueControl& request, const config::Config& config) {
    std::string qmgr = cat({"public/", config.get(param::queue_service_name)});
    auto answer = ipc::call_again<ipc::QueueControlAnswer>(qmgr, request, Deadline::in(60s));
    if (!answer) {
        log::debug("", answer.error().what);
        return fatal(EX_UNAVAILABLE, "Cannot flush mail queue - mail system is down");
    }
    if (answer->not_served) return fatal(EX_UNAVAILABLE, answer->text);
    if (!answer->ok) log::warning("", cat({"Cannot flush mail queue - ", answer->text}));
    return answer->ok ? EX_OK : EX_UNAVAILABLE;
}

int flush(const Job& job, const config::Config& config) {
    ipc::QueueControl request;
    request.operation = ipc::QueueOperation::flush_all;
    if (job.what == Job::What::flush_site) {
        bool valid = !job.argument.empty() && !job.argument.starts_with('.') &&
                     job.argument.size() <= ipc::kMaxName &&
                     job.argument.find_first_of(" \t@/") == std::string::npos;
        if (!valid)
            return fatal(EX_UNAVAILABLE, cat({"Cannot flush mail queue - invalid destination: \"",
                                              job.argument, "\""}));
        request.operation = ipc::QueueOperation::flush_site;
        request.site = job.argument;
    }
    if (job.what == Job::What::flush_id) {
        auto id = QueueId::parse(job.argument);
        if (!id)
            return fatal(EX_UNAVAILABLE,
                         cat({"Cannot flush queue ID - invalid name: \"", job.argument, "\""}));
        request.operation = ipc::QueueOperation::flush_message;
        request.queue_id = *id;
    }
    return order(request, config);
}

std::optional<Job> parse(int argc, char** argv) {
    Job job;
    std::string_view name = argv[0];
    name.remove_prefix(name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/') + 1);
    if (name == "mailq") job.what = Job::What::list;
    auto choose = [&](Job::What what, const char* argument = "") {
        bool free = job.what == Job::What::none || (name == "mailq" && job.what == Job::What::list);
        job.what = what;
        job.argument = argument;
        return free;
    };
    for (int option = 0; (option = ::getopt(argc, argv, "c:fi:jps:v")) != -1;) {
        bool good = true;
        switch (option) {
            case 'c': job.directory = ::optarg; break;
            case 'f': good = choose(Job::What::flush); break;
            case 'i': good = choose(Job::What::flush_id, ::optarg); break;
            case 'j': good = choose(Job::What::list_json); break;
            case 'p': good = choose(Job::What::list); break;
            case 's': good = choose(Job::What::flush_site, ::optarg); break;
            case 'v': log::set_debug(true); break;
            default: good = false;
        }
        if (!good) return std::nullopt;
    }
    if (job.what == Job::What::none || ::optind < argc) return std::nullopt;
    return job;
}

int run(int argc, char** argv) {
    log::open_stderr({.tag = "postqueue"});
    auto job = parse(argc, argv);
    if (!job) return usage();
    auto directory = config::choose_directory(job->directory);
    if (!directory) return fatal(EX_UNAVAILABLE, directory.error().what);
    auto config = config::Config::load(*directory);
    if (!config) return fatal(EX_UNAVAILABLE, config.error().what);
    std::string queue_directory = config->get(param::queue_directory);
    if (::chdir(queue_directory.c_str()) != 0) {
        return fatal(EX_UNAVAILABLE, cat({"cannot enter queue directory ", queue_directory}));
    }
    bool listing = job->what == Job::What::list || job->what == Job::What::list_json;
    const bool privileged = ::getuid() == 0;
    auto allowed =
        is_authorized(config->text(listing ? "authorized_mailq_users" : "authorized_flush_users"));
    if (!privileged && !allowed) return fatal(EX_TEMPFAIL, allowed.error().what);
    if (!privileged && !*allowed) {
        return fatal(EX_NOPERM, listing ? "User is not allowed to view the mail queue"
                                        : "User is not allowed to flush the mail queue");
    }
    if (listing)
        return list(job->what == Job::What::list_json ? Form::json : Form::traditional, *config);
    return flush(*job, *config);
}

}  // namespace
}  // namespace postern::commands

int main(int argc, char** argv) { return postern::commands::run(argc, argv); }
