// postsuper: what only the superuser may do to the queue: delete, hold, release, requeue, expire,
// repair. While qmgr runs it does the work, because it may have the message in hand; otherwise we
// do.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/ipc/channel.h"
#include "lib/ipc/messages/queue.h"
#include "lib/log/log.h"
#include "lib/log/record.h"
#include "lib/queue/admin.h"
#include "lib/queue/directories.h"
#include "lib/queue/reader.h"
#include "lib/sys/error.h"
#include "lib/sys/fs.h"

#include "commands/requeue.h"
#include "commands/submission.h"

namespace postern::commands {
namespace {

using namespace std::chrono_literals;

constexpr auto kHoldPatience = 10s;  // for deliveries of a message that is to be requeued
constexpr auto kHoldPoll = 10ms;
// For messages in others' hands, all together: an agent lets go of one within moments, a qmgr that
// drains perhaps in an hour.
constexpr auto kUsePatience = 3s;

using queue::Change;
using queue::Directory;

struct Kind {
    char option;
    Change change;
    ipc::QueueOperation operation;
    std::string_view done;          // "ID: removed"
    std::string_view summary;       // "Deleted"
    std::vector<Directory> queues;  // that ALL stands for
};

const std::vector<Kind>& kinds() {
    using Operation = ipc::QueueOperation;
    static const std::vector<Directory> kAll{Directory::hold, Directory::incoming,
                                             Directory::active, Directory::deferred};
    static const std::vector<Directory> kMoving{Directory::incoming, Directory::active,
                                                Directory::deferred};
    static const std::vector<Kind> list{
        {'d', Change::remove, Operation::remove, "removed", "Deleted", kAll},
        {'h', Change::hold, Operation::hold, "placed on hold", "Placed on hold", kMoving},
        {'H',
         Change::release,
         Operation::release,
         "released from hold",
         "Released from hold",
         {Directory::hold}},
        {'r', Change::requeue, Operation::requeue, "requeued", "Requeued", kAll},
        {'e', Change::expire, Operation::expire, "expired", "Expired", kAll},
        {'f', Change::expire, Operation::expire, "expired", "Expired", kAll},
    };
    return list;
}

struct Order {
    const Kind* kind;
    std::string target;  // an id, ALL or -
};

struct Job {
    std::vector<Order> orders;
    bool structure = false;
    bool purge = false;
    std::vector<Directory> queues;  // named on the command line
    std::optional<std::string> directory;
};

// To standard error and to the log, as daemons write it.
void report(std::string_view id, std::string_view text) {
    log::info(id, text);
    std::string line = cat({"postsuper: ", id, id.empty() ? "" : ": ", text, "\n"});
    std::fwrite(line.data(), 1, line.size(), stderr);
}

int fatal(std::string_view text) {
    log::fatal("", text);
    std::string line = cat({"postsuper: fatal: ", text, "\n"});
    std::fwrite(line.data(), 1, line.size(), stderr);
    return EXIT_FAILURE;
}

void warn(std::string_view text) {
    log::warning("", text);
    std::string line = cat({"postsuper: warning: ", text, "\n"});
    std::fwrite(line.data(), 1, line.size(), stderr);
}

// What we make in the queue must be its owner's, as what cleanup and qmgr make: a file of root's
// would be closed to them.
Result<void> become_queue_owner(sys::Fs& fs) {
    if (::geteuid() != 0) return {};
    TRY_ASSIGN(const sys::FileInfo owner,
               fs.info(std::string(queue::name_of(Directory::incoming))));
    if (::setegid(owner.gid) != 0 || ::seteuid(owner.uid) != 0)
        return sys::system_error("change to the owner of the queue");
    return {};
}

// What we do to a message belongs to its story. The file is root's; another owner of the queue
// tells nobody, and qmgr, if it runs, tells what becomes of the message.
void keep_records(sys::Fs& fs) {
    auto file = fs.open(cat({log::kRecordsFolder, "/", log::kRecordsName}),
                        O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK);
    if (file) log::open_records(std::move(*file));
}

// Carries changes out: through qmgr while it answers, else on the files.
class Surgeon {
  public:
    Surgeon(sys::Fs& fs, const config::Config& config)
        : fs_(fs),
          pickup_(cat({"public/", config.get(param::pickup_service_name)})),
          qmgr_path_(cat({"public/", config.get(param::queue_service_name)})),
          sync_directory_(config.get(param::queue_sync_directory)) {
        call_qmgr();
    }
    ~Surgeon() {
        if (dropped_) notify_pickup(pickup_);
    }
    Surgeon(const Surgeon&) = delete;
    Surgeon& operator=(const Surgeon&) = delete;

