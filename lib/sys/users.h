// Users and groups, and the one function by which a privileged process becomes one of them.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "lib/base/lookup.h"
#include "lib/base/result.h"

namespace postern::sys {

struct User {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
    std::string full_name;  // the GECOS field up to its first comma
    std::string shell;      // may be empty: /bin/sh then
};

// The system's user database (nsswitch). May block: workers and start-up only.
Lookup<User> find_user(const std::string& name);
Lookup<User> find_user(uid_t uid);
Lookup<gid_t> find_group(const std::string& name);

// Becomes that user for good: supplementary groups, gid, uid, in that order, then checks that there is
// no way back. As the user already: nothing to do. Errc::denied when we may not.
// `initgroups_name` empty: the gid alone; otherwise that user's groups from the database.
Result<void> become_user(uid_t uid, gid_t gid, const std::string& initgroups_name = {});

// The same with these supplementary groups and no others.
Result<void> become_user(uid_t uid, gid_t gid, std::span<const gid_t> groups);

// The groups that the system's database has a user in, `gid` among them. May block.
struct Group {
    std::string name;
    gid_t gid = 0;
};
std::vector<Group> groups_of(const std::string& user, gid_t gid);

bool is_root();  // effective uid 0

}  // namespace postern::sys
