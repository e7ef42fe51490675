// Access control lists of folders, RFC 4314: who may do what. A file postern.acl in the folder, or
// Dovecot's; a folder without one belongs to its owner alone. doc/decisions/shared-folders.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

// Letters of rights, in this order: lookup, read, seen, write flags, insert, post, create below,
// delete the folder, mark deleted, expunge, administer.
inline constexpr std::string_view kAllRights = "lrswipkxtea";
inline constexpr std::size_t kMaxAclEntries = 200;
inline constexpr std::size_t kMaxIdentifier = 250;

// In the order above, each once; the old c becomes kx and d becomes te (RFC 4314 2.1.1).
// Errc::invalid for letters that are no rights.
Result<std::string> normal_rights(std::string_view letters);
// With c and d for clients that know only those.
std::string shown_rights(std::string_view rights);
bool has_right(std::string_view rights, char right);

// Rights by identifier: a user, "$" and a group, "anyone", or any of them behind "-", which takes
// rights away.
using Acl = std::map<std::string, std::string, std::less<>>;

enum class AclChange : unsigned char { replace, add, remove, erase };
// Errc::invalid for an identifier that cannot be one; Errc::permanent for too many.
Result<void> change_acl(Acl& acl, std::string_view identifier, AclChange change,
                        std::string_view rights);

// What the folder's owner may do. One without an entry may do all; one with an entry keeps l and a,
// or could never get the rest back.
std::string rights_of_owner(const Acl& acl, std::string_view owner);

// Whom a list is asked about, who is not the owner.
struct Person {
    std::string user;
    std::vector<std::string> groups;  // without "$"
};
// What he may do: of the entry with his name, or those of his groups and anyone, without what
// negative entries take.
std::string rights_of_other(const Acl& acl, const Person& person);
// The identifiers that may look the folder up, other than the owner's.
std::vector<std::string> readers_of(const Acl& acl, std::string_view owner);

// dovecot-acl: "user=fred lrw", "anyone lr", "-group=staff w". Entries of other kinds are passed
// over. Of letters that are no rights nothing is given; with one of them, a negative entry takes all.
Acl parse_dovecot_acl(std::string_view text);

// The list of a folder, by its path: postern.acl, or where there is none dovecot-acl. Nothing where
// there is neither.
Result<std::optional<Acl>> read_acl(sys::Fs& fs, const std::string& folder);
// Gives a folder that has no list this one, under a lock of the file's own.
Result<void> keep_acl(sys::Fs& fs, const std::string& folder, const Acl& acl);
// Under a lock of the file's own. A folder that has no list gets one that begins with `before`.
Result<void> edit_acl(sys::Fs& fs, const std::string& folder, const Acl& before,
                      std::string_view identifier, AclChange change, std::string_view rights);

}  // namespace postern::mailbox
