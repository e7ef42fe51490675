// Who may do what: one row per daemon, next to each other, so that a reviewer compares them at a glance.
// ARCHITECTURE.md, "Who may do what", is the documentation of this table.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/config/config.h"
#include "lib/sys/sandbox.h"

namespace postern::service {

// The users that daemons run as. They are named after mail_owner (postern, postern-net, ...). Without root
// everything runs as the one user that started it.
enum class Account : std::uint8_t { root, mail, net, policy, queue, out, auth };
using Accounts = std::uint16_t;  // a set
constexpr Accounts operator|(Account a, Account b) {
    return static_cast<Accounts>(1U << static_cast<unsigned>(a) | 1U << static_cast<unsigned>(b));
}
constexpr Accounts operator|(Accounts set, Account a) {
    return static_cast<Accounts>(set | 1U << static_cast<unsigned>(a));
}
constexpr Accounts only(Account a) { return static_cast<Accounts>(1U << static_cast<unsigned>(a)); }
constexpr bool contains(Accounts set, Account a) { return (set >> static_cast<unsigned>(a) & 1U) != 0; }

// Anchors of path rules.
enum class Anchor : std::uint8_t {
    queue,   // below queue_directory
    config,  // config_directory
    data,    // data_directory
    users,   // the folder of auth_passwd_file, which may be replaced there
    token_keys,  // the folder of auth_oauth2_keys, likewise
    system,  // an absolute path
};

struct ProfilePath {
    Anchor anchor;
    std::string_view path;
    sys::PathRule::Access access;
};

struct Profile {
    std::string_view program;  // file name below daemon_directory
    Account account;
    Accounts callers;               // who may connect to its Unix sockets; root and its own uid always may
    bool commands_may_call;         // set-gid commands (egid setgid_group) and mail_owner too
    sys::Promises promises;         // what it may do after its start
    std::span<const ProfilePath> paths;
    bool restricts_itself;          // starts as root and confines each of its children by itself
    // Its successor starts while it drains, though there may be one only: what it serves may last for days (a
    // session), for many minutes (qmgr's slowest delivery, a client in the middle of its message) or for as long as a
    // name server is silent, and meanwhile nobody else would be served. Two of them share nothing, or what they
    // share is locked (qmgr/store.h). The others end within moments, or must be the only one: master/README.md.
    bool outlives_reloads = false;
};

// Null when the program is not one of ours.
const Profile* find_profile(std::string_view program);
std::span<const Profile> profiles();
// Whether it gets the file of trace records to append to. Those that serve readers of mail do not.
bool tells_of_messages(const Profile& profile);

// uid and gids of an account as configured. Errc::not_found names the missing user and the command
// that makes it. As an ordinary user: that user.
struct Identity {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    gid_t submit_gid = 0;  // setgid_group: lets daemons pass public/
};
Result<Identity> identity_of(Account account, const config::Config& config);

// The profile's paths as rules for sys::restrict.
std::vector<sys::PathRule> path_rules(const Profile& profile, const config::Config& config);

}  // namespace postern::service
