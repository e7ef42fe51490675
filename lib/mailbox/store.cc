#include "lib/mailbox/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "lib/base/encode.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/mailbox/folder_lock.h"
#include "lib/mailbox/foreign.h"
#include "lib/mailbox/group_fs.h"
#include "lib/mailbox/line_log.h"
#include "lib/mailbox/mbox_inbox.h"
#include "lib/mailbox/private_place.h"
#include "lib/mailbox/remove_tree.h"
#include "lib/sys/beneath_fs.h"

namespace postern::mailbox {
namespace {

constexpr std::string_view kInbox = "INBOX";
constexpr std::string_view kSpecialUseHeader = "postern-special-use 1";
constexpr std::string_view kMetadata = "/postern.metadata";
constexpr std::string_view kServerMetadata = "/postern.server-metadata";
constexpr std::string_view kUrlKeyHeader = "postern-urlauth 1";
constexpr std::size_t kUrlKeySize = 32;
constexpr std::string_view kSubscriptionsHeader = "postern-subscriptions 1";

std::string host_name() {
    char name[256] = "";
    return ::gethostname(name, sizeof name - 1) == 0 && name[0] != 0 ? name : "localhost";
}

bool is_below(std::string_view name, std::string_view parent) {
    return name.size() > parent.size() && name.starts_with(parent) &&
           name[parent.size()] == kSeparator;
}

// Of a store that Dovecot or Courier had: good until the first change, which writes ours.
std::set<std::string> foreign_subscriptions(sys::Fs& fs, const std::string& root) {
    std::vector<std::string> found;
    const auto dovecot = read_small_file(fs, root + "/subscriptions", kMaxForeignFile);
    const auto courier = read_small_file(fs, root + "/courierimapsubscribed", kMaxForeignFile);
    for (const auto* text : {&dovecot, &courier})
        if (!*text && text->error().code != Errc::not_found)
            log::warning("", text->error().what + ": subscriptions are not taken over from it");
    if (dovecot)
        found = parse_dovecot_subscriptions(*dovecot);
    else if (courier)
        found = parse_courier_subscriptions(*courier);
    std::set<std::string> out;
    for (const std::string& name : found)
        if (auto good = Store::canonical(name)) out.insert(*std::move(good));
    return out;
}

}  // namespace

Result<Store> Store::open(std::string root, sys::Fs& fs, const Clock& clock, Random& random) {
    while (root.size() > 1 && root.ends_with('/')) root.pop_back();
    if (root.empty()) return Error{Errc::invalid, "empty Maildir path", 0};
    TRY(make_maildir(fs, root));
    return Store(Environment{std::move(root), &fs, &clock, &random, host_name()});
}

void Store::set_mbox_inbox(std::string file, LockRules rules) {
    mbox_ = std::make_shared<MboxInbox>(std::move(file), rules);
}

void Store::set_quota(QuotaLimits limits) {
    env_.quota = limits.any()
                     ? std::make_shared<const Quota>(*env_.fs, *env_.clock, env_.root, limits)
                     : nullptr;
}

Result<std::string> Store::canonical(std::string_view name) {
    if (name.ends_with(kSeparator)) name.remove_suffix(1);
    const auto bad = [](std::string_view why) {
        return Error{Errc::invalid, cat({"Mailbox name ", why}), 0};
    };
    if (name.empty()) return bad("is empty");
    if (name.size() > kMaxFolderName)
        return bad(cat({"is longer than ", std::to_string(kMaxFolderName), " bytes"}));
    for (const char c : name)
        if (is_control(c) || c == '/') return bad("has a character that names cannot have");
    for (const std::string_view level : split(name, kSeparator))
        if (level.empty()) return bad("has an empty level");
    // RFC 3501 5.1: INBOX is one name in any case.
    const std::string_view first = name.substr(0, name.find(kSeparator));
    if (iequals(first, kInbox)) return cat({kInbox, name.substr(first.size())});
    return std::string(name);
}

std::string Store::path_of(std::string_view name) const {
    return name == kInbox ? env_.root : cat({env_.root, "/.", name});
}

bool Store::exists(std::string_view name) const { return existing(name).has_value(); }

Result<std::vector<std::string>> Store::folder_names(sys::Fs& fs, const std::string& root) {
    TRY_ASSIGN(const auto entries, fs.list(root));
    std::vector<std::string> names{std::string(kInbox)};
    for (const auto& entry : entries) {
        if (entry.kind != sys::FileInfo::Kind::directory || !entry.name.starts_with('.')) continue;
        auto name = canonical(std::string_view(entry.name).substr(1));
        if (name && *name == entry.name.substr(1) && *name != kInbox)
            names.push_back(*std::move(name));
    }
    return names;
}

Result<std::vector<Folder>> Store::folders() const {
    TRY_ASSIGN(std::vector<std::string> names, folder_names(*env_.fs, env_.root));
    // A name above which something of others' is shown is none of the user's own.
    if (!mounts_.empty())
        std::erase_if(names, [this](const std::string& name) { return !is_personal(name); });
    for (const Mount& mount : mounts_) list_mount(mount, names);
    const std::set<std::string> real(names.begin(), names.end());
    std::set<std::string> all = real;
    std::set<std::string> parents;
    for (const std::string& name : names)
        for (auto at = name.rfind(kSeparator); at != std::string::npos && at > 0;
             at = name.rfind(kSeparator, at - 1)) {
            parents.insert(name.substr(0, at));
            all.insert(name.substr(0, at));
        }
    std::vector<Folder> folders;
    for (const std::string& name : all)
        folders.push_back({name, real.contains(name), parents.contains(name)});
    std::stable_partition(folders.begin(), folders.end(),
                          [](const Folder& f) { return f.name == kInbox; });
    return folders;
}

Result<void> Store::make_initial_folders(const std::vector<std::string>& names) {
    const std::string marker = env_.root + "/postern.initial-folders";
    if (names.empty() || env_.fs->info(marker)) return {};
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env_.fs, marker + ".lock"));
    for (const std::string& name : names) {
        TRY_ASSIGN(const std::string folder, canonical(name));
        if (!exists(folder)) TRY(create(folder));
        TRY(change_subscription(folder, true));
    }
    TRY_ASSIGN(const Fd made, env_.fs->open(marker, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600));
    return env_.fs->sync_directory(env_.root);
}

