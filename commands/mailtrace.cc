// mailtrace: the life of a message, from the records that every program of the system leaves behind
// (lib/log/record.h), with where it is now and what comes next. Reads only; disturbs nobody.
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sysexits.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/ids.h"
#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/log/record.h"
#include "lib/queue/directories.h"
#include "lib/queue/lister.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"

#include "commands/rule_place.h"
#include "commands/story.h"
#include "commands/story_text.h"

namespace postern::commands {
namespace {

constexpr std::string_view kUsage =
    "usage: mailtrace [-f] [-j] [-c config_directory] [--since time] [queue_id | address | "
    "<message-id> ...]";
constexpr std::size_t kChunk = 1 << 20;
constexpr std::size_t kMaxSource = 16u << 20;  // of a table whose lines are looked for
constexpr int kFollowPause = 200;              // milliseconds between looks
constexpr std::size_t kRemembered = 20'000;    // records before the one that makes a message ours

struct Job {
    Question question;
    bool json = false, follow = false;
    std::optional<std::string> directory;
};

// "10m", "2h", "3d" ago; "2026-11-22 07:00", "2026-11-22", "07:00" or "07:00:30" of local time.
std::optional<WallTime> parse_time(const std::string& text, WallTime now) {
    if (text.size() >= 2 && is_alpha(text.back())) {
        const auto count =
            parse_number<std::int64_t>(std::string_view(text).substr(0, text.size() - 1));
        const std::string_view units = "smhdw";
        constexpr std::int64_t kSeconds[] = {1, 60, 3600, 86400, 604800};
        const auto unit = units.find(text.back());
        if (!count || *count < 0 || *count > 1'000'000 || unit == std::string_view::npos) return {};
        return now - Seconds(*count * kSeconds[unit]);
    }
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    for (const char* format : {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
                               "%Y-%m-%d", "%H:%M:%S", "%H:%M"}) {
        std::tm local{};
        ::localtime_r(&seconds, &local);
        local.tm_hour = local.tm_min = local.tm_sec = 0;
        local.tm_isdst = -1;
        const char* end = ::strptime(text.c_str(), format, &local);
        if (end == nullptr || *end != '\0') continue;
        return std::chrono::time_point_cast<Micros>(
            std::chrono::system_clock::from_time_t(std::mktime(&local)));
    }
    return {};
}

Result<Job> parse(int argc, char** argv) {
    static const option kLong[] = {{"since", required_argument, nullptr, 's'},
                                   {"json", no_argument, nullptr, 'j'},
                                   {"follow", no_argument, nullptr, 'f'},
                                   {nullptr, 0, nullptr, 0}};
    Job job;
    for (int option = 0; (option = ::getopt_long(argc, argv, "fjc:s:", kLong, nullptr)) != -1;) {
        switch (option) {
            case 'f': job.follow = true; break;
            case 'j': job.json = true; break;
            case 'c': job.directory = optarg; break;
            case 's':
                job.question.since = parse_time(optarg, SystemClock::instance().now());
                if (!job.question.since)
                    return Error{Errc::invalid,
                                 cat({"--since ", printable(optarg),
                                      ": expected a time (2026-11-22 07:00, 07:00) or an "
                                      "age (10m, 2h, 3d)"})};
                break;
            default: return Error{Errc::invalid, std::string(kUsage)};
        }
    }
    for (const char* word : std::vector<const char*>(argv + optind, argv + argc)) {
        const std::string_view text = word;
        if (text.find('@') == text.npos && !text.starts_with('<') && !QueueId::parse(text) &&
            !SessionId::parse(text))
            return Error{Errc::invalid, cat({"\"", printable(text),
                                             "\" is no queue id, address or "
                                             "<message-id>"})};
        job.question.words.emplace_back(text);
    }
    if (job.question.words.empty() && !job.question.since && !job.follow)
        return Error{Errc::invalid, std::string(kUsage)};
    return job;
}

// The records of the file, in the order in which they were written.
class Source {
  public:
    static Result<Source> open(sys::Fs& fs, Micros retention) {
        const std::string path = cat({log::kRecordsFolder, "/", log::kRecordsName});
        auto file = fs.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (file) return Source(fs, std::move(*file), SystemClock::instance().now() - retention);
        if (file.error().code == Errc::not_found)
            return Error{Errc::not_found, "no records are kept yet (see trace_size_limit)"};
        return std::move(file).error();
    }

