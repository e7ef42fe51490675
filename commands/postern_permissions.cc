#include "commands/postern_permissions.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/service/profiles.h"
#include "lib/sys/error.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"
#include "lib/sys/users.h"

namespace postern::commands {
namespace {

using service::Account;

constexpr std::size_t kMaxStockAliases = 64 * 1024;

enum class Group : unsigned char { own, submit };  // the owner's group, or setgid_group

struct Folder {
    std::string_view path;
    Account owner;
    Group group;
    mode_t mode;
};

constexpr std::string_view kPidFolder = "pid";  // process_id_directory

// Postfix's layout. private/ and public/ are passed by group: all daemons are in the first one's, the
// set-gid commands in the second one's.
constexpr Folder kFolders[] = {
    {"", Account::root, Group::own, 0755},
    {kPidFolder, Account::root, Group::own, 0755},
    {"private", Account::mail, Group::own, 0710},
    {"public", Account::mail, Group::submit, 02710},
    {"maildrop", Account::mail, Group::submit, 01730},
    {"incoming", Account::queue, Group::own, 0700},
    {"active", Account::queue, Group::own, 0700},
    {"deferred", Account::queue, Group::own, 0700},
    {"hold", Account::queue, Group::own, 0700},
    {"corrupt", Account::queue, Group::own, 0700},
    {"bounce", Account::queue, Group::own, 0700},
    {"defer", Account::queue, Group::own, 0700},
    {"trace", Account::queue, Group::own, 0700},
    {"flush", Account::queue, Group::own, 0700},
    {"saved", Account::queue, Group::own, 0700},
    {"mailtrace", Account::root, Group::own, 0700},
};

struct Ownership {
    uid_t uid = 0;
    gid_t gid = 0;
};

Result<Ownership> ownership_of(const Folder& folder, const config::Config& config) {
    TRY_ASSIGN(const auto identity, service::identity_of(folder.owner, config));
    return Ownership{identity.uid, folder.group == Group::submit ? identity.submit_gid : identity.gid};
}

std::string path_of(const Folder& folder, const config::Config& config) {
    const std::string base = config.get(param::queue_directory);
    if (folder.path.empty()) return base;
    if (folder.path != kPidFolder) return cat({base, "/", folder.path});
    const std::string name = config.get(param::process_id_directory);
    return name.starts_with('/') ? name : cat({base, "/", name});
}

// A folder outside of the queue may be others' too, such as /run.
bool is_ours(const Folder& folder, const config::Config& config) {
    return folder.path != kPidFolder || !config.get(param::process_id_directory).starts_with('/');
}

Result<void> set_owner_and_mode(const std::string& path, const Ownership& owner, mode_t mode) {
    if (sys::is_root() && ::lchown(path.c_str(), owner.uid, owner.gid) != 0) return sys::system_error("chown " + path);
    return sys::RealFs::instance().set_mode(path, mode);  // after chown, which clears set-gid bits
}

Result<void> prepare_folder(const Folder& folder, const config::Config& config) {
    auto& fs = sys::RealFs::instance();
    const std::string path = path_of(folder, config);
    if (fs.info(path)) return {};
    TRY_ASSIGN(const Ownership owner, ownership_of(folder, config));
    TRY(fs.make_directory(path, 0700));
    return set_owner_and_mode(path, owner, folder.mode);
}

Result<void> prepare_data_folder(const config::Config& config) {
    auto& fs = sys::RealFs::instance();
    const std::string path = config.get(param::data_directory);
    TRY_ASSIGN(const auto identity, service::identity_of(Account::mail, config));
    const auto present = fs.info(path);
    if (present && present->uid == identity.uid) return {};
    if (!present) TRY(fs.make_directory(path, 0700));
    return set_owner_and_mode(path, {identity.uid, identity.gid}, 0700);
}

// Runs a system tool without a shell and waits for it.
Result<void> run(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) return sys::system_error("fork");
    if (pid == 0) {
        ::execvp(arguments[0], arguments.data());
        std::perror(arguments[0]);
        ::_exit(127);
    }
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || status != 0)
        return Error{Errc::permanent, cat({"\"", join(words, " "), "\" failed"})};
    return {};
}

Result<void> make_group(const std::string& name) {
    const auto found = sys::find_group(name);
    if (found.failed()) return found.error();
    if (found.found()) return {};
    log::info("", "adding group " + name);
    return run({"groupadd", "--system", name});
}