// Maildir++ marks subfolders for delivery agents with an empty file.
Result<void> Store::make_folder(sys::Fs& fs, const std::string& path) {
    TRY(make_maildir(fs, path));
    TRY_ASSIGN(const Fd marker,
               fs.open(path + "/maildirfolder", O_WRONLY | O_CREAT | O_NOFOLLOW, 0600));
    return {};
}

Result<void> Store::create(std::string_view name) {
    TRY_ASSIGN(Place place, place_of(name));
    TRY(guard(place));
    if (is_there(place)) return Error{Errc::permanent, "Mailbox already exists", 0};
    if (place.mount != nullptr && (!place.mount->owner.empty() || place.name == kInbox))
        return Error{Errc::denied, "Folders can't be made there", 0};
    sys::Fs& fs = *place.env.fs;
    // What another program, or a crash, has left half done.
    if (fs.info(place.path)) return make_folder(fs, place.path);
    // It comes in one step: who watches the tree looks once, and finds it whole.
    const std::string fresh =
        place.env.root + "/postern.new." + unique_stem(*env_.clock, *env_.random, "");
    auto made = make_folder(fs, fresh);
    if (made) made = fs.rename(fresh, place.path);
    if (made) return sync_name(fs, place.path);
    (void)remove_tree(fs, fresh);
    if (is_there(place)) return Error{Errc::permanent, "Mailbox already exists", 0};
    return made;
}

Result<void> Store::remove(std::string_view name) {
    TRY_ASSIGN(const std::string folder, canonical(name));
    if (folder == kInbox) return Error{Errc::permanent, "INBOX cannot be deleted", 0};
    TRY_ASSIGN(const Place place, existing(folder));
    if (place.mount != nullptr && !place.mount->owner.empty())
        return Error{Errc::denied, "Not the owner", 0};
    if (place.mount != nullptr) TRY(keep_lists_below(place));
    // Out of sight in one step; what a crash leaves behind is no folder.
    const std::string doomed =
        place.env.root + "/postern.trash." + unique_stem(*env_.clock, *env_.random, "");
    TRY(place.env.fs->rename(place.path, doomed));
    const auto quota = place.mount == nullptr ? env_.quota : quota_of(*place.mount);
    if (quota) quota->forget();  // who asks next counts
    if (place.mount == nullptr)
        TRY(change_special_uses([&](SpecialUses& uses) { return uses.erase(folder) > 0; }));
    return remove_tree(*place.env.fs, doomed);
}

