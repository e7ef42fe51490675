// The half of Store that is about folders of others': where they are, and who may do what in them.
// Whoever has no right to look a folder up is told that it does not exist (RFC 4314 6).
#include <algorithm>
#include <set>

#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/group_fs.h"
#include "lib/mailbox/private_place.h"
#include "lib/mailbox/store.h"
#include "lib/sys/beneath_fs.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kInboxName = "INBOX";
// Folders of another user's are made, renamed and deleted by their owner only.
constexpr std::string_view kOwnersRights = "kx";

std::string path_in(const std::string& root, std::string_view name) {
    return name == kInboxName ? root : cat({root, "/.", name});
}

Error no_such_mailbox() { return {Errc::not_found, "Mailbox does not exist", 0}; }

}  // namespace

void Store::add_mount(Mount mount) {
    if (!mount.fs) {
        auto opened = sys::BeneathFs::open_root(mount.root, *env_.fs);
        if (!opened) return log::warning("", cat({mount.prefix, ": ", opened.error().what}));
        mount.fs = *std::move(opened);
    }
    mounts_.push_back(std::move(mount));
}

bool Store::is_personal(std::string_view name) const {
    return std::none_of(namespaces_.begin(), namespaces_.end(),
                        [&](const Namespace& space) { return is_within(name, space.prefix); });
}

std::string Store::owner_of(std::string_view name) const {
    const auto place = place_of(name);
    if (!place) return {};
    return place->mount == nullptr ? person_.user : place->mount->owner;
}

// New files are for whom the folder, or, where it is not there yet, the tree is for.
Environment Store::environment_of(const Mount& mount, const std::string& path) const {
    Environment env = env_;
    env.quota = nullptr;
    env.root = mount.owner.empty() ? mount.root : path;
    env.use_shared_fs(mount.fs);
    auto info = mount.fs->info(path);
    if (!info) info = mount.fs->info(mount.root);
    const bool is_directory = info && info->kind == sys::FileInfo::Kind::directory;
    if (is_directory && GroupFs::is_needed(info->mode)) env.use_group_fs(info->mode);
    // Names may change, and with them their files would be lost: UIDVALIDITY does not.
    env.private_place =
        std::make_shared<PrivatePlace>(PrivatePlace{env_.fs, private_folder(), mount.prefix});
    return env;
}

std::string Store::private_folder() const { return env_.root + "/postern.seen"; }

// Where the user's own part of a folder of others' is that has this ending.
Result<std::string> Store::private_file(const Place& place, std::string_view which) const {
    TRY_ASSIGN(const std::uint32_t validity, Mailbox(place.env, place.path).uid_validity());
    return place.env.private_place->file(validity, which);
}

Result<std::string> Store::make_private_folder() const {
    const PrivatePlace place{env_.fs, private_folder(), {}};
    TRY(place.make());
    return place.folder;
}

bool Store::is_private_file_of(std::string_view name, std::uint32_t uid_validity,
                               std::string_view file) const {
    const auto mount = std::find_if(mounts_.begin(), mounts_.end(),
                                    [&](const Mount& one) { return is_within(name, one.prefix); });
    if (mount == mounts_.end()) return false;
    const std::string group = private_group(mount->prefix, uid_validity);
    return file == group || file == cat({group, PrivatePlace::kMetadata});
}

Result<void> Store::forget_absent_folders() const {
    if (namespaces_.empty()) return {};
    std::optional<std::set<std::string>> there;
    return forget_absent(*env_.fs, *env_.clock, private_folder(), [&](const std::string& group) {
        if (!there) there = private_groups();
        return there->contains(group);
    });
}

// Those of the folders that can be seen.
std::set<std::string> Store::private_groups() const {
    std::set<std::string> out;
    for (const Mount& mount : mounts_) {
        std::vector<std::string> names;
        list_mount(mount, names);
        for (const std::string& name : names)
            if (const auto box = mailbox(name))
                out.insert(private_group(mount.prefix, box->known_uid_validity()));
    }
    return out;
}

// Looked for by who opens a folder: of a tree, a file says whether there is one.
std::shared_ptr<const Quota> Store::quota_of(const Mount& mount) const {
    const bool tree = mount.owner.empty();
    auto quota = std::make_shared<const Quota>(
        tree ? Quota::of_tree(*mount.fs, *env_.clock, mount.root)
             : Quota::of_other(*mount.fs, *env_.clock, mount.root, mount.limits));
    return quota->limits().any() ? quota : nullptr;
}

Result<Store::QuotaRoot> Store::quota_root(std::string_view name) const {
    TRY_ASSIGN(const std::string folder, canonical(name));
    if (is_personal(folder)) return QuotaRoot{{}, env_.quota};
    TRY_ASSIGN(const Place place, existing(folder));
    return QuotaRoot{place.mount->prefix, quota_of(*place.mount)};
}