    // What was added since the last call; all at first. `more`: more may come, so that a record
    // without its end is left for the next time.
    template <typename Use>
    Result<void> read(bool more, Use use) {
        for (;;) {
            TRY_ASSIGN(const std::string bytes, fs_.read_at(file_.get(), at_, kChunk));
            if (bytes.empty()) break;
            at_ += bytes.size();
            pending_ += bytes;
            take(true, use);
        }
        if (!more) take(false, use);
        return {};
    }
    void rewind() {
        const off_t data = ::lseek(file_.get(), 0, SEEK_DATA);  // behind what was given back
        at_ = data > 0 ? static_cast<std::uint64_t>(data) : 0;
        pending_.assign(at_ > 0 ? 4096 : 0, '\0');  // the hole, for the scanner
        skipped_ = foreign_ = 0;
    }
    std::size_t skipped() const { return skipped_; }
    std::size_t foreign() const { return foreign_; }

  private:
    Source(sys::Fs& fs, Fd file, WallTime oldest)
        : fs_(fs), file_(std::move(file)), oldest_(oldest) {
        rewind();
    }
    template <typename Use>
    void take(bool more, Use& use) {
        log::RecordScanner scanner(pending_, more);
        while (auto record = scanner.next()) {
            if (record->time >= oldest_) use(*record);
        }
        skipped_ += scanner.skipped();
        foreign_ += scanner.foreign();
        pending_.erase(0, scanner.consumed());
    }

    sys::Fs& fs_;
    Fd file_;
    WallTime oldest_;
    std::uint64_t at_ = 0;
    std::string pending_;
    std::size_t skipped_ = 0, foreign_ = 0;
};

void warn_of_damage(const Source& source) {
    if (source.skipped() > 0)
        log::warning("", cat({"the records are damaged: ", std::to_string(source.skipped()),
                              " bytes skipped"}));
    if (source.foreign() > 0)
        log::warning("", cat({std::to_string(source.foreign()),
                              " records of another version of this software skipped"}));
}

std::optional<SourceText> read_source(const std::string& path) {
    auto text = sys::read_file(path, kMaxSource);
    const auto info = sys::RealFs::instance().info(path);
    if (!text || !info) return std::nullopt;
    return SourceText{*std::move(text), WallTime(Micros(info->mtime_ns / 1000))};
}

// Where messages are. One that shares a file of the incoming queue with others has no file of its
// name: those few files are looked into.
class Queue {
  public:
    explicit Queue(sys::Fs& fs) : fs_(fs) {}

    Whereabouts find(const std::string& id) {
        const auto parsed = QueueId::parse(id);
        if (!parsed) return {};
        using queue::Directory;
        for (const auto directory :
             {Directory::deferred, Directory::hold, Directory::incoming, Directory::active}) {
            const auto info = fs_.info(queue::path_of(directory, *parsed));
            if (!info) continue;
            Whereabouts where{std::string(queue::name_of(directory)), {}};
            if (directory == Directory::deferred)
                where.next = WallTime(Micros(info->mtime_ns / 1000));
            return where;
        }
        if (!listed_) list();
        const auto at = batched_.find(id);
        return at == batched_.end() ? Whereabouts{} : Whereabouts{at->second, {}};
    }

  private:
    void list() {
        listed_ = true;
        queue::Lister(fs_).list([this](const ipc::QueueListEntry& entry) {
            if (entry.queue_name == "deferred" || entry.queue_name == "hold") return false;
            batched_[entry.queue_id.str()] = entry.queue_name;
            return true;
        });
    }

    sys::Fs& fs_;
    bool listed_ = false;
    std::map<std::string, std::string> batched_;
};

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

class Teller {
  public:
    Teller(const Job& job, const config::Config& config, Source source)
        : job_(job),
          finder_(job.question),
          source_(std::move(source)),
          places_(config, config.directory(), read_source),
          writer_(places_, SystemClock::instance().now()) {}

