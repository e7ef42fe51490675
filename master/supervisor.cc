#include "master/supervisor.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "lib/base/strings.h"
#include "lib/config/check.h"
#include "lib/config/log_options.h"
#include "lib/config/process_wide.h"
#include "lib/config/value.h"
#include "lib/log/log.h"
#include "lib/log/record.h"
#include "lib/service/accept.h"
#include "lib/service/snapshot.h"
#include "lib/sys/fs.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"

#include "master/log_file.h"
#include "master/notify.h"

namespace postern::master {
namespace {

constexpr Millis kPatience{8000};   // after "stop"; then the stubborn are killed
constexpr Millis kTrimPause{2000};  // between looks at the size of the trace records
constexpr const char* kStatusPath = "private/master";

// What daemons may see of our environment: what import_environment says, and how to find the
// configuration. The sanitizers' settings matter to tests only.
std::vector<std::string> daemon_environment(const config::Config& config,
                                            const std::string& config_directory) {
    std::vector<std::string> out = {"MAIL_CONFIG=" + config_directory,
                                    "PATH=/usr/bin:/bin:/usr/sbin:/sbin"};
    auto words = config::split_list(config.get(param::import_environment));
    if (!sys::is_root()) words.insert(words.end(), {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TMPDIR"});
    for (const std::string& word : words) {
        if (word.starts_with("MAIL_CONFIG")) continue;
        if (word.find('=') != word.npos) {
            out.push_back(word);
        } else if (const char* value = ::getenv(word.c_str())) {
            out.push_back(cat({word, "=", value}));
        }
    }
    return out;
}

// master_service_disable: "inet", "smtp/inet" or "!smtp/inet"; the first that fits decides.
bool is_disabled(const config::MasterEntry& entry, const config::Config& config) {
    for (const std::string& word : config.get(param::master_service_disable)) {
        const bool exception = word.starts_with('!');
        const std::string_view pattern = std::string_view(word).substr(exception ? 1 : 0);
        if (pattern == entry.type_name() || pattern == entry.key()) return !exception;
    }
    return false;
}

}  // namespace

Supervisor::Supervisor(Options options, int life, Fd log)
    : options_(std::move(options)),
      life_(life),
      log_(std::move(log)),
      patience_(loop_, [this] { lose_patience(); }),
      status_pause_(loop_, [this] { status_watch_->want_read(true); }),
      trim_(loop_, [this] { trim_records(); }) {}

Supervisor::~Supervisor() = default;

Surroundings Supervisor::surroundings(const Reading& reading) {
    return {loop_,
            reading.config,
            reading.sealed,
            generation_,
            options_.verbose,
            log_.get(),
            life_,
            records_ ? records_->fd() : -1,
            daemon_environment(*reading.config, options_.config_directory),
            resume_key_};
}

Result<Supervisor::Reading> Supervisor::understand(const config::Snapshot& snapshot) {
    TRY_ASSIGN(auto config, config::Config::from(snapshot));
    if (auto set = config::set_process_wide(config); !set) log::warning("", set.error().what);
    TRY_ASSIGN(Fd sealed, service::seal_snapshot(snapshot));
    TRY_ASSIGN(const config::MasterFile file, config::master_of(snapshot));
    for (const auto& warning : file.warnings()) log::warning("", warning.str());
    for (const auto& line : config::not_yet_warnings(config::examine(snapshot)))
        log::warning("", line);
    Reading reading{std::make_shared<const config::Config>(std::move(config)),
                    std::make_shared<const Fd>(std::move(sealed)),
                    {}};
    for (const auto& entry : file.entries()) {
        if (is_disabled(entry, *reading.config)) {
            log::info("", cat({"service ", entry.key(), ": disabled by master_service_disable"}));
        } else if (service::find_profile(entry.command) != nullptr) {
            TRY_ASSIGN(auto setup, Service::prepare(*reading.config, entry));
            reading.setups.push_back(std::move(setup));
        } else {
            log::info("", cat({"service ", entry.key(), ": no program \"", entry.command,
                               "\" in this suite, not started"}));
        }
    }
    return reading;
}

Result<void> Supervisor::start(const config::Snapshot& snapshot) {
    TRY_ASSIGN(const Reading reading, understand(snapshot));
    config_ = reading.config;
    keep_records(*config_);
    const auto around = surroundings(reading);
    for (const auto& setup : reading.setups) {
        TRY_ASSIGN(auto service, Service::open(around, setup));
        services_.push_back(std::move(service));
    }
    TRY(open_status_socket());
    const auto on = [this](int number, loop::Callback act) {
        signals_.push_back(std::make_unique<loop::Signal>(loop_, number, std::move(act)));
    };
    on(SIGCHLD, [this] { reap(); });
    on(SIGHUP, [this] { reload(); });
    on(SIGTERM, [this] { stop(SIGTERM); });
    on(SIGINT, [this] { stop(SIGINT); });
    on(SIGQUIT, [this] { abort(); });
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    for (auto& service : services_) service->start();
    return {};
}

int Supervisor::run() {
    log::info("", cat({"daemon started -- version ", config_->get(param::mail_version),
                       ", configuration ", options_.config_directory}));
    notify_manager("READY=1");
    loop_.run();
    return 0;
}

// What could be wrong with the new configuration has been found before. A socket that cannot be
// opened leaves that one service as it was, or out, loudly.
void Supervisor::apply(const Reading& reading) {
    const auto around = surroundings(reading);
    std::vector<Outline> running, wanted;
    for (const auto& service : services_) running.push_back(service->outline());
    for (const auto& setup : reading.setups) wanted.push_back(setup.outline());
    const Difference difference = compare(running, wanted);
    std::vector<std::unique_ptr<Service>> next(wanted.size());  // in the order of the new master.cf
    for (const std::size_t i : difference.retire) {
        services_[i]->retire(ipc::Order::drain);
        retired_.push_back(std::move(services_[i]));
    }
    for (const auto& [was, is] : difference.keep) {
        services_[was]->reconfigure(around, reading.setups[is]);
        next[is] = std::move(services_[was]);
    }
    for (const auto& [was, is] : difference.rebind) {
        const auto bound = services_[was]->rebind(around, reading.setups[is]);
        if (!bound)
            log::error("", cat({"reload: ", bound.error().what, "; keeping the old sockets"}));
        next[is] = std::move(services_[was]);
    }
    for (const std::size_t i : difference.add) {
        auto added = add(around, reading.setups[i]);
        if (!added)
            log::error("", cat({"reload: ", added.error().what, "; the service does not run"}));
        else
            next[i] = *std::move(added);
    }
    std::erase(next, nullptr);
    services_ = std::move(next);
}

// One that an earlier reload removed comes back with the processes that it still has: another
// service would know nothing of them, and start the second where there may be only one.
Result<std::unique_ptr<Service>> Supervisor::add(const Surroundings& around,
                                                 const Service::Setup& setup) {
    const auto was = std::find_if(retired_.begin(), retired_.end(), [&](const auto& service) {
        return service->outline().key == setup.entry.key();
    });
    if (was == retired_.end()) {
        TRY_ASSIGN(auto opened, Service::open(around, setup));
        opened->start();
        return opened;
    }
    TRY((*was)->revive(around, setup));
    auto revived = std::move(*was);
    retired_.erase(was);
    return revived;
}

Result<void> Supervisor::reopen_log(const config::Config& config) {
    TRY_ASSIGN(Fd file, open_log_file(config));
    if (!file) return {};
    log_ = std::move(file);
    log::open_file(config::log_options(config, "master", options_.verbose),
                   Fd(::fcntl(log_.get(), F_DUPFD_CLOEXEC, 0)));
    return {};
}

// Mail goes on without them.
void Supervisor::keep_records(const config::Config& config) {
    const RecordsLimits limits = records_limits(config);
    if (limits.size == 0) {
        trim_.stop();
        records_.reset();
    } else if (records_) {
        records_->set_limits(limits);
    } else {
        auto opened = RecordsFile::open(log::kRecordsFolder, limits);
        if (!opened)
            return log::error("", cat({"no trace records are kept: ", opened.error().what}));
        records_.emplace(std::move(*opened));
    }
    if (records_) trim_records();
}

void Supervisor::trim_records() {
    const auto trimmed = records_->trim();
    if (!trimmed && !trim_fails_) log::error("", trimmed.error().what);
    trim_fails_ = !trimmed;
    trim_.start(kTrimPause);
}

void Supervisor::reload() {
    if (stopping_) return;
    notify_manager("RELOADING=1");
    const auto reread = [this]() -> Result<void> {
        TRY_ASSIGN(const auto snapshot, config::Snapshot::read(options_.config_directory));
        TRY_ASSIGN(const Reading reading, understand(snapshot));
        const auto queue = [](const config::Config& config) {
            return config.get(param::queue_directory);
        };
        if (queue(*reading.config) != queue(*config_))
            return Error{Errc::invalid, cat({"queue_directory changed from ", queue(*config_),
                                             " to ", queue(*reading.config),
                                             ": stop and start the mail system for that"})};
        TRY(reopen_log(*reading.config));
        keep_records(*reading.config);
        ++generation_;
        apply(reading);
        config_ = reading.config;
        log::info("", cat({"reload -- version ", config_->get(param::mail_version),
                           ", configuration ", options_.config_directory}));
        return {};
    };
    if (auto done = reread(); !done)
        log::error("", cat({"reload: ", done.error().what, "; keeping the old configuration"}));
    notify_manager("READY=1");
}

void Supervisor::stop(int signal_number) {
    if (stopping_) return;
    stopping_ = true;
    log::info("", "terminating on signal " + std::to_string(signal_number));
    notify_manager("STOPPING=1");
    for (const auto* list : {&services_, &retired_}) {
        for (const auto& service : *list) service->retire(ipc::Order::stop);
    }
    patience_.start(kPatience);
    end_if_empty();
}

void Supervisor::lose_patience() {
    for (const auto* list : {&services_, &retired_}) {
        for (const auto& service : *list) {
            if (!service->empty())
                log::warning("",
                             cat({"service ", service->outline().key, ": does not end, killed"}));
        }
    }
    abort();
}

void Supervisor::abort() {
    stopping_ = true;
    for (const auto* list : {&services_, &retired_}) {
        for (const auto& service : *list) service->kill_all(SIGKILL);
    }
    loop_.stop();
}

void Supervisor::end_if_empty() {
    std::erase_if(retired_, [](const auto& service) { return service->empty(); });
    const bool quiet =
        std::all_of(services_.begin(), services_.end(), [](const auto& s) { return s->empty(); });
    if (stopping_ && quiet && retired_.empty()) loop_.stop();
}

void Supervisor::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto ours = [&](const auto& service) { return service->process_ended(pid, status); };
        if (!std::any_of(services_.begin(), services_.end(), ours))
            static_cast<void>(std::any_of(retired_.begin(), retired_.end(), ours));
    }
    end_if_empty();
}

Result<void> Supervisor::open_status_socket() {
    TRY_ASSIGN(status_socket_, sys::listen_unix(kStatusPath, 0600));
    status_watch_ =
        std::make_unique<loop::Watch>(loop_, status_socket_.get(), [this] { on_status_client(); });
    status_watch_->want_read(true);
    return {};
}

// Only root and we ourselves can open the socket (mode 0600): what comes is one empty question.
void Supervisor::on_status_client() {
    auto accepted = service::accept_connection(status_socket_.get());
    if (!accepted) {
        status_watch_->want_read(false);
        return status_pause_.start(service::kAcceptPause);
    }
    Fd socket = *std::move(accepted);
    if (!socket) return;
    status_clients_.emplace_back();
    const auto client = std::prev(status_clients_.end());
    const auto forget = [this, client](const Error&) { status_clients_.erase(client); };
    *client = std::make_unique<ipc::LoopChannel>(
        loop_, std::move(socket),
        ipc::LoopChannel::Handler{[this, client, forget](ipc::Packet packet) {
                                      if (!packet.as<ipc::ListingRequest>()) return forget({});
                                      answer(**client);
                                  },
                                  forget});
}

void Supervisor::answer(ipc::LoopChannel& client) const {
    if (services_.empty()) {
        ipc::Listing nothing;
        nothing.last = true;
        static_cast<void>(client.send(nothing).has_value());
    }
    for (const auto& service : services_) {
        auto listing = service->listing();
        listing.last = service == services_.back();
        if (!client.send(listing)) return;
    }
}

}  // namespace postern::master