    // Messages that were left as they are, as they are being delivered.
    std::size_t left() const { return left_; }

    Result<bool> change(const QueueId& id, const Kind& kind, bool release_too) {
        if (kind.change == Change::requeue) return requeue(id);
        const std::size_t left = left_;
        if (release_too) TRY(change_one(id, Change::release, ipc::QueueOperation::release));
        if (left_ > left) return false;
        TRY_ASSIGN(bool changed, change_one(id, kind.change, kind.operation));
        if (changed || kind.change != Change::remove) return changed;
        const AsRoot all_rights;  // maildrop/ is not the queue owner's
        return fs_.unlink(queue::path_of(Directory::maildrop, id)).has_value();
    }

  private:
    // On hold it is in nobody's hands: from there it goes back to maildrop/.
    Result<bool> requeue(const QueueId& id) {
        const bool was_held = is_held(id);
        if (!was_held) {
            TRY_ASSIGN(const bool stopped, change_one(id, Change::hold, ipc::QueueOperation::hold));
            if (!stopped && !is_held(id)) return false;
        }
        const Deadline patience = Deadline::in(kHoldPatience);
        while (!is_held(id) && !patience.passed()) std::this_thread::sleep_for(kHoldPoll);
        // Records of failures that the sender has not heard of yet go with this id.
        const bool owes = fs_.info(queue::path_of(Directory::bounce, id)).has_value();
        Result<bool> moved = Error{Errc::temporary, "delivery is under way"};
        if (is_held(id) && !owes) moved = patiently([&] { return drop(id); });
        if (moved) return *moved;
        warn(cat({id.str(), ": ", moved.error().what, ": tried again as it is"}));
        const bool held = is_held(id);
        return change_one(id, held ? Change::release : Change::requeue,
                          held ? ipc::QueueOperation::release : ipc::QueueOperation::requeue);
    }
    bool is_held(const QueueId& id) {
        return fs_.info(queue::path_of(Directory::hold, id)).has_value();
    }
    Result<bool> drop(const QueueId& id) {
        auto moved = move_to_maildrop(fs_, id, sync_directory_, warn);
        dropped_ |= moved && *moved;
        return moved;
    }

    void call_qmgr() {
        qmgr_.reset();
        if (auto channel = ipc::Channel::connect(qmgr_path_, Deadline::in(5s)))
            qmgr_.emplace(std::move(*channel));
    }

    Result<bool> ask_qmgr(const QueueId& id, ipc::QueueOperation operation) {
        ipc::QueueControl request;
        request.operation = operation;
        request.queue_id = id;
        TRY(qmgr_->send(request, Deadline::in(60s)));
        TRY_ASSIGN(ipc::QueueControlAnswer answer,
                   qmgr_->receive<ipc::QueueControlAnswer>(Deadline::in(60s)));
        if (!answer.ok)
            return Error{answer.in_use ? Errc::temporary : Errc::denied,
                         cat({"queue manager: ", answer.text})};
        return answer.count > 0;
    }

    // Once more where a reload took the queue manager that we had reached: it hangs up.
    Result<bool> try_change(const QueueId& id, Change change, ipc::QueueOperation operation) {
        constexpr int kMostTimes = 3;
        for (int times = 1; qmgr_; ++times) {
            auto changed = ask_qmgr(id, operation);
            if (changed || changed.error().code != Errc::closed || times == kMostTimes)
                return changed;
            call_qmgr();
        }
        return queue::change_message(fs_, id, change);
    }

    static bool in_use(const Result<bool>& done) { return !done && queue::is_in_use(done.error()); }

    // Again while somebody else has the message in hand, as long as our patience lasts.
    template <class Deed>
    Result<bool> patiently(const Deed& deed) {
        Result<bool> done = deed();
        if (in_use(done) && !use_patience_) use_patience_ = Deadline::in(kUsePatience);
        while (in_use(done) && !use_patience_->passed()) {
            std::this_thread::sleep_for(kHoldPoll);
            done = deed();
        }
        return done;
    }

    Result<bool> change_one(const QueueId& id, Change change, ipc::QueueOperation operation) {
        auto changed = patiently([&] { return try_change(id, change, operation); });
        if (!in_use(changed)) return changed;
        ++left_;
        warn(cat({id.str(), ": is being delivered; try again"}));
        return false;
    }