Result<void> Store::rename(std::string_view from, std::string_view to) {
    TRY_ASSIGN(const std::string source, canonical(from));
    TRY_ASSIGN(const std::string target, canonical(to));
    TRY_ASSIGN(const Place from_place, place_of(source));
    TRY_ASSIGN(const Place to_place, place_of(target));
    if (is_there(to_place)) return Error{Errc::permanent, "Mailbox already exists", 0};
    if (source == kInbox && to_place.mount == nullptr) return rename_inbox(target);
    if (is_below(target, source))
        return Error{Errc::permanent, "Cannot move a mailbox below itself", 0};
    if (from_place.mount != to_place.mount)
        return Error{Errc::denied, "Mailboxes are not moved from one namespace to another", 0};
    if (from_place.mount != nullptr) return rename_mounted(from_place, to_place);
    return rename_own(source, target);
}

std::optional<FolderLock> Store::hold_names() const {
    constexpr Millis kPatience = Seconds{2};
    auto lock = FolderLock::take(*env_.fs, env_.root + "/postern.folders.lock", kPatience);
    return lock ? std::optional(*std::move(lock)) : std::nullopt;
}

Result<void> Store::rename_own(const std::string& source, const std::string& target) {
    const auto held = hold_names();
    TRY_ASSIGN(const std::vector<std::string> names, folder_names(*env_.fs, env_.root));
    std::vector<std::pair<std::string, std::string>> moves;
    for (const std::string& name : names) {
        if (name != source && !is_below(name, source)) continue;
        TRY_ASSIGN(std::string moved, canonical(target + name.substr(source.size())));
        if (exists(moved)) return Error{Errc::permanent, "Mailbox already exists: " + moved, 0};
        moves.emplace_back(name, std::move(moved));
    }
    if (moves.empty()) return Error{Errc::not_found, "Mailbox does not exist", 0};
    for (const auto& [old_name, new_name] : moves)
        TRY(env_.fs->rename(path_of(old_name), path_of(new_name)));
    TRY(change_special_uses([&](SpecialUses& uses) {
        bool changed = false;
        for (const auto& [old_name, new_name] : moves) {
            auto node = uses.extract(old_name);
            if (node.empty()) continue;
            node.key() = new_name;
            uses.insert(std::move(node));
            changed = true;
        }
        return changed;
    }));
    return env_.fs->sync_directory(env_.root);
}

Result<void> Store::rename_inbox(const std::string& to) {
    TRY(create(to));
    TRY_ASSIGN(const Mailbox target, mailbox(to));
    TRY_ASSIGN(const Mailbox source, mailbox(kInbox));
    TRY_ASSIGN(const std::unique_ptr<View> inbox, source.open(Access::read_write));
    std::vector<std::uint32_t> all(inbox->count());
    std::iota(all.begin(), all.end(), 1U);
    auto copied = inbox->copy(all, target, {.moving = true});
    if (!copied) return std::move(copied).error();
    return inbox->expunge(all);
}

Result<Mailbox> Store::mailbox(std::string_view name) const {
    TRY_ASSIGN(Place place, existing(name));
    return mailbox_at(std::move(place));
}

Result<Store::Entered> Store::enter(std::string_view name) const {
    TRY_ASSIGN(Place place, existing(name));
    auto rights = rights_at(place);
    TRY_ASSIGN(Mailbox box, mailbox_at(std::move(place)));
    return Entered{std::move(box), std::move(rights)};
}

// A folder of one's own, or all of them, may be a group's too: whoever is in it can put there what
// he likes, as the owner of a mount can.
Result<void> Store::guard(Place& place) const {
    if (place.mount != nullptr) return {};
    const auto others_write = [this](const std::string& directory) {
        const auto info = env_.fs->info(directory + "/.");
        if (!info) return info.error().code != Errc::not_found;
        return info->uid != ::geteuid() || (info->mode & (S_IWGRP | S_IWOTH)) != 0 ||
               mode_for_group(*info).has_value();
    };
    if (!others_write(place.path) && !(place.name != kInbox && others_write(env_.root))) return {};
    TRY_ASSIGN(auto shared, sys::BeneathFs::open_root(env_.root, *env_.fs));
    place.env.use_shared_fs(std::move(shared));
    return {};
}

