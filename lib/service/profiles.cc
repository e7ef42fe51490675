#include "lib/service/profiles.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "lib/base/strings.h"
#include "lib/sys/fs.h"
#include "lib/sys/users.h"

namespace postern::service {
namespace {

using sys::Promise;
using enum sys::PathRule::Access;

// What workers that read tables may look at: configuration and system databases; uid decides the rest.
constexpr ProfilePath kTablePaths[] = {{Anchor::config, "", read}, {Anchor::system, "/", read}};
// Name service switch and resolver files.
constexpr ProfilePath kResolverPaths[] = {{Anchor::system, "/etc", read}, {Anchor::system, "/run", read},
                                          {Anchor::system, "/usr/share", read}, {Anchor::system, "/var/lib/unbound", read}};
// Tables of passwords and policies, wherever they are; uid decides.
constexpr ProfilePath kForwarderPaths[] = {{Anchor::config, "", read}, {Anchor::system, "/", read}};
// cleanup reads the tables of header_checks and body_checks.
constexpr ProfilePath kCleanupPaths[] = {{Anchor::queue, "incoming", write}, {Anchor::queue, "hold", write},
                                         {Anchor::config, "", read}, {Anchor::system, "/", read}};
constexpr ProfilePath kScreenPaths[] = {{Anchor::data, "", write}, {Anchor::config, "", read}, {Anchor::system, "/", read}};
constexpr ProfilePath kPickupPaths[] = {{Anchor::queue, "maildrop", write}};
constexpr ProfilePath kQueuePaths[] = {{Anchor::queue, "incoming", write}, {Anchor::queue, "active", write},
                                       {Anchor::queue, "deferred", write}, {Anchor::queue, "hold", write},
                                       {Anchor::queue, "corrupt", write}, {Anchor::queue, "bounce", write},
                                       {Anchor::queue, "defer", write}, {Anchor::queue, "trace", write},
                                       {Anchor::queue, "flush", write}, {Anchor::queue, "saved", write}};
constexpr ProfilePath kShowqPaths[] = {{Anchor::queue, "incoming", read}, {Anchor::queue, "active", read},
                                       {Anchor::queue, "deferred", read}, {Anchor::queue, "hold", read},
                                       {Anchor::queue, "maildrop", read}, {Anchor::queue, "defer", read},
                                       {Anchor::queue, "bounce", read}};
constexpr ProfilePath kBouncePaths[] = {{Anchor::queue, "bounce", write}, {Anchor::queue, "defer", write},
                                        {Anchor::queue, "trace", write}, {Anchor::config, "", read}};
constexpr ProfilePath kVerifyPaths[] = {{Anchor::data, "", write}};
constexpr ProfilePath kAuthPaths[] = {{Anchor::config, "", read}, {Anchor::users, "", read}, {Anchor::token_keys, "", read},
                                      {Anchor::system, "/etc", read}};

constexpr auto kFront = Promise::stdio | Promise::inet_accepted | Promise::unix_sockets | Promise::receive_fd;
constexpr auto kReader = Promise::stdio | Promise::read_files | Promise::unix_sockets;
// Tables may be servers: SQL, tcp:, socketmap:.
constexpr auto kTables = kReader | Promise::inet_connect;
constexpr auto kWriter = Promise::stdio | Promise::read_files | Promise::write_files | Promise::unix_sockets | Promise::receive_fd;
constexpr auto kBecomesUser = kWriter | Promise::fork | Promise::set_id;
constexpr auto kRunsCommands = kBecomesUser | Promise::exec;  // as somebody else than root, always
constexpr auto kAsksDns = Promise::stdio | Promise::dns | Promise::unix_sockets | Promise::read_files;
constexpr auto kOutgoing = Promise::stdio | Promise::inet_connect | Promise::dns | Promise::unix_sockets | Promise::receive_fd | Promise::read_files;

constexpr Accounts kNobody = 0;
constexpr Accounts kQueueOnly = only(Account::queue);
constexpr Accounts kSubmitters = Account::net | Account::mail | Account::queue;

constexpr Profile kProfiles[] = {
    // program           account          callers                                    commands promises      paths           itself
    {"smtpd",            Account::net,    only(Account::mail),                       false,   kFront,       {},             false, true},
    // As mail_owner, which owns the folder of its cache.
    {"postscreen",       Account::mail,   kNobody,                                   false,   kFront | kWriter | Promise::dns, kScreenPaths, false},
    {"login",            Account::net,    kNobody,                                   false,   kFront,       {},             false, true},
    {"policy",           Account::policy, only(Account::net),                        false,   kTables | Promise::dns, kTablePaths, false},
    {"peername",         Account::policy, only(Account::net),                        false,   kAsksDns,     kResolverPaths, false, true},
    {"anvil",            Account::policy, only(Account::net),                        false,   Promise::stdio | Promise::unix_sockets, {}, false},
    {"trivial-rewrite",  Account::policy, Account::queue | Account::policy,          false,   kTables | Promise::dns, kTablePaths, false},
    {"pickup",           Account::mail,   kNobody,                                   true,    kWriter,      kPickupPaths,   false},
    {"cleanup",          Account::queue,  kSubmitters,                               false,   kWriter | Promise::inet_connect, kCleanupPaths, false, true},
    {"qmgr",             Account::queue,  Account::net | Account::queue,              true,    kWriter,      kQueuePaths,    false, true},
    {"showq",            Account::queue,  kNobody,                                   true,    kReader,      kShowqPaths,    false},
    {"bounce",           Account::queue,  Account::queue | Account::out,                             false,   kWriter,      kBouncePaths,   false},
    {"verify",           Account::mail,   Account::policy | Account::queue,          false,   kWriter,      kVerifyPaths,   false},
    {"error",            Account::mail,   kQueueOnly,                                false,   kReader,      {},             false},
    {"discard",          Account::mail,   kQueueOnly,                                false,   kReader,      {},             false},
    {"local",            Account::root,   Account::queue | Account::policy,                                false,   kRunsCommands, {},            true},
    {"virtual",          Account::root,   Account::queue | Account::policy,                                false,   kBecomesUser, {},             true},
    {"pipe",             Account::root,   kQueueOnly,                                false,   kRunsCommands, {},            true},
    {"smtp",             Account::out,    kQueueOnly,                                false,   kOutgoing,    kForwarderPaths, false},
    {"lmtp",             Account::out,    kQueueOnly,                                false,   kOutgoing,    kForwarderPaths, false},
    {"auth",             Account::auth,   Account::net | Account::policy,                     false,   kReader | Promise::fork, kAuthPaths, false, true},
    {"introspect",       Account::out,    only(Account::auth),                       false,   kOutgoing,    kResolverPaths, false},
    {"imapd",            Account::root,   only(Account::net),                        false,   kBecomesUser, {},             true, true},
    {"pop3d",            Account::root,   only(Account::net),                        false,   kBecomesUser, {},             true, true},
};

// The daemons' users are named after mail_owner: postern, postern-net, postern-policy...
std::string account_name(Account account, const config::Config& config) {
    if (account == Account::root) return "root";
    constexpr std::string_view kSuffixes[] = {"", "", "-net", "-policy", "-queue", "-out", "-auth"};
    return config.get(param::mail_owner) + std::string(kSuffixes[static_cast<std::size_t>(account)]);
}

// A system that root started, seen from root or from a daemon that has changed its user already: its queue
// directory is root's. An instance of an ordinary user is all that user's.
bool has_separate_users(const config::Config& config) {
    if (sys::is_root()) return true;
    const auto queue = sys::RealFs::instance().info(config.get(param::queue_directory));
    return queue && queue->uid == 0;
}

Error missing(std::string_view kind, std::string_view name) {
    return {Errc::not_found, cat({kind, " ", name, " does not exist: run \"postern set-permissions\" to make it"})};
}

}  // namespace

const Profile* find_profile(std::string_view program) {
    const auto* found = std::find_if(std::begin(kProfiles), std::end(kProfiles),
                                     [&](const Profile& p) { return p.program == program; });
    return found == std::end(kProfiles) ? nullptr : found;
}

std::span<const Profile> profiles() { return kProfiles; }

bool tells_of_messages(const Profile& profile) {
    constexpr std::string_view kOthers[] = {"login", "imapd", "pop3d", "auth", "introspect", "peername", "anvil", "postscreen"};
    return std::find(std::begin(kOthers), std::end(kOthers), profile.program) == std::end(kOthers);
}

Result<Identity> identity_of(Account account, const config::Config& config) {
    if (!has_separate_users(config)) return Identity{"", ::geteuid(), ::getegid(), ::getegid()};
    const std::string name = account_name(account, config);
    auto user = sys::find_user(name);
    if (user.failed()) return std::move(user).error();
    if (user.not_found()) return missing("user", name);
    const std::string group_name = config.get(param::setgid_group);
    auto group = sys::find_group(group_name);
    if (group.failed()) return std::move(group).error();
    if (group.not_found()) return missing("group", group_name);
    return Identity{name, user->uid, user->gid, *group};
}

namespace {

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

std::vector<sys::PathRule> path_rules(const Profile& profile, const config::Config& config) {
    std::vector<sys::PathRule> rules;
    for (const auto& rule : profile.paths) {
        std::string path(rule.path);
        if (rule.anchor == Anchor::queue) path = cat({config.get(param::queue_directory), "/", rule.path});
        if (rule.anchor == Anchor::config) path = config.directory();
        if (rule.anchor == Anchor::data) path = config.get(param::data_directory);
        if (rule.anchor == Anchor::token_keys) {
            if (config.get(param::auth_oauth2_keys).empty()) continue;
            path = folder_of(config.get(param::auth_oauth2_keys));
        }
        if (rule.anchor == Anchor::users) path = folder_of(config.get(param::auth_passwd_file));
        rules.push_back({std::move(path), rule.access});
    }
    return rules;
}

}  // namespace postern::service
