#include "lib/sys/users.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <vector>

#include "lib/base/strings.h"
#include "lib/sys/error.h"

namespace postern::sys {
namespace {

constexpr std::size_t kFirstBuffer = 4096;
constexpr std::size_t kLastBuffer = 1 << 20;

// Calls a getpw*_r function with a growing buffer. ask(&entry, buffer, size, &result) -> error
// number.
template <class Entry, class Answer, class Ask, class Convert>
Lookup<Answer> ask_database(std::string_view what, Ask ask, Convert convert) {
    for (std::size_t size = kFirstBuffer; size <= kLastBuffer; size *= 4) {
        std::vector<char> buffer(size);
        Entry entry{};
        Entry* found = nullptr;
        const int error = ask(&entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE) continue;
        if (found != nullptr) return convert(*found);
        // "No such entry" comes as 0 or as one of several numbers (getpwnam(3)).
        if (error == 0 || error == ENOENT || error == ESRCH) return NotFound{};
        return system_error(what, error);
    }
    return Error{Errc::corrupt, cat({what, ": entry too long"})};
}

User to_user(const passwd& entry) {
    const std::string_view gecos = entry.pw_gecos != nullptr ? entry.pw_gecos : "";
    return {entry.pw_name,
            entry.pw_uid,
            entry.pw_gid,
            entry.pw_dir,
            std::string(split(gecos, ',').front()),
            entry.pw_shell != nullptr ? entry.pw_shell : ""};
}

// Real, effective and saved ids: none is left that would lead back.
bool wholly(uid_t uid, gid_t gid) {
    uid_t u[3];
    gid_t g[3];
    if (::getresuid(&u[0], &u[1], &u[2]) != 0 || ::getresgid(&g[0], &g[1], &g[2]) != 0)
        return false;
    return std::all_of(u, u + 3, [&](uid_t one) { return one == uid; }) &&
           std::all_of(g, g + 3, [&](gid_t one) { return one == gid; });
}

}  // namespace

Lookup<User> find_user(const std::string& name) {
    return ask_database<passwd, User>(
        "user " + name,
        [&](passwd* e, char* b, std::size_t n, passwd** r) {
            return ::getpwnam_r(name.c_str(), e, b, n, r);
        },
        to_user);
}

Lookup<User> find_user(uid_t uid) {
    return ask_database<passwd, User>(
        "uid " + std::to_string(uid),
        [&](passwd* e, char* b, std::size_t n, passwd** r) {
            return ::getpwuid_r(uid, e, b, n, r);
        },
        to_user);
}

Lookup<gid_t> find_group(const std::string& name) {
    return ask_database<group, gid_t>(
        "group " + name,
        [&](group* e, char* b, std::size_t n, group** r) {
            return ::getgrnam_r(name.c_str(), e, b, n, r);
        },
        [](const group& entry) { return entry.gr_gid; });
}

namespace {

Result<void> become(uid_t uid, gid_t gid, const std::function<int()>& set_groups) {
    if (uid == static_cast<uid_t>(-1) ||
        gid == static_cast<gid_t>(-1))  // setresuid(2): "do not change"
        return Error{Errc::invalid, "become user: no such id"};
    if (uid != 0 && wholly(uid, gid)) return {};
    if (::geteuid() != 0)
        return Error{Errc::denied, "become uid " + std::to_string(uid) + ": not root"};
    if (set_groups() != 0) return system_error("set groups");
    if (::setresgid(gid, gid, gid) != 0) return system_error("set gid " + std::to_string(gid));
    if (::setresuid(uid, uid, uid) != 0) return system_error("set uid " + std::to_string(uid));
    if (!wholly(uid, gid) || (uid != 0 && ::setuid(0) == 0))
        return Error{Errc::denied, "become user: root came back"};
    return {};
}

}  // namespace

Result<void> become_user(uid_t uid, gid_t gid, const std::string& initgroups_name) {
    return become(uid, gid, [&] {
        return initgroups_name.empty() ? ::setgroups(1, &gid)
                                       : ::initgroups(initgroups_name.c_str(), gid);
    });
}

Result<void> become_user(uid_t uid, gid_t gid, std::span<const gid_t> groups) {
    std::vector<gid_t> all{gid};
    all.insert(all.end(), groups.begin(), groups.end());
    return become(uid, gid, [&] { return ::setgroups(all.size(), all.data()); });
}

std::vector<Group> groups_of(const std::string& user, gid_t gid) {
    constexpr int kMaxGroups = 1024;
    int count = kMaxGroups;
    std::vector<gid_t> gids(kMaxGroups);
    if (::getgrouplist(user.c_str(), gid, gids.data(), &count) < 0) count = kMaxGroups;
    gids.resize(static_cast<std::size_t>(std::max(count, 0)));
    std::vector<Group> out;
    for (const gid_t one : gids) {
        auto found = ask_database<group, std::string>(
            "gid " + std::to_string(one),
            [&](group* e, char* b, std::size_t n, group** r) {
                return ::getgrgid_r(one, e, b, n, r);
            },
            [](const group& entry) { return std::string(entry.gr_name); });
        if (found.found()) out.push_back({*found, one});
    }
    return out;
}

bool is_root() { return ::geteuid() == 0; }

}  // namespace postern::sys