Result<Store::Place> Store::place_of(std::string_view name) const {
    TRY_ASSIGN(const std::string folder, canonical(name));
    if (is_personal(folder)) return Place{nullptr, folder, env_, path_of(folder)};
    for (const Mount& mount : mounts_) {
        if (!is_within(folder, mount.prefix) || folder.size() == mount.prefix.size()) continue;
        const auto local = canonical(std::string_view(folder).substr(mount.prefix.size() + 1));
        // The root of a public tree is a folder to other programs only.
        if (!local || (mount.owner.empty() && *local == kInboxName)) break;
        const std::string path = path_in(mount.root, *local);
        return Place{&mount, *local, environment_of(mount, path), path};
    }
    return no_such_mailbox();
}

bool Store::is_there(const Place& place) const {
    const auto info = place.env.fs->info(place.path + "/cur");
    return info && info->kind == sys::FileInfo::Kind::directory;
}

Result<Store::Place> Store::existing(std::string_view name) const {
    TRY_ASSIGN(Place place, place_of(name));
    TRY(guard(place));
    if (!is_there(place)) {
        // One that cannot be looked into is there: who hears that it is gone may delete his copy.
        const auto info = place.env.fs->info(place.path + "/cur");
        const bool unknown = !info && info.error().code != Errc::not_found;
        if (unknown && place.mount == nullptr) return Error(info.error());
        return no_such_mailbox();
    }
    if (place.mount != nullptr && !has_right(rights_in(*place.mount, place.name), 'l'))
        return no_such_mailbox();
    return place;
}

Result<std::optional<Acl>> Store::acl_in(const Mount& mount, std::string name) const {
    for (;;) {
        TRY_ASSIGN(auto acl, read_acl(*mount.fs, path_in(mount.root, name)));
        if (acl || !mount.owner.empty()) return acl;
        const auto at = name.rfind(kSeparator);
        if (at == std::string::npos) return read_acl(*mount.fs, mount.root);
        name.resize(at);
    }
}

// Folders without a list of their own have one from above. Before what is above becomes another,
// each of these gets what it has now.
Result<void> Store::keep_lists(const Mount& mount, std::span<const std::string> names) const {
    for (const std::string& name : names) {
        const std::string path = path_in(mount.root, name);
        TRY_ASSIGN(const auto own, read_acl(*mount.fs, path));
        if (own) continue;
        TRY_ASSIGN(const auto inherited, acl_in(mount, name));
        TRY(keep_acl(*mount.fs, path, inherited.value_or(Acl{})));
    }
    return {};
}

// What lies below a folder that goes, and had its list.
Result<void> Store::keep_lists_below(const Place& place) const {
    const Mount& mount = *place.mount;
    TRY_ASSIGN(const auto own, read_acl(*mount.fs, place.path));
    if (!own) return {};
    TRY_ASSIGN(std::vector<std::string> names, folder_names(*mount.fs, mount.root));
    std::erase_if(names, [&](const std::string& name) {
        return name == place.name || !is_within(name, place.name);
    });
    return keep_lists(mount, names);
}

// What moves goes on with its lists; a single folder may have the same from above where it goes.
Result<void> Store::keep_lists_of(const Place& source, const Place& target,
                                  std::span<const std::string> names) const {
    const Mount& mount = *source.mount;
    if (names.size() == 1) {
        TRY_ASSIGN(const auto here, acl_in(mount, names.front()));
        TRY_ASSIGN(const auto there, acl_in(mount, target.name));
        if (here == there) return {};
    }
    return keep_lists(mount, names);
}

std::string Store::rights_in(const Mount& mount, const std::string& name) const {
    if (!mount.owner.empty() &&
        std::find(mount.folders.begin(), mount.folders.end(), name) == mount.folders.end())
        return {};
    const auto acl = acl_in(mount, name);
    if (!acl) {
        log::warning("", acl.error().what);
        return {};
    }
    std::string rights = *acl ? rights_of_other(**acl, person_) : std::string();
    if (!mount.owner.empty())
        std::erase_if(rights, [](char right) { return has_right(kOwnersRights, right); });
    return rights;
}

Result<std::string> Store::rights(std::string_view name) const {
    TRY_ASSIGN(const Place place, existing(name));
    return rights_at(place);
}

Result<std::string> Store::rights_at(const Place& place) const {
    if (place.mount != nullptr) return rights_in(*place.mount, place.name);
    TRY_ASSIGN(const auto acl, read_acl(*place.env.fs, place.path));
    return acl ? rights_of_owner(*acl, person_.user) : std::string(kAllRights);
}

// Of the folder above; a level that is no folder is as the one above it.
std::string Store::rights_above(std::string_view name) const {
    const auto place = place_of(name);
    if (!place) return is_personal(name) ? std::string(kAllRights) : std::string();
    std::string above = place->name;
    const auto at = above.rfind(kSeparator);
    if (place->mount == nullptr) {
        if (at == std::string::npos) return std::string(kAllRights);
        above.resize(at);
        return rights(above).value_or(std::string(exists(above) ? "" : kAllRights));
    }
    if (!place->mount->owner.empty()) return {};
    // With an empty name, acl_in() looks at the root.
    above.resize(at == std::string::npos ? 0 : at);
    if (!above.empty()) return rights_in(*place->mount, above);
    const auto acl = read_acl(*place->mount->fs, place->mount->root);
    return acl && *acl ? rights_of_other(**acl, person_) : std::string();
}

