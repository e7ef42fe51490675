#include "lib/service/child.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "lib/base/strings.h"
#include "lib/base/unicode.h"
#include "lib/config/log_options.h"
#include "lib/config/process_wide.h"
#include "lib/log/delay_digits.h"
#include "lib/log/log.h"
#include "lib/service/snapshot.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/users.h"

namespace postern::service {
namespace {

constexpr Millis kControlWait{1000};
// Our workers answer one question per connection, where Postfix's daemons serve a whole client, and a network
// process serves many clients at a time: max_use counts a hundred connections as one.
constexpr std::uint64_t kConnectionsPerUse = 100;

struct Birth {
    std::uint64_t generation = 0;
    std::size_t slot = 0, listeners = 0;
    bool log_file = false, records = false;
};

Result<Birth> read_birth() {
    const char* text = ::getenv(kChildVariable);
    const auto words = split_words(text != nullptr ? text : "");
    if (words.size() != 5) return Error{Errc::invalid, "this program is started by the master daemon only"};
    const auto generation = parse_number<std::uint64_t>(words[0]);
    const auto slot = parse_number<std::size_t>(words[1]);
    const auto listeners = parse_number<std::size_t>(words[2]);
    if (!generation || !slot || *slot >= Scoreboard::kSlots || !listeners)
        return Error{Errc::invalid, cat({"environment ", kChildVariable, ": malformed"})};
    return Birth{*generation, *slot, *listeners, words[3] == "1", words[4] == "1"};
}

void open_log(const config::Config& config, const Arguments& arguments, const std::string& program, bool log_file) {
    log::Options options = config::log_options(config, program, arguments.verbose);
    if (log_file) {
        log::open_file(std::move(options), Fd(kLogFd));
    } else {
        ::close(kLogFd);
        log::open_syslog(std::move(options));
    }
    log::set_delay_digits(static_cast<unsigned>(config.get(param::delay_logging_resolution_limit)));
    ::tzset();  // before the sandbox hides the zone files
}

std::string name_of_program(const char* argv0) {
    const std::string_view path = argv0;
    return std::string(path.substr(path.rfind('/') + 1));
}

Result<std::pair<std::string, std::string>> override_of(std::string_view text) {
    const auto pair = split_once(text, '=');
    if (!pair || pair->first.empty()) return Error{Errc::invalid, cat({"option -o ", text, ": need name=value"})};
    return std::pair(std::string(trim(pair->first)), std::string(trim(pair->second)));
}

}  // namespace

Result<Arguments> parse_arguments(int argc, char** argv) {
    Arguments arguments;
    ::opterr = 0;
    ::optind = 0;  // glibc: begin anew, whatever was parsed before
    for (int option = 0; (option = ::getopt(argc, argv, "+cDdi:lm:n:o:s:t:uvVz")) != -1;) {
        const std::string value = ::optarg != nullptr ? ::optarg : "";
        switch (option) {
            case 'n': arguments.service = value; break;
            case 't': arguments.type = value; break;
            case 'v': arguments.verbose = true; break;
            case 'o': {
                TRY_ASSIGN(auto pair, override_of(value));
                arguments.overrides.push_back(std::move(pair));
                break;
            }
            case '?':
                return Error{Errc::invalid, cat({"option -", std::string(1, static_cast<char>(::optopt)), ": unknown"})};
            default: break;  // Postfix's others say what master tells us by other means
        }
    }
    if (arguments.service.empty()) return Error{Errc::invalid, "option -n: the service name is missing"};
    return arguments;
}

Child::Child(Arguments arguments, std::string program, std::unique_ptr<config::Config> config, const Profile& profile,
             Scoreboard scoreboard)
    : arguments_(std::move(arguments)), program_(std::move(program)), config_(std::move(config)), profile_(profile),
      scoreboard_(std::move(scoreboard)) {}

Result<Child> Child::start(int argc, char** argv) {
    TRY_ASSIGN(const Birth birth, read_birth());
    TRY_ASSIGN(Arguments arguments, parse_arguments(argc, argv));
    const std::string program = name_of_program(argv[0]);
    const Profile* profile = find_profile(program);
    if (profile == nullptr) return Error{Errc::invalid, program + ": has no profile"};
    TRY_ASSIGN(auto snapshot, read_snapshot(Fd(kConfigFd)));
    config::Overrides overrides = arguments.overrides;
    overrides.emplace(overrides.begin(), "service_name", arguments.service);  // $service_name in -o options
    TRY_ASSIGN(auto config, config::Config::from(snapshot, overrides));
    open_log(config, arguments, program, birth.log_file);
    if (auto set = config::set_process_wide(config); !set) log::warning("", set.error().what);
    TRY(load_unicode());  // before the sandbox hides the library
    if (birth.records)
        log::open_records(Fd(kRecordsFd));
    else
        ::close(kRecordsFd);
    const std::string queue = config.get(param::queue_directory);
    if (::chdir(queue.c_str()) != 0) return sys::system_error("change to queue_directory " + queue);
    for (int fd : {kControlFd, kScoreboardFd, kLogFd, kLifeFd, kRecordsFd}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    TRY_ASSIGN(Scoreboard scoreboard, Scoreboard::attach(Fd(kScoreboardFd)));
    Child child(std::move(arguments), program, std::make_unique<config::Config>(std::move(config)), *profile,
                std::move(scoreboard));
    child.snapshot_ = std::make_unique<config::Snapshot>(std::move(snapshot));
    child.keys_ = std::make_unique<KeyFiles>(KeyFiles::inherited());
    child.generation_ = birth.generation;
    child.slot_ = birth.slot;
    for (std::size_t i = 0; i < birth.listeners; ++i) {
        child.listeners_.emplace_back(kFirstListener + static_cast<int>(i));
        TRY(sys::set_close_on_exec(child.listeners_.back().get()));
    }
    const config::Config& c = *child.config_;
    child.max_served_ = std::uint64_t{c.get(param::max_use)} * kConnectionsPerUse;
    child.max_idle_ = c.get(param::max_idle);
    TRY(child.find_callers());
    return child;
}

Result<void> Child::find_callers() {
    callers_ = {0, ::geteuid()};
    if (is_inet()) return {};
    for (auto account : {Account::mail, Account::net, Account::policy, Account::queue, Account::out, Account::auth}) {
        const bool command_owner = profile_.commands_may_call && account == Account::mail;
        if (!contains(profile_.callers, account) && !command_owner) continue;
        // Daemons that have changed their uid already cannot ask as root; the database is world-readable.
        TRY_ASSIGN(const Identity identity, identity_of(account, *config_));
        callers_.push_back(identity.uid);
        if (profile_.commands_may_call) caller_group_ = identity.submit_gid;
    }
    return {};
}

Seconds Child::patience() const {
    const Millis time = config_->get(program_ == "qmgr" ? param::qmgr_daemon_timeout : param::daemon_timeout);
    return std::max(std::chrono::duration_cast<Seconds>(time), Seconds{1});
}

// SIGALRM has no handler: what is stuck could not run one that says more than master does.
void Child::watch_me() const { ::alarm(static_cast<unsigned>(patience().count())); }
void Child::end_watch() { ::alarm(0); }

Result<void> Child::restrict() {
    if (auto failure = config::table_failure()) return *std::move(failure);
    TRY(sys::raise_descriptor_limit());
    if (profile_.restricts_itself) return {};
    TRY_ASSIGN(const auto done, sys::restrict(profile_.promises, path_rules(profile_, *config_)));
    if (!done.note.empty()) log::debug("", done.note);
    return {};
}

void Child::tell(ipc::StatusEvent event) {
    // Master reads eagerly; if it does not, it is gone, and the end of the control channel ends us.
    static_cast<void>(control_.send(ipc::Status{event, generation_}, Deadline::in(kControlWait)).has_value());
}

void Child::ready() { tell(ipc::StatusEvent::ready); }

void Child::retired() { tell(ipc::StatusEvent::retired); }

void Child::set_idle() { scoreboard_.set_state(slot_, Scoreboard::State::idle); }

void Child::set_busy() {
    scoreboard_.set_state(slot_, Scoreboard::State::busy);
    if (!scoreboard_.any_idle() && !scoreboard_.watched()) tell(ipc::StatusEvent::all_busy);
}

void Child::set_sessions(std::size_t sessions) {
    scoreboard_.set_sessions(slot_, static_cast<std::uint32_t>(sessions));
}

void Child::count_served() {
    ++served_;
    scoreboard_.count_served(slot_);
}

void Child::leave_master() {
    static_cast<void>(control_.release());
    ::close(kLifeFd);  // sessions outlive their service
}

bool Child::may_call(int socket) {
    const auto peer = sys::peer_credentials(socket);
    if (!peer) return false;
    for (uid_t uid : callers_) {
        if (peer->uid == uid) return true;
    }
    if (caller_group_ && peer->gid == *caller_group_) return true;
    log::warning("", cat({"connection from uid ", std::to_string(peer->uid), " refused: service ", arguments_.service,
                          " is not for it"}));
    return false;
}

int start_failed(const Error& error) {
    log::fatal("", error.what);
    return 1;
}

}  // namespace postern::service