Result<Mailbox> Store::mailbox_at(Place place) const {
    // Other programs leave out empty directories. A missing tmp/ is made by who needs it.
    const auto info = place.env.fs->info(place.path + "/new");
    if (!info) TRY(complete_maildir(*place.env.fs, place.path));
    const auto mode = info && place.mount == nullptr ? mode_for_group(*info) : std::nullopt;
    if (mode) place.env.use_group_fs(*mode);
    if (place.mount != nullptr) place.env.quota = quota_of(*place.mount);
    if (place.mount == nullptr && place.name == kInbox) place.env.mbox = mbox_;
    return Mailbox(std::move(place.env), std::move(place.path));
}

Result<Store::SpecialUses> Store::special_uses() const {
    SpecialUses uses;
    LineLog file(*env_.fs, env_.root + "/postern.special-use");
    const auto on_line = [&](std::string_view line) {
        const auto parts = split_once(line, ' ');
        if (parts && parts->first.starts_with('\\'))
            uses[std::string(parts->second)].emplace_back(parts->first);
    };
    auto exists_now = file.refresh({[](std::string_view) {}, on_line});
    if (!exists_now) return std::move(exists_now).error();
    return uses;
}

// `change` tells whether it changed anything.
Result<void> Store::change_special_uses(const std::function<bool(SpecialUses&)>& change) {
    TRY_ASSIGN(const FolderLock lock,
               FolderLock::take(*env_.fs, env_.root + "/postern.special-use.lock"));
    TRY_ASSIGN(SpecialUses uses, special_uses());
    if (!change(uses)) return {};
    std::string content = cat({kSpecialUseHeader, "\n"});
    for (const auto& [name, attributes] : uses)
        for (const std::string& attribute : attributes)
            content += cat({attribute, " ", name, "\n"});
    LineLog file(*env_.fs, env_.root + "/postern.special-use");
    return file.replace(content);
}

Result<void> Store::set_special_use(std::string_view name, std::vector<std::string> attributes) {
    TRY_ASSIGN(const std::string folder, canonical(name));
    return change_special_uses([&](SpecialUses& uses) {
        uses[folder] = std::move(attributes);
        return true;
    });
}

Result<std::vector<std::string>> Store::move_special_use(
    std::string_view name, const std::vector<std::string>& attributes) {
    TRY_ASSIGN(const std::string folder, canonical(name));
    std::vector<std::string> losers;
    TRY(change_special_uses([&](SpecialUses& uses) {
        for (auto& [other, its] : uses) {
            const auto taken = std::erase_if(its, [&](const std::string& use) {
                return std::find(attributes.begin(), attributes.end(), use) != attributes.end();
            });
            if (taken > 0 && other != folder) losers.push_back(other);
        }
        uses[folder] = attributes;
        std::erase_if(uses, [](const auto& one) { return one.second.empty(); });
        return true;
    }));
    return losers;
}

Result<Metadata> Store::metadata(std::string_view name) const {
    if (name.empty()) return read_metadata(*env_.fs, env_.root + std::string(kServerMetadata));
    TRY_ASSIGN(const Place place, existing(name));
    TRY_ASSIGN(Metadata all, read_metadata(*place.env.fs, place.path + std::string(kMetadata)));
    if (place.mount == nullptr) return all;
    std::erase_if(all, [](const auto& entry) { return is_private_entry(entry.first); });
    TRY_ASSIGN(const std::string file, private_file(place, PrivatePlace::kMetadata));
    TRY_ASSIGN(Metadata mine, read_metadata(*env_.fs, file));
    all.merge(std::move(mine));
    return all;
}

Result<void> Store::set_metadata(std::string_view name,
                                 const std::vector<MetadataChange>& changes) {
    if (name.empty())
        return change_metadata(*env_.fs, env_.root + std::string(kServerMetadata), changes);
    TRY_ASSIGN(const Place place, existing(name));
    std::vector<MetadataChange> mine, shared;
    for (const MetadataChange& change : changes)
        (place.mount != nullptr && is_private_entry(change.name) ? mine : shared).push_back(change);
    if (!mine.empty()) return set_private_metadata(place, mine, shared);
    return change_metadata(*place.env.fs, place.path + std::string(kMetadata), shared);
}