    sys::Fs& fs_;
    const std::string pickup_;
    const std::string qmgr_path_;
    const bool sync_directory_;
    std::optional<ipc::Channel> qmgr_;
    std::optional<Deadline> use_patience_;  // since somebody else had a message in hand
    std::size_t left_ = 0;
    bool dropped_ = false;
};

std::vector<QueueId> ids_from_input() {
    std::vector<QueueId> ids;
    char* line = nullptr;
    std::size_t size = 0;
    ssize_t length = 0;
    while ((length = ::getline(&line, &size, stdin)) >= 0) {
        std::string_view text = trim(std::string_view(line, static_cast<std::size_t>(length)));
        if (text.empty()) continue;
        if (auto id = QueueId::parse(text)) {
            ids.push_back(std::move(*id));
        } else {
            warn(cat({"bad mail queue id: ", printable(text, 100)}));
        }
    }
    std::free(line);
    return ids;
}

Result<std::vector<QueueId>> ids_in(sys::Fs& fs, const std::vector<Directory>& queues) {
    std::vector<QueueId> all;
    for (Directory directory : queues) {
        TRY_ASSIGN(std::vector<QueueId> some, queue::list_messages(fs, directory));
        all.insert(all.end(), some.begin(), some.end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

Result<std::size_t> apply(sys::Fs& fs, Surgeon& surgeon, const Order& order, const Job& job) {
    const Kind& kind = *order.kind;
    bool everything = order.target == "ALL";
    std::vector<QueueId> ids;
    if (everything) {
        TRY_ASSIGN(ids, ids_in(fs, job.queues.empty() ? kind.queues : job.queues));
    } else if (order.target == "-") {
        ids = ids_from_input();
    } else {
        TRY_ASSIGN(QueueId id, QueueId::parse(order.target));
        ids.push_back(std::move(id));
    }
    std::size_t count = 0;
    for (const QueueId& id : ids) {
        TRY_ASSIGN(bool changed, surgeon.change(id, kind, kind.option == 'f'));
        if (!changed) continue;
        ++count;
        if (!everything) report(id.str(), kind.done);
    }
    return count;
}

// -s: the directories are there, and deferred files in the subdirectory where they are looked for.
Result<void> repair_structure(sys::Fs& fs) {
    // The queue's top belongs to root, and we are the queue's owner by now.
    if (auto made = queue::create_all(fs); !made)
        return Error{made.error().code, cat({made.error().what, " (see postern set-permissions)"})};
    for (Directory directory :
         {Directory::deferred, Directory::defer, Directory::bounce, Directory::trace}) {
        std::string top(queue::name_of(directory));
        std::vector<std::string> folders{top};
        TRY_ASSIGN(std::vector<sys::DirEntry> entries, fs.list(top));
        for (const sys::DirEntry& entry : entries) {
            if (entry.kind == sys::FileInfo::Kind::directory)
                folders.push_back(cat({top, "/", entry.name}));
        }
        for (const std::string& folder : folders) {
            TRY_ASSIGN(std::vector<sys::DirEntry> files, fs.list(folder));
            for (const sys::DirEntry& file : files) {
                auto id = QueueId::parse(file.name);
                if (!id || file.kind != sys::FileInfo::Kind::regular) continue;
                std::string right = queue::path_of(directory, *id);
                std::string here = cat({folder, "/", file.name});
                if (here == right) continue;
                TRY(queue::create_parent(fs, directory, *id));
                TRY(fs.rename(here, right));
            }
        }
    }
    return {};
}

// -p: files that were never committed and whose writer is long gone.
Result<void> purge_leftovers(sys::Fs& fs) {
    constexpr std::int64_t kOld = std::int64_t{24} * 3600;
    auto now = std::chrono::duration_cast<Seconds>(SystemClock::instance().now().time_since_epoch())
                   .count();
    TRY_ASSIGN(std::vector<QueueId> files, queue::list_files(fs, Directory::incoming));
    for (const QueueId& name : files) {
        std::string path = queue::path_of(Directory::incoming, name);
        auto info = fs.info(path);
        if (!info || now - info->mtime_ns / 1'000'000'000 < kOld) continue;
        auto fd = queue::open_queue_file(fs, path, O_RDONLY);
        if (!fd) continue;
        auto reader = queue::Reader::open(fs, fd->get());
        if (reader || reader.error().code != Errc::closed) continue;
        TRY(fs.unlink(path));
        report("", cat({"removed incomplete file ", path}));
    }
    return {};
}

std::optional<Directory> directory_named(std::string_view name) {
    for (Directory directory : queue::kAllDirectories) {
        if (queue::name_of(directory) == name) return directory;
    }
    return std::nullopt;
}

const Kind* kind_of(int option) {
    for (const Kind& kind : kinds()) {
        if (kind.option == option) return &kind;
    }
    return nullptr;
}

Result<Job> parse(int argc, char** argv) {
    Job job;
    for (int option = 0; (option = ::getopt(argc, argv, "c:d:e:f:h:H:pr:sSv")) != -1;) {
        if (const Kind* kind = kind_of(option)) {
            std::string target = ::optarg;
            if (target != "ALL" && target != "-" && !QueueId::parse(target)) {
                return Error{Errc::invalid, cat({"bad mail queue id: ", printable(target, 100)})};
            }
            job.orders.push_back({kind, std::move(target)});
            continue;
        }
        switch (option) {
            case 'c': job.directory = ::optarg; break;
            case 'p': job.purge = true; break;
            case 's':
            case 'S': job.structure = true; break;
            case 'v': log::set_debug(true); break;
            default:
                return Error{Errc::invalid,
                             "usage: postsuper [-c config_dir] [-d queue_id] [-e queue_id] [-f "
                             "queue_id] [-h queue_id] "
                             "[-H queue_id] [-p] [-r queue_id] [-s] [-S] [-v] [directory ...]"};
        }
    }
    for (int i = ::optind; i < argc; ++i) {
        auto directory = directory_named(argv[i]);
        if (!directory) return Error{Errc::invalid, cat({"invalid directory name: ", argv[i]})};
        job.queues.push_back(*directory);
    }
    if (job.orders.empty() && !job.purge && !job.structure) job.purge = job.structure = true;
    return job;
}

void open_log(const config::Config& config) {
    log::Options options;
    options.tag = cat({config.get(param::syslog_name), "/postsuper"});
    std::string file = config.get(param::maillog_file);
    if (!file.empty()) {
        auto opened =
            sys::RealFs::instance().open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (opened) return log::open_file(options, std::move(*opened));
    }
    log::open_syslog(options);
}

Result<void> operate(const Job& job, const config::Config& config) {
    sys::Fs& fs = sys::RealFs::instance();
    keep_records(fs);
    TRY(become_queue_owner(fs));
    if (job.structure) TRY(repair_structure(fs));
    if (job.purge) TRY(purge_leftovers(fs));
    if (job.orders.empty()) return {};
    Surgeon surgeon(fs, config);
    std::vector<std::pair<const Kind*, std::size_t>> totals;
    for (const Order& order : job.orders) {
        TRY_ASSIGN(std::size_t count, apply(fs, surgeon, order, job));
        auto total = std::find_if(totals.begin(), totals.end(),
                                  [&](const auto& one) { return one.first == order.kind; });
        if (total == totals.end()) {
            totals.emplace_back(order.kind, count);
        } else {
            total->second += count;
        }
    }
    for (const auto& [kind, count] : totals) {
        report("", cat({kind->summary, ": ", std::to_string(count),
                        count == 1 ? " message" : " messages"}));
    }
    if (surgeon.left() > 0)
        return Error{Errc::temporary, cat({"being delivered, not changed: ",
                                           std::to_string(surgeon.left()),
                                           surgeon.left() == 1 ? " message" : " messages"})};
    return {};
}

int run(int argc, char** argv) {
    log::open_capture();  // until the configuration says where to log
    auto job = parse(argc, argv);
    if (!job) return fatal(job.error().what);
    auto directory = config::choose_directory(job->directory);
    if (!directory) return fatal(directory.error().what);
    auto config = config::Config::load(*directory);
    if (!config) return fatal(config.error().what);
    std::string queue_directory = config->get(param::queue_directory);
    auto info = sys::RealFs::instance().info(queue_directory);
    if (!info) return fatal(info.error().what);
    // An instance that an ordinary user runs has that user as its superuser.
    if (::getuid() != 0 && ::getuid() != info->uid)
        return fatal("use of this command is reserved for the superuser");
    open_log(*config);
    if (::chdir(queue_directory.c_str()) != 0)
        return fatal(cat({"cannot enter queue directory ", queue_directory}));
    auto done = operate(*job, *config);
    return done ? EXIT_SUCCESS : fatal(done.error().what);
}

}  // namespace
}  // namespace postern::commands

int main(int argc, char** argv) { return postern::commands::run(argc, argv); }