    Result<bool> tell() {
        TRY(source_.read(false, [this](const log::Record& record) { finder_.look(record); }));
        finder_.close();
        source_.rewind();
        TRY(source_.read(job_.follow, [this](const log::Record& record) {
            if (job_.follow) remember(record);
            sort_in(record);
        }));
        warn_of_damage(source_);
        for (const auto& name : order_) write(stories_[name]);
        const bool any = !order_.empty();
        stories_.clear();
        if (!any && !job_.follow) log::info("", "nothing is recorded about that");
        return any;
    }

    Result<void> follow() {
        for (;;) {
            std::fflush(stdout);
            if (std::ferror(stdout) != 0) return {};
            ::poll(nullptr, 0, kFollowPause);
            TRY(source_.read(true, [this](const log::Record& record) { on_news(record); }));
        }
    }

  private:
    void sort_in(const log::Record& record) {
        if (!finder_.wants(record)) return;
        const std::string name = finder_.story_of(record);
        auto [at, is_new] = stories_.try_emplace(name);
        if (is_new) order_.push_back(name);
        at->second.name = name;
        at->second.events.push_back(explain(record));
    }

    void write(StoryView& story) {
        std::stable_sort(
            story.events.begin(), story.events.end(),
            [](const Event& a, const Event& b) { return a.record.time < b.record.time; });
        for (const Event& event : story.events) {
            const auto& id = event.record.id;
            // Sessions have ids too: a message is what a queue program tells of.
            if (!story.now.contains(id) && finder_.is_message(id)) story.now[id] = queue_.find(id);
        }
        if (!job_.json && std::exchange(told_, true)) print("\n");
        print(job_.json ? writer_.as_json(story) : writer_.in_words(story));
    }

    void remember(const log::Record& record) {
        recent_.push_back(record);
        if (recent_.size() > kRemembered) recent_.pop_front();
    }
    // A message may become ours by a record that is not its first: those before it are told then.
    void on_news(const log::Record& record) {
        remember(record);
        const bool known = finder_.found(record.id);
        if (!finder_.follows(record)) return;
        if (!known && record.id != "NOQUEUE") {
            for (const auto& earlier : recent_) {
                if (&earlier != &recent_.back() && earlier.id == record.id) tell_live(earlier);
            }
        }
        tell_live(record);
    }
    void tell_live(const log::Record& record) {
        const Event event = explain(record);
        print(job_.json ? writer_.json_line(event, finder_.story_of(record))
                        : writer_.line(event, std::nullopt, true));
    }

    const Job& job_;
    Finder finder_;
    Source source_;
    RulePlaces places_;
    StoryWriter writer_;
    Queue queue_{sys::RealFs::instance()};
    std::map<std::string, StoryView> stories_;
    std::vector<std::string> order_;
    std::deque<log::Record> recent_;
    bool told_ = false;
};

Result<int> run(const Job& job) {
    TRY_ASSIGN(const std::string directory, config::choose_directory(job.directory));
    TRY_ASSIGN(const config::Config config, config::Config::load(directory));
    const std::string queue = config.get(param::queue_directory);
    if (::chdir(queue.c_str()) != 0 || ::access(log::kRecordsFolder, R_OK | X_OK) != 0) {
        if (::access(log::kRecordsFolder, F_OK) != 0)
            return Error{Errc::not_found, cat({queue,
                                               ": no records are kept yet: \"postern start\" "
                                               "begins (see trace_size_limit)"})};
        return Error{Errc::denied,
                     cat({queue, "/", log::kRecordsFolder, ": only root may look there"})};
    }
    TRY_ASSIGN(Source source,
               Source::open(sys::RealFs::instance(), config.get(param::trace_retention)));
    Teller teller(job, config, std::move(source));
    TRY_ASSIGN(const bool any, teller.tell());
    if (job.follow) TRY(teller.follow());
    return any || job.follow ? EX_OK : 1;
}

int main_program(int argc, char** argv) {
    log::open_stderr({.tag = "mailtrace"});
    const auto job = parse(argc, argv);
    if (!job) {
        log::fatal("", job.error().what);
        return EX_USAGE;
    }
    const auto done = run(*job);
    if (done) return *done;
    log::fatal("", done.error().what);
    return EX_UNAVAILABLE;
}

}  // namespace
}  // namespace postern::commands

int main(int argc, char** argv) { return postern::commands::main_program(argc, argv); }
