// Users: the passwd-file in memory, read again when it changed, and what a login needs to know of
// one user: the stored password, uid, gid, home, Maildir.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "lib/base/lookup.h"
#include "lib/sasl/login_fields.h"
#include "lib/sasl/passwd_file.h"

namespace postern::auth {

// Where missing fields come from, and what is allowed.
struct UserOptions {
    std::string passwd_file;
    std::string mailbox_path;  // template with $home and $user
    std::string inbox_file;    // the same for an INBOX that is an mbox; empty: none
    std::string quota_rule;    // of users who have none of their own
    std::uint32_t first_valid_uid = 500;
    std::uint32_t own_uid = 0;  // an unprivileged instance serves all users under it
    std::uint32_t own_gid = 0;
};

struct User {
    std::string name;
    std::string password;  // stored form
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string home;
    std::string mailbox;
    std::string inbox_file;        // empty: INBOX is the Maildir's
    std::string groups;            // comma-separated names, for access control lists
    std::string quota_rule;        // lib/mailbox/quota.h
    sasl::LoginNetworks networks;  // find() only
};

class Users {
  public:
    explicit Users(UserOptions options) : options_(std::move(options)) {}

    // By name in any case. NotFound: no such user, or one who may not log in. An Error for a file
    // that cannot be read, or is gone after it was there, and for an entry that makes no sense (uid
    // below first_valid_uid, no home) or forbids what we would allow (lib/sasl/login_fields.h).
    Lookup<User> find(std::string_view name);

    // The same for delivery: also users who have no password or may not log in.
    Lookup<User> locate(std::string_view name);

    // Whether there is such an entry, which may receive mail even if it may not log in.
    Lookup<bool> exists(std::string_view name);

    std::size_t size() const { return entries_.size(); }

  private:
    struct Stamp {
        std::uint64_t inode = 0, size = 0;
        std::int64_t mtime = 0, ctime = 0;
        bool operator==(const Stamp&) const = default;
    };
    Result<void> refresh();
    void load(std::string_view text);
    void tell_unknown_fields(const sasl::PasswdEntry& entry, std::size_t number);
    Result<User> complete(const sasl::PasswdEntry& entry) const;
    Result<void> complete_ids(const sasl::PasswdEntry& entry, User& user) const;

    UserOptions options_;
    std::map<std::string, sasl::PasswdEntry, std::less<>> entries_;
    Stamp stamp_;
    bool loaded_ = false;
    std::set<std::string, std::less<>> told_;  // names of fields that the log has
};

}  // namespace postern::auth