Result<void> make_user(const std::string& name, const std::string& group, const std::string& home) {
    const auto found = sys::find_user(name);
    if (found.failed()) return found.error();
    if (found.found()) return {};
    log::info("", "adding user " + name);
    return run({"useradd", "--system", "--no-create-home", "--home-dir", home, "--shell", "/usr/sbin/nologin", "--gid", group, name});
}

Result<void> make_accounts(const config::Config& config) {
    const std::string owner = config.get(param::mail_owner);
    const std::string submit = config.get(param::setgid_group);
    TRY(make_group(owner));
    TRY(make_group(submit));
    for (std::string_view suffix : {"", "-net", "-policy", "-queue", "-out", "-auth"}) {
        const std::string name = cat({owner, suffix});
        TRY(make_user(name, owner, config.get(param::queue_directory)));
        TRY(run({"usermod", "--append", "--groups", submit, name}));
    }
    return {};
}

// postdrop and postqueue are set-gid, so that local users can submit without being able to touch the queue.
Result<void> set_command_groups(const config::Config& config) {
    TRY_ASSIGN(const auto identity, service::identity_of(Account::mail, config));
    for (std::string_view name : {"postdrop", "postqueue"}) {
        const std::string path = cat({config.get(param::command_directory), "/", name});
        if (!sys::RealFs::instance().info(path)) {
            log::warning("", path + ": not installed");
            continue;
        }
        TRY(set_owner_and_mode(path, {0, identity.submit_gid}, 02755));
    }
    return {};
}

// The alias files that newaliases shall build: each needs a text, or all local mail waits for it.
// What stands after other types is not such a text (mysql:/etc/postfix/aliases.cf).
constexpr std::pair<std::string_view, std::string_view> kBuiltTypes[] = {
    {"hash", ".db"}, {"btree", ".db"}, {"lmdb", ".lmdb"}, {"cdb", ".cdb"}};

Result<void> prepare_aliases(const config::Config& config) {
    auto& fs = sys::RealFs::instance();
    for (const auto& entry : config.list("alias_database")) {
        const auto parts = split_once(entry, ':');
        if (!parts || !parts->second.starts_with('/')) continue;
        const auto type = std::find_if(std::begin(kBuiltTypes), std::end(kBuiltTypes),
                                       [&](const auto& one) { return one.first == parts->first; });
        if (type == std::end(kBuiltTypes)) continue;
        const std::string text(parts->second);
        if (!fs.info(text)) {
            TRY_ASSIGN(const std::string stock, sys::read_file(POSTERN_DATADIR "/aliases", kMaxStockAliases));
            log::info("", "making " + text);
            TRY(sys::replace_file(text, stock));
        }
        if (!fs.info(cat({text, type->second}))) TRY(run({cat({config.get(param::command_directory), "/postalias"}), entry}));
    }
    return {};
}

}  // namespace

Result<void> prepare_folders(const config::Config& config) {
    for (const auto& folder : kFolders) TRY(prepare_folder(folder, config));
    return prepare_data_folder(config);
}

Result<int> set_permissions(const config::Config& config) {
    if (sys::is_root()) TRY(make_accounts(config));
    TRY(prepare_folders(config));
    for (const auto& folder : kFolders) {
        if (!is_ours(folder, config)) continue;
        TRY_ASSIGN(const Ownership owner, ownership_of(folder, config));
        TRY(set_owner_and_mode(path_of(folder, config), owner, folder.mode));
    }
    if (!sys::is_root()) return 0;
    TRY(set_command_groups(config));
    TRY(prepare_aliases(config));
    return 0;
}

Result<bool> check_permissions(const config::Config& config) {
    bool fine = true;
    for (const auto& folder : kFolders) {
        if (!is_ours(folder, config)) continue;
        const std::string path = path_of(folder, config);
        TRY_ASSIGN(const Ownership owner, ownership_of(folder, config));
        const auto info = sys::RealFs::instance().info(path);
        if (!info) {
            log::warning("", info.error().what);
        } else if (info->uid != owner.uid || info->gid != owner.gid || info->mode != folder.mode) {
            char text[128];
            std::snprintf(text, sizeof text, ": owner %u:%u mode %04o, should be %u:%u mode %04o", info->uid, info->gid,
                          info->mode, owner.uid, owner.gid, folder.mode);
            log::warning("", path + text + " (\"postern set-permissions\" mends it)");
        } else {
            continue;
        }
        fine = false;
    }
    return fine;
}

}  // namespace postern::commands
