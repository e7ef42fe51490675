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
#include "lib/config/value.h"
#include "lib/log/log.h"
#include "lib/service/accept.h"
#include "lib/service/snapshot.h"
#include "lib/sys/fs.h"
#include "lib/sys/unix_socket.h"
#include "lib/sys/users.h"

#include "master/log_file.h"
#include "master/notify.h"

namespace postern::master {
namespace {

constexpr Millis kPatience{8000};  // after "stop"; then the stubborn are killed
constexpr const char* kStatusPath = "private/master";

// What daemons may see of our environment: what import_environment says, and how to find the configuration.
// The sanitizers' settings matter to tests only.
std::vector<std::string> daemon_environment(const config::Config& config, const std::string& config_directory) {
    std::vector<std::string> out = {"MAIL_CONFIG=" + config_directory, "PATH=/usr/bin:/bin:/usr/sbin:/sbin"};
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
    : options_(std::move(options)), life_(life), log_(std::move(log)), patience_(loop_, [this] { abort(); }) {}

Supervisor::~Supervisor() = default;

Surroundings Supervisor::surroundings(const Reading& reading) {
    return {loop_, reading.config, reading.sealed, generation_, options_.verbose, log_.get(), life_,
            daemon_environment(*reading.config, options_.config_directory)};
}

Result<Supervisor::Reading> Supervisor::understand(const config::Snapshot& snapshot) {
    TRY_ASSIGN(auto config, config::Config::from(snapshot));
    TRY_ASSIGN(Fd sealed, service::seal_snapshot(snapshot));
    TRY_ASSIGN(const config::MasterFile file, config::master_of(snapshot));
    for (const auto& warning : file.warnings()) log::warning("", warning.str());
    for (const auto& line : config::not_yet_warnings(config::examine(snapshot))) log::warning("", line);
    Reading reading{std::make_shared<const config::Config>(std::move(config)),
                    std::make_shared<const Fd>(std::move(sealed)), {}};
    for (const auto& entry : file.entries()) {
        TRY(reading.config->with(entry.overrides));  // a bad -o is found now, not by the daemon
        if (is_disabled(entry, *reading.config)) {
            log::info("", cat({"service ", entry.key(), ": disabled by master_service_disable"}));
        } else if (service::find_profile(entry.command) != nullptr) {
            reading.entries.push_back(entry);
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
    const auto around = surroundings(reading);
    for (const auto& entry : reading.entries) {
        TRY_ASSIGN(auto service, Service::open(around, entry));
        services_.push_back(std::move(service));
    }
    TRY(open_status_socket());
    const auto on = [this](int number, void (Supervisor::*act)()) {
        signals_.push_back(std::make_unique<loop::Signal>(loop_, number, [this, act] { (this->*act)(); }));
    };
    on(SIGCHLD, &Supervisor::reap);
    on(SIGHUP, &Supervisor::reload);
    on(SIGTERM, &Supervisor::stop);
    on(SIGINT, &Supervisor::stop);
    on(SIGQUIT, &Supervisor::abort);
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    for (auto& service : services_) service->start();
    return {};
}

int Supervisor::run() {
    log::info("", cat({"daemon started -- version ", config_->get(param::mail_version), ", configuration ",
                       options_.config_directory}));
    notify_manager("READY=1");
    loop_.run();
    return 0;
}

Service* Supervisor::find(const std::string& key) {
    const auto found = std::find_if(services_.begin(), services_.end(), [&](const auto& s) { return s->key() == key; });
    return found == services_.end() ? nullptr : found->get();
}

// All-or-nothing as far as reading goes; a socket that cannot be opened leaves that one service out, loudly.
Result<void> Supervisor::apply(const Reading& reading) {
    const auto around = surroundings(reading);
    const auto& entries = reading.entries;
    std::vector<std::unique_ptr<Service>> next;
    for (auto& service : services_) {
        const auto entry = std::find_if(entries.begin(), entries.end(),
                                        [&](const auto& e) { return e.key() == service->key(); });
        const bool same = entry != entries.end() && endpoint_plan(*entry, *around.config) == service->plan();
        if (!same) {
            service->retire(ipc::Order::drain);
            retired_.push_back(std::move(service));
            continue;
        }
        TRY(service->reconfigure(around, *entry));
        next.push_back(std::move(service));
    }
    services_ = std::move(next);
    for (const auto& entry : entries) {
        if (find(entry.key()) != nullptr) continue;
        auto opened = Service::open(around, entry);
        if (!opened) {
            log::error("", opened.error().what);
            continue;
        }
        (*opened)->start();
        services_.push_back(*std::move(opened));
    }
    return {};
}

Result<void> Supervisor::reopen_log(const config::Config& config) {
    TRY_ASSIGN(Fd file, open_log_file(config));
    if (!file) return {};
    log_ = std::move(file);
    log::open_file(config::log_options(config, "master", options_.verbose),
                   Fd(::fcntl(log_.get(), F_DUPFD_CLOEXEC, 0)));
    return {};
}

void Supervisor::reload() {
    if (stopping_) return;
    notify_manager("RELOADING=1");
    const auto reread = [this]() -> Result<void> {
        TRY_ASSIGN(const auto snapshot, config::Snapshot::read(options_.config_directory));
        TRY_ASSIGN(const Reading reading, understand(snapshot));
        TRY(reopen_log(*reading.config));
        ++generation_;
        TRY(apply(reading));
        config_ = reading.config;
        log::info("", cat({"reload -- version ", config_->get(param::mail_version), ", configuration ",
                           options_.config_directory}));
        return {};
    };
    if (auto done = reread(); !done) log::error("", cat({"reload: ", done.error().what, "; keeping the old configuration"}));
    notify_manager("READY=1");
}

void Supervisor::stop() {
    if (stopping_) return;
    stopping_ = true;
    log::info("", "terminating on signal 15");
    notify_manager("STOPPING=1");
    for (auto& service : services_) service->retire(ipc::Order::stop);
    patience_.start(kPatience);
    end_if_empty();
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
    const bool quiet = std::all_of(services_.begin(), services_.end(), [](const auto& s) { return s->empty(); });
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
    status_watch_ = std::make_unique<loop::Watch>(loop_, status_socket_.get(), [this] { on_status_client(); });
    status_watch_->want_read(true);
    return {};
}

// Only root and we ourselves can open the socket (mode 0600): what comes is one empty question.
void Supervisor::on_status_client() {
    Fd socket = service::accept_connection(status_socket_.get());
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
    for (const auto& service : services_) {
        auto listing = service->listing();
        listing.last = service == services_.back();
        if (!client.send(listing)) return;
    }
}

}  // namespace postern::master
