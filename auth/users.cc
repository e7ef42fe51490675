#include "auth/users.h"

#include "lib/base/clock.h"
#include "lib/base/strings.h"
#include "lib/log/log.h"
#include "lib/sys/file.h"
#include "lib/sys/fs.h"
#include "lib/sys/users.h"

namespace postern::auth {
namespace {

constexpr std::size_t kMaxFile = 256 << 20;  // a few million users
constexpr std::size_t kMaxTold = 100;
// Who writes the file in place empties it first: that it is empty is believed after this.
constexpr Millis kSettled{1000};

Result<std::uint32_t> system_uid(const std::string& name) {
    auto found = sys::find_user(name);
    if (found.found()) return std::uint32_t{found->uid};
    return found.failed() ? std::move(found).error()
                          : Error{Errc::not_found, "no system user " + name, 0};
}

Result<std::uint32_t> system_gid(const std::string& name) {
    auto found = sys::find_group(name);
    if (found.found()) return std::uint32_t{*found};
    return found.failed() ? std::move(found).error()
                          : Error{Errc::not_found, "no system group " + name, 0};
}

bool is_being_written(const sys::FileInfo& file) {
    const Micros written =
        std::chrono::duration_cast<Micros>(std::chrono::nanoseconds(file.mtime_ns));
    const WallTime now = SystemClock::instance().now();
    return file.size == 0 && WallTime(written) <= now && now < WallTime(written) + kSettled;
}

}  // namespace

Lookup<User> Users::find(std::string_view name) {
    if (auto fresh = refresh(); !fresh) return std::move(fresh).error();
    const auto at = entries_.find(to_lower(name));
    if (at == entries_.end() || at->second.password.empty()) return NotFound{};
    const std::string& extra = at->second.extra;
    if (sasl::extra_field(extra, "nologin")) return NotFound{};
    auto networks = sasl::LoginNetworks::of(extra);
    if (!networks) return std::move(networks).error().within("user " + at->second.user);
    if (auto known = sasl::check_login_fields(extra); !known)
        return std::move(known).error().within("user " + at->second.user);
    auto user = locate(name);
    if (user.found()) user->networks = *std::move(networks);
    return user;
}

Lookup<User> Users::locate(std::string_view name) {
    if (auto fresh = refresh(); !fresh) return std::move(fresh).error();
    const auto at = entries_.find(to_lower(name));
    if (at == entries_.end()) return NotFound{};
    auto user = complete(at->second);
    if (!user) return std::move(user).error().within("user " + at->second.user);
    return *std::move(user);
}

Lookup<bool> Users::exists(std::string_view name) {
    if (auto fresh = refresh(); !fresh) return std::move(fresh).error();
    if (!entries_.contains(to_lower(name))) return NotFound{};
    return true;
}

Result<void> Users::refresh() {
    auto& fs = sys::RealFs::instance();
    auto info = fs.info(options_.passwd_file);
    if (!info) {
        // No file yet is no users yet; anything else is a failure that must not look like "unknown
        // user". One that was there is being replaced.
        if (loaded_ || info.error().code != Errc::not_found) return std::move(info).error();
        return {};
    }
    const Stamp stamp{info->inode, info->size, info->mtime_ns, info->ctime_ns};
    if (loaded_ && (stamp == stamp_ || is_being_written(*info))) return {};
    TRY_ASSIGN(const std::string text, sys::read_file(options_.passwd_file, kMaxFile));
    load(text);
    stamp_ = stamp;
    loaded_ = true;
    return {};
}

void Users::load(std::string_view text) {
    entries_.clear();
    std::size_t number = 0;
    for (const std::string_view line : split(text, '\n')) {
        ++number;
        auto entry = sasl::parse_passwd_line(line);
        if (!entry) {
            log::warning("", cat({options_.passwd_file, ", line ", std::to_string(number), ": ",
                                  entry.error().what}));
        } else if (*entry) {
            tell_unknown_fields(**entry, number);
            std::string key = to_lower((*entry)->user);
            entries_.insert_or_assign(std::move(key), **std::move(entry));
        }
    }
}

// Once for each name: such files repeat themselves.
void Users::tell_unknown_fields(const sasl::PasswdEntry& entry, std::size_t number) {
    for (const auto name : sasl::fields_without_effect(entry.extra)) {
        if (told_.size() >= kMaxTold || !told_.insert(std::string(name)).second) continue;
        log::warning("", cat({options_.passwd_file, ", line ", std::to_string(number),
                              ": the extra field ", printable(name, 60), " has no effect here"}));
    }
}

Result<User> Users::complete(const sasl::PasswdEntry& entry) const {
    User user;
    user.name = to_lower(entry.user);
    user.password = entry.password;
    TRY(complete_ids(entry, user));
    user.home = entry.home;
    if (!user.home.starts_with('/')) return Error{Errc::invalid, "home is not an absolute path", 0};
    TRY(sasl::check_mailbox(entry));
    user.mailbox = sasl::mailbox_of(entry, options_.mailbox_path);
    user.inbox_file = sasl::inbox_file_of(entry, options_.inbox_file);
    for (const std::string& path : {user.mailbox, user.inbox_file})
        if (!path.empty() && !path.starts_with('/'))
            return Error{Errc::invalid,
                         cat({"the mailbox is no absolute path: ", printable(path, 200)}), 0};
    user.groups = sasl::extra_field(entry.extra, "userdb_acl_groups").value_or("");
    user.quota_rule =
        sasl::extra_field(entry.extra, "userdb_quota_rule").value_or(options_.quota_rule);
    return user;
}

// A number, a system account's name, or empty: the system user of the same name, or, in an
// unprivileged instance, the uid that everything runs as.
Result<void> Users::complete_ids(const sasl::PasswdEntry& entry, User& user) const {
    const bool numeric = parse_number<std::uint32_t>(entry.uid).has_value();
    if (numeric) {
        user.uid = *parse_number<std::uint32_t>(entry.uid);
    } else if (entry.uid.empty() && sys::find_user(entry.user).not_found()) {
        user.uid = options_.own_uid;
        user.gid = options_.own_gid;
    } else {
        TRY_ASSIGN(user.uid, system_uid(entry.uid.empty() ? entry.user : entry.uid));
    }
    if (const auto gid = parse_number<std::uint32_t>(entry.gid)) {
        user.gid = *gid;
    } else if (!entry.gid.empty()) {
        TRY_ASSIGN(user.gid, system_gid(entry.gid));
    } else if (user.uid != options_.own_uid) {
        auto account = sys::find_user(static_cast<uid_t>(user.uid));
        if (!account.found()) return Error{Errc::invalid, "no gid", 0};
        user.gid = account->gid;
    } else {
        user.gid = options_.own_gid;
    }
    const bool own = user.uid == options_.own_uid && user.uid != 0;
    if (!own && (user.uid == 0 || user.uid < options_.first_valid_uid))
        return Error{Errc::denied,
                     cat({"uid ", std::to_string(user.uid), " is below first_valid_uid"}), 0};
    return {};
}

}  // namespace postern::auth