// All or none: what was the user's own before is so again where the rest fails.
Result<void> Store::set_private_metadata(const Place& place,
                                         const std::vector<MetadataChange>& changes,
                                         const std::vector<MetadataChange>& shared) const {
    TRY_ASSIGN(const std::string file, private_file(place, PrivatePlace::kMetadata));
    TRY(place.env.private_place->make());
    TRY_ASSIGN(const Metadata before, read_metadata(*env_.fs, file));
    TRY(change_metadata(*env_.fs, file, changes));
    if (shared.empty()) return {};
    auto done = change_metadata(*place.env.fs, place.path + std::string(kMetadata), shared);
    if (done) return done;
    std::vector<MetadataChange> back;
    for (const MetadataChange& change : changes) {
        const auto old = before.find(change.name);
        back.push_back(
            {change.name, old == before.end() ? std::nullopt : std::optional(old->second)});
    }
    TRY(change_metadata(*env_.fs, file, back));
    return done;
}

// A key that is in the folder would speak for all who may read it: in folders of others, each user
// has one in his own Maildir.
Result<std::string> Store::url_key_file(std::string_view name) const {
    TRY_ASSIGN(const Place place, existing(name));
    if (place.mount == nullptr) return place.path + "/postern.urlauth";
    TRY(place.env.private_place->make());
    return private_file(place, PrivatePlace::kUrlKey);
}

Result<void> Store::reset_url_keys_of_others() const {
    return remove_private_url_keys(*env_.fs, private_folder());
}

Result<std::string> Store::url_key(std::string_view name, bool make) const {
    TRY_ASSIGN(const std::string file, url_key_file(name));
    const auto read = [&]() -> Result<std::string> {
        std::string key;
        LineLog log(*env_.fs, file);
        const auto on_line = [&](std::string_view line) {
            if (auto bytes = base64_decode(line)) key = *std::move(bytes);
        };
        auto known = log.refresh({[](std::string_view) {}, on_line});
        if (!known) return std::move(known).error();
        return key;
    };
    TRY_ASSIGN(std::string key, read());
    if (!key.empty() || !make) return key;
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env_.fs, file + ".lock"));
    TRY_ASSIGN(key, read());
    if (!key.empty()) return key;
    key = env_.random->bytes(kUrlKeySize);
    TRY(LineLog(*env_.fs, file).replace(cat({kUrlKeyHeader, "\n", base64_encode(key), "\n"})));
    return key;
}

Result<void> Store::reset_url_key(std::string_view name) const {
    TRY_ASSIGN(const std::string file, url_key_file(name));
    TRY_ASSIGN(const FolderLock lock, FolderLock::take(*env_.fs, file + ".lock"));
    auto gone = env_.fs->unlink(file);
    if (!gone && gone.error().code != Errc::not_found) return gone;
    return {};
}

Result<std::vector<std::string>> Store::subscriptions() const {
    std::set<std::string> names;
    LineLog file(*env_.fs, env_.root + "/postern.subscriptions");
    auto exists_now = file.refresh(
        {[](std::string_view) {}, [&](std::string_view line) { names.emplace(line); }});
    if (!exists_now) return std::move(exists_now).error();
    if (!*exists_now) names = foreign_subscriptions(*env_.fs, env_.root);
    return std::vector<std::string>(names.begin(), names.end());
}

Result<void> Store::change_subscription(const std::string& name, bool present) {
    TRY_ASSIGN(const FolderLock lock,
               FolderLock::take(*env_.fs, env_.root + "/postern.subscriptions.lock"));
    TRY_ASSIGN(std::vector<std::string> names, subscriptions());
    const auto found = std::find(names.begin(), names.end(), name);
    if (!present && found == names.end()) return Error{Errc::not_found, "Not subscribed", 0};
    if (present == (found != names.end())) return {};
    if (present)
        names.push_back(name);
    else
        names.erase(found);
    std::string content = cat({kSubscriptionsHeader, "\n"});
    for (const std::string& each : names) content += each + "\n";
    LineLog file(*env_.fs, env_.root + "/postern.subscriptions");
    return file.replace(content);
}

Result<void> Store::subscribe(std::string_view name) {
    TRY_ASSIGN(const std::string folder, canonical(name));
    return change_subscription(folder, true);
}

Result<void> Store::unsubscribe(std::string_view name) {
    TRY_ASSIGN(const std::string folder, canonical(name));
    return change_subscription(folder, false);
}

}  // namespace postern::mailbox
