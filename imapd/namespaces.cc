#include "imapd/namespaces.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "lib/base/strings.h"
#include "lib/imap/mailbox_name.h"
#include "lib/ipc/channel.h"
#include "lib/log/log.h"
#include "lib/sys/beneath_fs.h"
#include "lib/sys/users.h"

namespace postern::imapd {
namespace {

constexpr std::size_t kMaxOwners = 200;  // who share with one user
constexpr Millis kOwnerWait{5'000};
constexpr Millis kAllOwnersWait{10'000};

Result<std::string> prefix_of(std::string_view name) {
    auto prefix = mailbox::Store::canonical(imap::encode_mailbox_name(name));
    if (!prefix) return prefix;
    if (istarts_with(*prefix, "INBOX") && (prefix->size() == 5 || (*prefix)[5] == '.'))
        return Error{Errc::invalid, "INBOX is everybody's own", 0};
    return prefix;
}

}  // namespace

Result<mailbox::Mount> parse_public_folder(std::string_view text) {
    const auto parts = split_once(text, '=');
    if (!parts) return Error{Errc::invalid, cat({text, ": not of the form name=/path"}), 0};
    std::string root(parts->second);
    while (root.size() > 1 && root.ends_with('/')) root.pop_back();
    if (!root.starts_with('/') || root == "/" || root.find("/..") != std::string::npos)
        return Error{Errc::invalid, cat({text, ": not an absolute path"}), 0};
    auto prefix = prefix_of(parts->first);
    if (!prefix) return Error{Errc::invalid, cat({text, ": ", prefix.error().what}), 0};
    return mailbox::Mount{*std::move(prefix), std::move(root), {}, {}, {}};
}

std::string level_of_user(std::string_view user) {
    std::string level = imap::encode_mailbox_name(user);
    std::replace(level.begin(), level.end(), mailbox::kSeparator, '^');
    return level;
}

// What makes no sense is told and left out: the user's own mail is there all the same.
Sharing::Sharing(SharingOptions options) : options_(std::move(options)) {
    for (const std::string& text : options_.public_folders) {
        auto mount = parse_public_folder(text);
        if (mount)
            public_.push_back(*std::move(mount));
        else
            log::warning("", "mailbox_public_folders: " + mount.error().what);
    }
    if (options_.dict.empty()) return;
    auto prefix = prefix_of(options_.users_prefix);
    if (!prefix) {
        log::warning(
            "", cat({"mailbox_shared_prefix: ", options_.users_prefix, ": ", prefix.error().what}));
        return;
    }
    options_.users_prefix = *std::move(prefix);
    dict_.emplace(sys::RealFs::instance(), options_.dict);
}

std::vector<gid_t> Sharing::prepare(const ipc::Grant& grant) {
    person_.user = grant.user;
    for (const std::string_view group : split_words(grant.groups, ","))
        person_.groups.emplace_back(group);
    if (public_.empty() && !dict_) return {};
    const auto system = sys::find_user(grant.user);
    const bool of_system = system.found() && system->uid == grant.uid;
    const std::vector<gid_t> gids = of_system ? join_groups(grant) : std::vector<gid_t>();
    const auto found = dict_ ? find_owners() : Result<void>();
    if (found) return gids;
    knows_all_ = false;
    log::warning("", "shared folders: " + found.error().what);
    return gids;
}

// A user of the system brings his groups: all of them for access control lists, those that the
// trees belong to for the process.
std::vector<gid_t> Sharing::join_groups(const ipc::Grant& grant) {
    const std::vector<gid_t> trees = groups_of_trees();
    std::vector<gid_t> gids;
    for (const auto& group : sys::groups_of(grant.user, grant.gid)) {
        person_.groups.push_back(group.name);
        const bool of_tree = std::find(trees.begin(), trees.end(), group.gid) != trees.end();
        if (of_tree && group.gid != 0) gids.push_back(group.gid);
    }
    return gids;
}

std::vector<gid_t> Sharing::groups_of_trees() const {
    std::vector<std::string> places;
    for (const auto& mount : public_) places.push_back(mount.root);
    if (dict_) places.push_back(options_.dict.substr(0, options_.dict.rfind('/')));
    std::vector<gid_t> gids;
    for (const std::string& place : places)
        if (const auto info = sys::RealFs::instance().info(place)) gids.push_back(info->gid);
    return gids;
}

Result<void> Sharing::find_owners() {
    const auto owners = dict_->owners_for(person_, kMaxOwners);
    if (!owners) return Error(owners.error()).within("mailbox_shared_dict");
    const Deadline all = Deadline::in(kAllOwnersWait);
    for (const std::string& owner : *owners) {
        if (owner.size() > ipc::kMaxUser) continue;
        if (all.passed()) return Error{Errc::timeout, "auth is slow: not all owners are known", 0};
        TRY_ASSIGN(const auto answer,
                   ipc::call<ipc::UserAnswer>(options_.auth_path, ipc::UserRequest{owner},
                                              Deadline::in(std::min(kOwnerWait, all.left()))));
        if (answer.outcome == ipc::UserOutcome::temporary) knows_all_ = false;
        if (answer.outcome != ipc::UserOutcome::known || !answer.mailbox.starts_with('/'))
            continue;
        const std::string prefix =
            cat({options_.users_prefix, std::string(1, mailbox::kSeparator), level_of_user(owner)});
        if (mailbox::Store::canonical(prefix).value_or("") != prefix) continue;
        std::string root = answer.mailbox;
        while (root.size() > 1 && root.ends_with('/')) root.pop_back();
        owners_.push_back(
            {prefix, root, owner, {}, mailbox::limits_or_none(answer.quota_rule, owner)});
    }
    return {};
}

void Sharing::mount(mailbox::Store& store) const {
    store.set_person(person_);
    for (const auto& mount : public_) {
        store.add_namespace({mount.prefix, false});
        store.add_mount(mount);
    }
    if (!dict_) return;
    store.add_namespace({options_.users_prefix, true});
    for (mailbox::Mount mount : owners_) {
        auto opened = sys::BeneathFs::open_root(mount.root);
        if (!opened && opened.error().code != Errc::not_found && opened.error().code != Errc::denied)
            log::warning("", cat({mount.prefix, ": ", opened.error().what}));
        if (!opened) continue;
        mount.fs = *std::move(opened);
        mount.folders = mailbox::shared_folders(mount.root, person_, *mount.fs);
        if (mount.folders.empty()) continue;
        if (mount.limits.any()) mailbox::make_quota_files(mount.root, *mount.fs);
        store.add_mount(std::move(mount));
    }
}

namespace {

// For what stands there, and never for what a link of its owner's leads to.
void add_rule(std::vector<sys::PathRule>& rules, const mailbox::Mount& mount,
              const std::string& path, sys::PathRule::Access access) {
    auto there = mount.fs->open(path, O_PATH);
    if (there)
        rules.push_back({path, access, std::make_shared<const Fd>(*std::move(there))});
    else if (there.error().code != Errc::not_found && there.error().sys != EACCES)
        log::warning("", there.error().what);
}

// An owner's limits bind those whom he lets in (lib/mailbox/quota.h). To count, the names of all
// his messages must be seen, but none be read.
void add_quota_rules(std::vector<sys::PathRule>& rules, const mailbox::Mount& mount) {
    using enum sys::PathRule::Access;
    if (!mount.limits.any()) return;
    add_rule(rules, mount, mount.root, list);
    for (const std::string& file : mailbox::quota_files(mount.root)) {
        const auto info = mount.fs->info(file);
        const bool is_other = info && info->kind != sys::FileInfo::Kind::regular;
        if (is_other)
            log::warning("", file + " is no regular file: not used");
        else
            add_rule(rules, mount, file, write);
    }
}

}  // namespace

std::vector<sys::PathRule> Sharing::paths(const mailbox::Store& store) const {
    using enum sys::PathRule::Access;
    std::vector<sys::PathRule> out;
    for (const auto& mount : store.mounts()) {
        if (mount.owner.empty()) add_rule(out, mount, mount.root, write);
        for (const std::string& folder : mount.folders)
            add_rule(out, mount, folder == "INBOX" ? mount.root : cat({mount.root, "/.", folder}),
                     write);
        add_quota_rules(out, mount);
    }
    if (dict_) out.push_back({options_.dict.substr(0, options_.dict.rfind('/')), write});
    return out;
}

}  // namespace postern::imapd