Result<Acl> Store::acl(std::string_view name) const {
    TRY_ASSIGN(const Place place, existing(name));
    if (place.mount == nullptr) {
        TRY_ASSIGN(auto own, read_acl(*place.env.fs, place.path));
        return own.value_or(Acl{});
    }
    TRY_ASSIGN(auto acl, acl_in(*place.mount, place.name));
    return acl.value_or(Acl{});
}

Result<void> Store::set_acl(std::string_view name, std::string_view identifier, AclChange change,
                            std::string_view rights) const {
    TRY_ASSIGN(const Place place, existing(name));
    TRY_ASSIGN(const Acl before, acl(name));
    return edit_acl(*place.env.fs, place.path, before, identifier, change, rights);
}

// What cannot be read is not shown; the others are.
void Store::list_mount(const Mount& mount, std::vector<std::string>& names) const {
    std::vector<std::string> found = mount.folders;
    if (mount.owner.empty()) {
        auto listed = folder_names(*mount.fs, mount.root);
        if (!listed) return log::warning("", listed.error().what);
        found = *std::move(listed);
        std::erase(found, kInboxName);
    }
    for (const std::string& name : found) {
        const std::string shown = cat({mount.prefix, std::string(1, kSeparator), name});
        if (exists(shown)) names.push_back(shown);
    }
}

// RFC 4314 4: "x" for each that is renamed. 6: what may not be seen is as if it were not there.
Result<void> Store::may_rename(const Place& source, std::span<const std::string> names) const {
    const auto has = [&](char right) {
        return [&, right](const std::string& name) {
            return has_right(rights_in(*source.mount, name), right);
        };
    };
    const bool itself = std::find(names.begin(), names.end(), source.name) != names.end();
    const bool seen = itself ? has('l')(source.name)
                             : std::any_of(names.begin(), names.end(), has('l'));
    if (!seen) return no_such_mailbox();
    if (std::all_of(names.begin(), names.end(), has('x'))) return {};
    return Error{Errc::denied, "Access control lists of what is renamed forbid it", 0};
}

Result<void> Store::rename_mounted(const Place& source, const Place& target) const {
    if (!source.mount->owner.empty()) return Error{Errc::denied, "Not the owner", 0};
    const std::string& root = source.mount->root;
    TRY_ASSIGN(const std::vector<std::string> names, folder_names(*source.mount->fs, root));
    std::vector<std::string> moving;
    for (const std::string& name : names)
        if (is_within(name, source.name)) moving.push_back(name);
    TRY(may_rename(source, moving));
    // What is below the new name would be under another list, or get what nobody may create there.
    if (std::any_of(names.begin(), names.end(),
                    [&](const std::string& name) {
                        return is_within(name, target.name) && !is_within(name, source.name);
                    }))
        return Error{Errc::permanent, "Mailbox already exists, or one below it", 0};
    std::vector<std::pair<std::string, std::string>> moves;
    for (const std::string& name : moving) {
        TRY_ASSIGN(const std::string moved,
                   canonical(target.name + name.substr(source.name.size())));
        moves.emplace_back(path_in(root, name), path_in(root, moved));
    }
    TRY(keep_lists_of(source, target, moving));
    for (const auto& [from, to] : moves) TRY(source.mount->fs->rename(from, to));
    return source.mount->fs->sync_directory(root);
}

std::vector<std::string> shared_folders(const std::string& root, const Person& person,
                                        sys::Fs& fs) {
    std::vector<std::string> out;
    const auto lets_in = [&](const std::string& path) {
        const auto acl = read_acl(fs, path);
        return acl && *acl && has_right(rights_of_other(**acl, person), 'l');
    };
    if (lets_in(root)) out.emplace_back(kInboxName);
    const auto entries = fs.list(root);
    if (!entries) return out;
    for (const auto& entry : *entries) {
        if (entry.kind != sys::FileInfo::Kind::directory || !entry.name.starts_with('.')) continue;
        const auto name = Store::canonical(std::string_view(entry.name).substr(1));
        if (name && *name != kInboxName && lets_in(root + "/" + entry.name)) out.push_back(*name);
    }
    std::sort(out.begin(), out.end());
    return out;
}

Result<std::vector<std::string>> Store::own_readers() const {
    TRY_ASSIGN(const std::vector<std::string> names, folder_names(*env_.fs, env_.root));
    std::set<std::string> out;
    for (const std::string& name : names) {
        const auto acl = read_acl(*env_.fs, path_of(name));
        if (!acl || !*acl) continue;
        for (std::string& reader : readers_of(**acl, person_.user)) out.insert(std::move(reader));
    }
    return std::vector<std::string>(out.begin(), out.end());
}

}  // namespace postern::mailbox
