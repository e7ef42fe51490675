// Access control lists of folders, RFC 4314: who may do what. A file postern.acl in the folder; a
// folder without one belongs to its owner alone.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/sys/fs.h"

namespace postern::mailbox {

// Letters of rights, in this order: lookup, read, seen, write flags, insert, post, create below,
// delete the folder, mark deleted, expunge, administer.
inline constexpr std::string_view kAllRights = "lrswipkxtea";
inline constexpr std::size_t kMaxAclEntries = 200;
inline constexpr std::size_t kMaxIdentifier = 250;

// In the order above, each once; the old c becomes kx and d becomes xte (RFC 4314 2.1.1).
// Errc::invalid for letters that are no rights.
Result<std::string> normal_rights(std::string_view letters);
// With c and d for clients that know only those.
std::string shown_rights(std::string_view rights);
bool has_right(std::string_view rights, char right);

// Rights by identifier: a user, "anyone", or either behind "-", which takes rights away.
using Acl = std::map<std::string, std::string, std::less<>>;

enum class AclChange : unsigned char { replace, add, remove, erase };
// Errc::invalid for an identifier that cannot be one; Errc::permanent for too many.
Result<void> change_acl(Acl& acl, std::string_view identifier, AclChange change,
                        std::string_view rights);

// What the folder's owner may do. One without an entry may do all; one with an entry keeps l and a,
// or could never get the rest back.
std::string rights_of_owner(const Acl& acl, std::string_view owner);

// Empty where there is none.
Result<Acl> read_acl(sys::Fs& fs, const std::string& file);
// Under a lock of the file's own.
Result<void> edit_acl(sys::Fs& fs, const std::string& file, std::string_view identifier,
                      AclChange change, std::string_view rights);

}  // namespace postern::mailbox
