// qshape: what the queue consists of, by domain and age. Reads the queue's files, like mailq when
// the system is down; disturbs nobody.
#include <getopt.h>
#include <sysexits.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <set>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/queue/directories.h"
#include "lib/queue/lister.h"
#include "lib/sys/fs.h"

#include "commands/queue_shape.h"
#include "commands/queue_why.h"

namespace postern::commands {
namespace {

struct Job {
    ShapeOptions shape;
    bool senders = false;
    bool why = false;
    std::set<std::string> queues;
    std::optional<std::string> directory;
};

constexpr std::string_view kUsage =
    "usage: qshape [-s] [-p] [-m min_subdomains] [-b bucket_count] [-t bucket_time] [-l] "
    "[-w terminal_width] [-c config_directory] [queue_name ...]\n"
    "       qshape --why [-c config_directory] [queue_name ...]";
constexpr std::uint64_t kMaxBuckets = 100, kMaxMinutes = 1'000'000, kMaxWidth = 1000;

Result<std::uint64_t> number(char option, const char* text, std::uint64_t most) {
    const auto value = parse_number<std::uint64_t>(text);
    if (value && *value >= 1 && *value <= most) return *value;
    return Error{Errc::invalid, cat({"option -", std::string(1, option), ": \"", printable(text),
                                     "\" is not a number from 1 to ", std::to_string(most)})};
}

Result<void> take_option(Job& job, char option, const char* argument) {
    const auto set = [&](auto& place, std::uint64_t most) -> Result<void> {
        TRY_ASSIGN(place, number(option, argument, most));
        return {};
    };
    std::uint64_t unused = 0;
    switch (option) {
        case 's': job.senders = true; return {};
        case 'y': job.why = true; return {};
        case 'p': job.shape.parents = true; return {};
        case 'l': job.shape.linear = true; return {};
        case 'c': job.directory = argument; return {};
        case 'm': return set(job.shape.min_subdomains, UINT32_MAX);
        case 'b': return set(job.shape.buckets, kMaxBuckets);
        case 't': return set(job.shape.first_minutes, kMaxMinutes);
        case 'w': return set(job.shape.width, kMaxWidth);
        case 'N':
        case 'n': return set(unused, UINT32_MAX);  // how to refresh a slow table; ours is quick
        default: return Error{Errc::invalid, std::string(kUsage)};
    }
}

Result<Job> parse(int argc, char** argv) {
    Job job;
    static const option kLong[] = {{"why", no_argument, nullptr, 'y'}, {nullptr, 0, nullptr, 0}};
    const char* letters = "spm:b:t:lw:N:n:c:";
    for (int option = 0; (option = ::getopt_long(argc, argv, letters, kLong, nullptr)) != -1;)
        TRY(take_option(job, static_cast<char>(option), optarg));
    static const std::set<std::string, std::less<>> known = {"maildrop", "incoming", "active",
                                                             "deferred", "hold"};
    for (const char* name : std::vector<const char*>(argv + optind, argv + argc)) {
        if (!known.contains(name))
            return Error{Errc::invalid, cat({"\"", printable(name),
                                             "\" is no queue: maildrop, incoming, active, "
                                             "deferred or hold"})};
        job.queues.insert(name);
    }
    if (job.queues.empty() && job.why) job.queues = {"incoming", "active", "deferred", "hold"};
    if (job.queues.empty()) job.queues = {"incoming", "active"};
    return job;
}

std::string_view domain_of(std::string_view address) {
    const auto at = address.rfind('@');
    if (address.empty()) return {};
    return at == std::string_view::npos ? "(no domain)" : address.substr(at + 1);
}

void count(const ipc::QueueListEntry& entry, const Job& job, WallTime now, bool continued,
           QueueShape& shape) {
    const auto age = std::chrono::duration_cast<Seconds>(now - entry.arrival).count();
    if (job.senders && !continued) shape.add(domain_of(entry.sender), age, 1);
    if (job.senders) return;
    for (const auto& recipient : entry.recipients) shape.add(domain_of(recipient.address), age, 1);
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// A message's next attempt is its file's time.
std::optional<WallTime> next_attempt_of(const ipc::QueueListEntry& entry) {
    if (entry.queue_name != "deferred") return std::nullopt;
    const auto info =
        sys::RealFs::instance().info(queue::path_of(queue::Directory::deferred, entry.queue_id));
    if (!info) return std::nullopt;
    return WallTime(Micros(info->mtime_ns / 1000));
}

void explain(const Job& job, const config::Config& config, WallTime now) {
    QueueWhy why({config.text("default_destination_concurrency_limit"),
                  config.text("default_destination_rate_delay")});
    queue::Lister(sys::RealFs::instance()).list([&](const ipc::QueueListEntry& entry) {
        if (!job.queues.contains(entry.queue_name)) return true;
        const auto next = next_attempt_of(entry);
        for (const auto& recipient : entry.recipients)
            why.add(domain_of(recipient.address), entry.queue_name, recipient.reason, next);
        return true;
    });
    print(why.text(now));
}

Result<void> run(const Job& job) {
    TRY_ASSIGN(const std::string directory, config::choose_directory(job.directory));
    TRY_ASSIGN(const config::Config config, config::Config::load(directory));
    const std::string queue = config.get(param::queue_directory);
    if (::chdir(queue.c_str()) != 0 || ::access("incoming", R_OK | X_OK) != 0)
        return Error{Errc::denied,
                     cat({queue, ": only root and the owner of the queue may look there"})};
    QueueShape shape(job.shape);
    bool continued = false;
    const WallTime now = SystemClock::instance().now();
    if (job.why) {
        explain(job, config, now);
        return {};
    }
    queue::Lister(sys::RealFs::instance()).list([&](const ipc::QueueListEntry& entry) {
        if (job.queues.contains(entry.queue_name)) count(entry, job, now, continued, shape);
        continued = entry.more;
        return true;
    });
    print(shape.table());
    return {};
}

int main_program(int argc, char** argv) {
    log::open_stderr({.tag = "qshape"});
    auto job = parse(argc, argv);
    if (!job) {
        log::fatal("", job.error().what);
        return EX_USAGE;
    }
    const auto done = run(*job);
    if (!done) log::fatal("", done.error().what);
    return done ? EX_OK : EX_UNAVAILABLE;
}

}  // namespace
}  // namespace postern::commands

int main(int argc, char** argv) { return postern::commands::main_program(argc, argv); }
